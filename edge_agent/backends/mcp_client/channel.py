"""The client's side of MCP, as far as a proxy needs it: requests out, answers and news back.

A :class:`Client` knows the protocol, and its channel (:mod:`.stdio`, :mod:`.http`) how messages
travel. Both eras: ``server/discover`` (2026-07-28), and ``initialize`` (up to 2025-11-25).
"""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from edge_agent import __version__
from edge_agent.backends.client_request import OFFERED
from edge_agent.backends.mcp_client.faces import Channel, News, ServerInfo
from edge_agent.backends.mcp_client.request import Listener, PendingRequest, StandingRequest
from edge_agent.backends.mcp_client.server_requests import ServerRequests
from edge_agent.backends.mcp_client.web.routing import routing_headers
from edge_agent.engine.limits import MIB, MOST_LIMITS
from edge_agent.errors import (
    BadAnswer,
    CallCancelled,
    CallFailed,
    CallTimeout,
    NotSent,
    RpcError,
    ServerDied,
)
from edge_agent.jsonrpc import METHOD_NOT_FOUND, read_error
from protos.contract import CAPABILITY_OF

HANDSHAKE_ERAS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
STATELESS_ERA: Final = "2026-07-28"
LARGEST_MESSAGE_BYTES: Final = MOST_LIMITS.output_bytes + MIB  # an answer, and what is around it
#: How long a server is given to say that it is of the stateless era.
PROBE_S: Final = 3.0
_META: Final = "io.modelcontextprotocol/"
#: Of a request's ``_meta``: the least level of the log lines that its client wants.
LOG_LEVEL_KEY: Final = f"{_META}logLevel"
_DIGITS_MAX: Final = 18
_OURSELVES: Final = {"name": "sanderling-agent", "version": __version__}
_log = logging.getLogger(__name__)


