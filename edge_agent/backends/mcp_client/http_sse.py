"""HTTP+SSE of 2024-11-05: one stream on which all comes, and an endpoint that it names.

Source: https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

from edge_agent.backends.mcp_client.channel import LARGEST_MESSAGE_BYTES, Client
from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.backends.mcp_client.web.connections import origin_of
from edge_agent.backends.mcp_client.web.events import Event, EventReader
from edge_agent.backends.mcp_client.web.reading import EVENTS, Answer, chunks_of, kind_of
from edge_agent.errors import CallFailed, ServerDied
from edge_agent.jsonrpc import parse_foreign

_ENDPOINT_S: Final = 5.0  # until the stream has named its endpoint
_STANDING_S: Final = 86_400.0
_log = logging.getLogger(__name__)


class Exchanges(Protocol):
    """What sends requests."""

    def exchange(
        self,
        method: str,
        body: bytes | None,
        until_s: float,
        pending: PendingRequest | None = None,
        more: Mapping[str, str] | None = None,
        *,
        url: str = "",
    ) -> AbstractContextManager[Answer]:
        """Send one, and give the answer."""


class OldStream:
    """The stream of one server. ``ended`` is told why, when it is over."""

    def __init__(
        self, client: Client, channel: Exchanges, url: str, ended: Callable[[str], None]
    ) -> None:
        self._client = client
        self._channel = channel
        self._url = url
        self._ended = ended
        self._endpoint = ""
        self._failure: CallFailed | None = None
        self._known = threading.Event()

    def open(self, until_s: float) -> bool:
        """Ask for the stream; whether it is one.

        Raises:
            CallFailed: its endpoint is elsewhere.
        """
        threading.Thread(
            target=self._follow, name=f"stream of {self._client.name}", daemon=True
        ).start()
        self._known.wait(max(0.0, min(_ENDPOINT_S, until_s - time.monotonic())))
        if self._failure is not None:
            raise self._failure
        return bool(self._endpoint)

    def post(self, message: bytes, until_s: float) -> None:
        """Send a message; its answer comes on the stream.

        Raises:
            ServerDied: it is not taken.
        """
        with self._channel.exchange("POST", message, until_s, url=self._endpoint) as (response, _):
            status = response.status
            if status < HTTPStatus.MULTIPLE_CHOICES:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    response.read(1024)  # "Accepted"; then its connection can be kept
                return
        raise ServerDied(f"{self._client.name}: answered {status} {response.reason}")

    def _follow(self) -> None:
        why = "ended its stream"
        try:
            until_s = time.monotonic() + _STANDING_S
            with self._channel.exchange("GET", None, until_s) as (response, sock):
                if response.status != HTTPStatus.OK or kind_of(response) != EVENTS:
                    return
                reader = EventReader(self._client.name, LARGEST_MESSAGE_BYTES)
                for chunk in chunks_of(response, sock, until_s):
                    for event in reader.feed(chunk):
                        self._heard(event)
        except (OSError, http.client.HTTPException, CallFailed) as error:
            why = f"its stream broke: {error}"
        finally:
            self._known.set()
            if self._endpoint:
                self._ended(why)

    def _heard(self, event: Event) -> None:
        if event.name == "endpoint" and not self._endpoint:
            there = urljoin(self._url, event.data.decode("utf-8", "replace").strip())
            if origin_of(urlsplit(there)) == origin_of(urlsplit(self._url)):
                self._endpoint = there
            else:
                self._failure = CallFailed(
                    f"{self._client.name}: names {there} as its endpoint, which is of another "
                    "origin; if that is its place, configure it as url"
                )
            self._known.set()
            return
        try:
            self._client.received(parse_foreign(event.data))
        except (ValueError, CallFailed) as error:
            _log.debug("%s: sent what cannot be read: %s", self._client.name, error)
