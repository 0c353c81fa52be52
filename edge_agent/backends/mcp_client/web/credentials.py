"""What a remote server is shown with each request: its token, and the headers that it wants."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.backends.settings import ServerTable
from edge_agent.errors import EdgeAgentError

if TYPE_CHECKING:
    from edge_agent.backends.mcp_client.web.oauth.tokens import Tokens

_RENEW_S: Final = 15.0
_log = logging.getLogger(__name__)


class Credentials:
    """The secrets of one server. Thread-safe. ``state`` is where its login is kept.

    Raises:
        ModuleUnavailable: a secret is not where the configuration says.
    """

    def __init__(self, table: ServerTable, state: Path | None = None) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._headers = table.secret_headers()
        self._bearer = table.bearer()
        self._tokens: Tokens | None = None
        if table.oauth is not None:
            from edge_agent.backends.mcp_client.web.oauth.tokens import Tokens

            self._tokens = Tokens(table.name, table.url, table.oauth, state)

    def headers(self) -> Mapping[str, str]:
        """The headers that show them.

        Raises:
            NotSent: there is no token to be had.
        """
        headers = dict(self._headers)
        bearer = self._tokens.current() if self._tokens is not None else self._bearer
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        return headers

    def renewed(self, shown: Mapping[str, str], challenge: str, until_s: float) -> bool:
        """Whether others than ``shown`` are to be had, now that these were refused.

        ``challenge`` is the answer's ``WWW-Authenticate``.

        Raises:
            NotSent: there should be, and are none.
        """
        if self._tokens is not None:
            refused = shown.get("Authorization", "").removeprefix("Bearer ")
            until_s = min(until_s, time.monotonic() + _RENEW_S)
            return self._tokens.renew(refused, challenge, until_s)
        return self._read_again()

    def _read_again(self) -> bool:
        """Look whether somebody has changed the files."""
        try:
            found = (self._table.secret_headers(), self._table.bearer())
        except EdgeAgentError as error:
            _log.debug("%s", error)
            return False
        with self._lock:
            before = (self._headers, self._bearer)
            self._headers, self._bearer = found
        return before != found