class Client:
    """Speaks MCP with one server. Thread-safe.

    ``schema_of`` gives the input schema of a tool, for servers that want arguments in headers;
    ``asks`` is called whenever the server asks something of clients.
    """

    def __init__(
        self,
        name: str,
        news: News | None = None,
        schema_of: Callable[[str], Mapping[str, Any] | None] = lambda _: None,
    ) -> None:
        self.name = name
        self.info = ServerInfo()
        self.stateless = False
        self._channel: Channel | None = None
        self._news = news
        self._schema_of = schema_of
        self.asks: Callable[[], None] = lambda: None
        self.server_requests = ServerRequests(name, self._send, self._timed_out)
        self._numbers = itertools.count(1)
        self._pending: dict[int, PendingRequest] = {}
        self.gone: str | None = None  # why, once the server is
        self.ended = threading.Event()  # set with it

    # ---- meeting

    def meet(self, channel: Channel, until_s: float, *, newest_first: bool = False) -> ServerInfo:
        """Find out which era the server behind a channel speaks, and shake hands where it wants to.

        With ``newest_first`` it is asked by ``server/discover`` whether it is of the stateless era,
        which others refuse; else only where it refuses the handshake.

        Raises:
            CallFailed: it does not answer, or not as an MCP server does.
        """
        self._channel = channel
        if newest_first:
            now_s = time.monotonic()
            info = self._probe(channel, now_s + min(PROBE_S, (until_s - now_s) / 3))
            if info is not None:
                self.info = info
                return info
        try:
            self.info = self._initialize(channel, until_s)
        except RpcError as refused:
            try:
                self.info = self._discover(channel, until_s)
            except RpcError:
                raise BadAnswer(f"{self.name}: refused the handshake: {refused}") from None
        return self.info

    def _probe(self, channel: Channel, until_s: float) -> ServerInfo | None:
        """What a server of the stateless era says; None where it does not seem to be one."""
        try:
            return self._discover(channel, until_s, quiet=True)
        except CallFailed as error:
            if self.gone is not None or isinstance(error, NotSent):
                raise
            _log.debug("%s: speaks with a handshake: %s", self.name, error)
        self.stateless = False
        channel.agreed("")
        return None

    def _initialize(self, channel: Channel, until_s: float) -> ServerInfo:
        params = {
            "protocolVersion": HANDSHAKE_ERAS[0],
            "capabilities": OFFERED,
            "clientInfo": _OURSELVES,
        }
        result = self.request("initialize", _raw(params), until_s)
        version = result.get("protocolVersion")
        if version not in HANDSHAKE_ERAS:
            raise BadAnswer(f"{self.name}: speaks protocol {version!r}, which is not known here")
        channel.agreed(str(version))
        try:
            self.notify("notifications/initialized", {}, until_s)
        except NotSent:
            raise
        except CallFailed as error:
            _log.debug("%s: did not take that it is initialized: %s", self.name, error)
        return _info(result, result.get("serverInfo"), str(version))

    def _discover(self, channel: Channel, until_s: float, *, quiet: bool = False) -> ServerInfo:
        self.stateless = True
        channel.agreed(STATELESS_ERA)
        result = self.run(self.prepare("server/discover", {}), until_s, quiet=quiet)
        if STATELESS_ERA not in (result.get("supportedVersions") or ()):
            raise BadAnswer(f"{self.name}: speaks no protocol that is known here")
        meta = result.get("_meta")
        said = (meta if isinstance(meta, dict) else {}).get(f"{_META}serverInfo")
        return _info(result, said or result.get("serverInfo"), STATELESS_ERA)

    # ---- asking

    def prepare(
        self,
        method: str,
        params: Mapping[str, bytes],
        listener: Listener | None = None,
        meta: Mapping[str, Any] | None = None,
        *,
        wants_progress: bool = False,
        client: Mapping[str, Any] | None = None,
    ) -> PendingRequest:
        """Make a request ready. ``params`` maps each key to its value as JSON.

        ``client`` is what the MCP client can be asked, for servers that are told per request. A
        log level in ``meta`` goes to those servers alone.
        """
        number, headers = next(self._numbers), self._headers(method, params)
        extra = dict(meta or {})
        if wants_progress:
            extra["progressToken"] = number
        message = _message(method, {**params, **self._envelope(extra, client)}, number)
        return PendingRequest(number, message, listener, method=method, headers=headers)

    def standing(self, notifications: Mapping[str, Any]) -> StandingRequest:
        """Make a request for news ready, for servers of the stateless era."""
        method, params = "subscriptions/listen", _raw({"notifications": notifications})
        number = next(self._numbers)
        message = _message(method, {**params, **self._envelope({}, None)}, number)
        return StandingRequest(number, message, self._headers(method, params))

    def _envelope(
        self, meta: dict[str, Any], client: Mapping[str, Any] | None
    ) -> Mapping[str, bytes]:
        if self.stateless:
            meta[f"{_META}protocolVersion"] = STATELESS_ERA
            meta[f"{_META}clientInfo"] = _OURSELVES
            meta[f"{_META}clientCapabilities"] = dict(client or {})
        else:
            meta.pop(LOG_LEVEL_KEY, None)
        return {"_meta": _json(meta)} if meta else {}

    def _headers(self, method: str, params: Mapping[str, bytes]) -> Mapping[str, str]:
        if not self.stateless:
            return {}
        schema = None
        if method == "tools/call" and "name" in params:
            schema = self._schema_of(json.loads(params["name"]))
        return routing_headers(method, params, schema)

    def run(
        self, pending: PendingRequest, until_s: float, *, quiet: bool = False
    ) -> dict[str, Any]:
        """Send a request and wait for its result.

        With ``quiet`` the server is not told when nobody waits any more.

        Raises:
            RpcError: the server says no.
            NotSent, ServerDied, CallTimeout, CallCancelled, CallFailed: there is no answer.
        """
        pending.until_s = until_s
        self._pending[pending.number] = pending
        try:
            if self.gone is not None:
                raise NotSent(f"{self.name}: {self.gone}")
            if pending.listener is not None:
                self.server_requests.begun(pending)
            if not pending.settled:
                self._send(pending.message, until_s, pending)
            if not pending.wait(until_s):
                self._timed_out(pending, quiet=quiet)
        finally:
            self._pending.pop(pending.number, None)
            self.server_requests.over(pending)
        if pending.error is not None:
            raise pending.error
        return pending.result or {}

    def request(self, method: str, params: Mapping[str, bytes], until_s: float) -> dict[str, Any]:
        """Ask and wait; raises as :meth:`run` does."""
        return self.run(self.prepare(method, params), until_s)

    def cancel(self, pending: PendingRequest, reason: str) -> None:
        """End a request, whether it was sent or not. Any thread."""
        if pending.settle(error=CallCancelled(reason)) and pending.number in self._pending:
            self._give_up(pending, reason)

    def notify(self, method: str, params: Mapping[str, Any], until_s: float) -> None:
        """Send a notification."""
        self._send(_message(method, _raw(params)), until_s)

    def _timed_out(self, pending: PendingRequest, *, quiet: bool = False) -> None:
        if pending.settle(error=CallTimeout("no answer in time")) and not quiet:
            self._give_up(pending, "timed out")

    def _give_up(self, pending: PendingRequest, reason: str) -> None:
        """Tell the server that nobody waits for an answer."""
        if self._channel is None:
            return
        try:
            if not (self.stateless and self._channel.closing_cancels):
                self.notify(
                    "notifications/cancelled",
                    {"requestId": pending.number, "reason": reason},
                    time.monotonic() + 1.0,
                )
        except CallFailed as error:
            _log.debug("%s: could not be told of a cancelled request: %s", self.name, error)
        self._channel.abandon(pending)

    def _send(self, message: bytes, until_s: float, pending: PendingRequest | None = None) -> None:
        if self._channel is None:
            raise NotSent(f"{self.name}: is not there")
        self._channel.send(message, until_s, pending)

    # ---- hearing

    def received(self, message: Any, pending: PendingRequest | None = None) -> None:
        """Take in a parsed message; ``pending`` is the request on whose stream it came."""
        if not isinstance(message, dict):
            return
        method = message.get("method")
        if not isinstance(method, str):
            self._answered(message, pending)
            return
        found = message.get("params")
        params = found if isinstance(found, dict) else {}
        if "id" not in message:
            self._told(method, params, pending)
        elif method in CAPABILITY_OF:
            self.asks()
            self.server_requests.asked(method, message["id"], params, self._running(), pending)
        else:
            self._asked(method, message["id"])

    def lost(self, reason: str) -> None:
        """The server is gone: nothing more will be answered."""
        self.gone = self.gone or reason
        self.ended.set()
        for pending in list(self._pending.values()):
            pending.settle(error=ServerDied(f"{self.name}: {reason}"))

    def failed(self, number: int, error: CallFailed) -> None:
        """The answer to a request came, and cannot be used."""
        pending = self._pending.get(number)
        if pending is not None:
            pending.settle(error=error)

    def busy(self) -> bool:
        """Whether requests wait for answers."""
        return bool(self._running())

    def _running(self) -> list[PendingRequest]:
        """The requests that something could be about."""
        return [one for one in self._pending.values() if not isinstance(one, StandingRequest)]

    def waits_for(self, number: Any) -> int | None:
        """The number of the request that an answer's id means, while it waits; else None.

        Some servers give it back as a text, or as 1.0, which is 1 in JSON.
        """
        text = isinstance(number, str) and number.isdecimal() and len(number) <= _DIGITS_MAX
        if text or (isinstance(number, float) and number.is_integer()):
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool):
            return None
        return number if number in self._pending else None

    def _answered(self, message: Mapping[str, Any], asked: PendingRequest | None) -> None:
        error, result = read_error(dict(message)), message.get("result")
        number = self.waits_for(message.get("id"))
        if number is None and message.get("id") is None and error is not None:
            waiting = self._running()
            if asked is None and len(waiting) == 1:
                asked = waiting[0]
            number = None if asked is None else asked.number  # it could not read the request
        pending = None if number is None else self._pending.get(number)
        if pending is None:
            return  # to a request that was given up
        if error is not None:
            pending.settle(error=RpcError(error))
        elif isinstance(result, dict):
            pending.settle(result)
        else:
            pending.settle(error=BadAnswer(f"{self.name}: its answer has neither result nor error"))

    def _asked(self, method: str, number: Any) -> None:
        """The server asks something: a sign of life it gets, the rest is not to be had here."""
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
        if method == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": METHOD_NOT_FOUND, "message": f"{method}: not offered here"}
        try:
            self._send(_json(answer), time.monotonic() + 1.0)
        except CallFailed as error:
            _log.debug("%s: could not be answered: %s", self.name, error)

    def _told(self, method: str, params: Mapping[str, Any], pending: PendingRequest | None) -> None:
        if method == "notifications/progress":
            token = params.get("progressToken")
            found = self._pending.get(token) if isinstance(token, int) else None
            if found is not None:
                found.progressed()
            if found is not None and found.listener is not None:
                _tell_progress(found.listener, params)
        elif method == "notifications/message":
            self._log_line(params, pending)
        elif method == "notifications/cancelled":
            self.server_requests.withdrawn(params.get("requestId"))
        elif method == "notifications/subscriptions/acknowledged":
            self._acknowledged(params, pending)
        elif self._news is not None and method == "notifications/resources/updated":
            self._news.updated(str(params.get("uri", "")))
        elif self._news is not None and method.endswith("/list_changed"):
            self._news.changed(method)

    def _acknowledged(self, params: Mapping[str, Any], pending: PendingRequest | None) -> None:
        meta = params.get("_meta")
        number = (meta if isinstance(meta, dict) else {}).get(f"{_META}subscriptionId")
        known = isinstance(number, int | str) and str(number).isdecimal()
        found = self._pending.get(int(str(number))) if known else pending
        if isinstance(found, StandingRequest):
            honoured = params.get("notifications")
            found.honoured = honoured if isinstance(honoured, dict) else {}
            found.acknowledged.set()

    def _log_line(self, params: Mapping[str, Any], pending: PendingRequest | None) -> None:
        """Give a log line to the call that it belongs to.

        Over lines nothing says which that is, so it is given to a call only when no other runs:
        a line may hold what another caller must not read.
        """
        running = self._running()
        if pending is None and len(running) == 1:
            pending = running[0]
        level, data = str(params.get("level", "info")), params.get("data")
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        if pending is not None and pending.listener is not None:
            pending.listener.log(level, str(params.get("logger") or self.name), text)
        else:
            _log.debug("%s: %s: %.500s", self.name, level, text)


def _tell_progress(listener: Listener, params: Mapping[str, Any]) -> None:
    done, total = params.get("progress"), params.get("total")
    if isinstance(done, int | float):
        whole = float(total) if isinstance(total, int | float) else None
        listener.progress(float(done), whole, str(params.get("message") or ""))


def _info(result: Mapping[str, Any], server: Any, protocol: str) -> ServerInfo:
    said = server if isinstance(server, dict) else {}
    capabilities, instructions = result.get("capabilities"), result.get("instructions")
    return ServerInfo(
        name=str(said.get("name", "")),
        version=str(said.get("version", "")),
        capabilities=capabilities if isinstance(capabilities, dict) else None,
        instructions=instructions if isinstance(instructions, str) else "",
        protocol=protocol,
    )


def _message(method: str, params: Mapping[str, bytes], number: int | None = None) -> bytes:
    head = b'{"jsonrpc":"2.0",' + (b"" if number is None else b'"id":%d,' % number)
    members = b",".join(_json(key) + b":" + value for key, value in params.items())
    message = head + b'"method":' + _json(method) + b',"params":{' + members + b"}}"
    # White space between values may hold line ends, which end a message on a pipe.
    return message.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in message else message


def _raw(params: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: _json(value) for key, value in params.items()}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
