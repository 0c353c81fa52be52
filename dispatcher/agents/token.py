"""The secret that agents show when they attach."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from dispatcher.errors import ConfigError


def load_token(state: Path) -> str:
    """The secret that agents show: ``SANDERLING_TOKEN``, else made once and kept in the state.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    given = os.environ.get("SANDERLING_TOKEN")
    if given:
        if not given.isascii() or not given.isprintable() or " " in given:
            raise ConfigError("SANDERLING_TOKEN: must be printable ASCII without spaces")
        return given
    path = state / "token"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as out:
                out.write(secrets.token_urlsafe(32))
        path.chmod(0o600)
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"token {path}: {error.strerror}; name another --state") from None
    if not token:
        raise ConfigError(f"token {path}: is empty; remove it and a new one is made")
    return token
