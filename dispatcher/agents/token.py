"""The secret that agents show when they attach."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from dispatcher.errors import ConfigError
from ground.files import keep_from_git, write_new


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
        keep_from_git(state)
        if not path.exists():
            write_new(path, secrets.token_urlsafe(32).encode())
        path.chmod(0o600)
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"token {path}: {error.strerror}; name another --state") from None
    if not token:
        raise ConfigError(f"token {path}: is empty; remove it and a new one is made")
    return token
