"""What a running dispatcher leaves in its state directory for commands to find it."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from dispatcher.errors import ConfigError
from dispatcher.store.ownership import owner
from ground.files import write_whole

_FILE = "dispatcher.json"
_CLIENT_TOKEN = "client-token"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class DispatcherAddress:
    """Where a dispatcher serves. ``token`` is "" where clients need none.

    ``started`` is in Unix seconds.
    """

    url: str
    pid: int
    started: float
    token: str = ""


def publish(state: Path, published: DispatcherAddress) -> None:
    """Write the file that :func:`find` reads, for this user's eyes only."""
    write_whole(state / _FILE, (json.dumps(asdict(published)) + "\n").encode())


def withdraw(state: Path) -> None:
    """Remove the file; it may be gone already."""
    (state / _FILE).unlink(missing_ok=True)


def find(state: Path) -> DispatcherAddress | None:
    """The dispatcher that published itself in a state directory; None where none lives.

    A dispatcher that was killed leaves its file, and its process number may be another's by now:
    whoever relies on the answer asks its ``/healthz`` whether ``started`` is the same.
    """
    published = _published(state)
    try:
        if published is not None:
            os.kill(published.pid, 0)
    except OSError:
        return None
    return published


def trace(state: Path) -> str:
    """What tells of a dispatcher that was not stopped in order, in words; "" where nothing does.

    One that starts, or that speaks on its standard input alone, holds the directory's lock.
    """
    holder = owner(state)
    published = _published(state)
    if published is not None:
        if holder:
            return (
                f"the dispatcher of {state} (process {holder}) does not answer at {published.url}"
            )
        return f"the dispatcher that ran at {published.url} (process {published.pid}) is gone"
    if holder:
        return f"a dispatcher that has no endpoint, or not yet, holds {state} (process {holder})"
    if (state / _FILE).exists():
        return f"{state / _FILE} tells of a dispatcher, and cannot be read"
    return ""


def _published(state: Path) -> DispatcherAddress | None:
    try:
        values = json.loads((state / _FILE).read_text(encoding="utf-8"))
        return DispatcherAddress(
            url=str(values["url"]),
            pid=int(values["pid"]),
            started=float(values["started"]),
            token=str(values["token"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def client_token(state: Path) -> str:
    """The token of MCP clients where the endpoint needs one, made once and kept.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    path = state / _CLIENT_TOKEN
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            write_whole(path, (secrets.token_urlsafe(32) + "\n").encode())
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise ConfigError(f"token {path}: {reason}; name another --state") from None
    if not token:
        raise ConfigError(f"token {path}: is empty; remove it and a new one is made")
    return token
