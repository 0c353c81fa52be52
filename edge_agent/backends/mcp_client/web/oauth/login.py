"""A login: what a person's consent left, kept in a file that only this user reads."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from edge_agent.backends.mcp_client.web.oauth.discovery import canonical
from edge_agent.errors import CallFailed
from edge_agent.jsonrpc import parse_foreign
from ground.directories import state_directory
from ground.files import write_whole

_FOLDER: Final = "logins"
_LARGEST_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Login:
    """Tokens, for whom, and where new ones are had. ``expires_s`` is of ``time.time``; 0: unsaid."""

    token_url: str
    client_id: str
    resource: str
    refresh_token: str = ""
    access_token: str = ""
    expires_s: float = 0.0


class Logins:
    """Logins by the URL of their server. ``state`` is the agent's directory; None: the user's."""

    def __init__(self, state: Path | None) -> None:
        own = state_directory() / _FOLDER
        self._places = [own] if state is None else [state / _FOLDER, own]

    def find(self, url: str) -> Login | None:
        """The login of a server, or None."""
        file = self._file(url)
        try:
            data = file.read_bytes()[:_LARGEST_BYTES] if file is not None else b""
            values: Any = parse_foreign(data)
            return Login(**values)
        except (OSError, ValueError, TypeError, CallFailed):
            return None

    def keep(self, url: str, login: Login) -> None:
        """Write one down, where it was or in the first place.

        Raises:
            OSError: it cannot be written.
        """
        file = self._file(url) or self._places[0] / _name(url)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, json.dumps(asdict(login)).encode(), durable=True)

    @contextlib.contextmanager
    def alone(self, url: str) -> Iterator[None]:
        """Hold off other agents of this user: a refresh token may be good for one use only."""
        file = self._file(url) or self._places[0] / _name(url)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            yield  # nothing can be kept there, so nobody else will
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _file(self, url: str) -> Path | None:
        files = (place / _name(url) for place in self._places)
        return next((file for file in files if file.exists()), None)


def _name(url: str) -> str:
    return f"{hashlib.sha256(canonical(url).encode()).hexdigest()[:32]}.json"
