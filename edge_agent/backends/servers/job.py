"""One call of a proxied server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from edge_agent.backends.base import Reporter, ToolCall, ToolResult
from edge_agent.backends.client_request import (
    ClientReply,
    ClientRequest,
    capabilities,
    error_reply,
    refusal,
)
from edge_agent.backends.mcp_client.multi_round import RoundTrips
from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.backends.mcp_client.web.routing import HEADER_MISMATCH
from edge_agent.backends.servers.live import LiveServer
from edge_agent.backends.servers.server import Server
from edge_agent.backends.servers.session_servers import SessionServers
from edge_agent.backends.servers.subscriptions import SUBSCRIBE, UNSUBSCRIBE
from edge_agent.backends.settings import ServerTable
from edge_agent.errors import (
    BadAnswer,
    CallCancelled,
    CallTimeout,
    ModuleUnavailable,
    NotSent,
    OutputTooLarge,
    RpcError,
    ServerDied,
)
from edge_agent.jsonrpc import INTERNAL_ERROR, dump, parse, read_error
from ground.other_results import sound_other_result
from ground.tool_results import sound_result
from protos.contract import LARGEST_CLIENT_REQUEST_BYTES, OPEN_CLIENT_REQUESTS, ROUNDS_KEY

TOOLS_CALL: Final = "tools/call"
NEWS_PER_S: Final = 50.0  # progress and log lines of a call that are passed on
NEWS_AT_ONCE: Final = 100.0
_TRIES: Final = 3
#: What servers of the `mcp` package answer that ask as they did before there were rounds.
_MIDWAY: Final = b"no back-channel"
_MIDWAY_BYTES: Final = 1000


def askable(table: ServerTable, client: bytes) -> dict[str, Any]:
    """What of a client's capabilities a server may use."""
    may = capabilities(client)
    return {kind: may[kind] for kind in table.asks if kind in may}


def rounds_of(call: ToolCall) -> dict[str, Any] | None:
    """What the client of the stateless era sends with its request, who goes on by itself."""
    found = _meta(call).get(ROUNDS_KEY)
    return found if isinstance(found, dict) else None


class ServerJob:
    """Sends one request to a server that runs, or is started for it."""

    def __init__(
        self, server: Server, call: ToolCall, session_servers: SessionServers | None = None
    ) -> None:
        self._server = server
        self._session_servers = session_servers
        self._call = call
        self._lock = threading.Lock()
        self._cancelled = False
        self._asked: tuple[LiveServer, PendingRequest] | None = None
        self._round_trips: RoundTrips | None = None
        self._most_s = 0.0  # when it ends, however much progress there is; 0: at its wall time
        self._client = askable(server.table, call.client)
        self._rounds = rounds_of(call)

    def run(self, reporter: Reporter) -> ToolResult:
        """Run the call; see :class:`edge_agent.backends.base.Job`.

        Raises:
            ModuleError: the server cannot be started; nothing was asked of it.
            CallFailed: it was asked, and there is no result.
        """
        session_servers, session = self._session_servers, self._call.session
        if session_servers is None:
            return self._run(reporter)
        if not session:
            return self._run_alone(session_servers, reporter)
        self._server = session_servers.take(session)
        try:
            result = self._run(reporter)
            note = session_servers.note(session, self._server, cold=result.cold)
            return replace(result, session=note)
        finally:
            session_servers.give_back(session)

    def _run_alone(self, session_servers: SessionServers, reporter: Reporter) -> ToolResult:
        """Run the call of no session: nothing is kept of its server."""
        self._server = session_servers.single()
        try:
            return self._run(reporter)
        finally:
            session_servers.end(self._server)

    def _run(self, reporter: Reporter) -> ToolResult:
        begun = time.perf_counter()
        cold = False
        for _ in range(_TRIES):
            live, started = self._server.take(lambda: self._cancelled)
            cold = cold or started
            if self._wants_handshake(live):
                self._server.give_back(live, used=False)
                self._server = self._server.by_handshake()
                live, started = self._server.take(lambda: self._cancelled)
                cold = cold or started
            ready = time.perf_counter()
            try:
                shared = self._session_servers is None and not live.client.stateless
                asked = partial(self._server.asked, live) if shared else _nothing
                answer = self._converse(live, _Filtered(reporter, self._client, asked))
                live.proven = True
            except NotSent:
                self._server.lost(live)  # it ended while nobody asked anything of it
                continue
            finally:
                self._server.give_back(live)
            return ToolResult(
                result=self._checked(answer),
                start_ms=(ready - begun) * 1000,
                exec_ms=(time.perf_counter() - ready) * 1000,
                cold=cold,
            )
        why = self._server.ended or "it ended"
        raise ModuleUnavailable(f"{self._server.name}: ends as soon as it is started: {why}")

    def _wants_handshake(self, live: LiveServer) -> bool:
        """Whether a server of both eras is to ask this call's client in the middle of it."""
        if not self._client or not live.client.stateless or not self._server.newest_first:
            return False
        return self._rounds is None or self._server.asks_midway

    def cancel(self) -> None:
        """End the call, whether it already runs or not."""
        with self._lock:
            self._cancelled = True
            asked, round_trips = self._asked, self._round_trips
        if round_trips is not None:
            round_trips.cancel()
        if asked is None:
            self._server.nudge()
            return
        live, pending = asked
        live.client.cancel(pending, "cancelled by the caller")
        self._server.doubt(live)

    def _converse(self, live: LiveServer, reporter: _Filtered) -> dict[str, Any]:
        """The server's last word, after whatever it asks of the client."""
        if self._call.method in {SUBSCRIBE, UNSUBSCRIBE}:
            return self._subscribe(
                live, reporter, time.monotonic() + self._call.limits.wall_ms / 1000
            )
        call = self._call
        wall_s, begun_s = call.limits.wall_ms / 1000, time.monotonic()
        renewed = call.most_wall_ms > call.limits.wall_ms
        self._most_s = begun_s + call.most_wall_ms / 1000 if renewed else 0.0
        if not live.client.stateless:
            return self._ask(live, reporter, begun_s + wall_s)
        if self._rounds is not None:
            # Its client is of that era too, and goes on by itself.
            added = {key: dump(value) for key, value in self._rounds.items()}
            answer = self._ask(live, reporter, begun_s + wall_s, added)
            self._server.asks_midway |= _MIDWAY in dump(answer)[:_MIDWAY_BYTES]
            return answer
        round_trips = RoundTrips(self._server.name, reporter)
        with self._lock:
            self._round_trips = round_trips

        def ask(added: Mapping[str, bytes]) -> dict[str, Any]:
            since_s = time.monotonic() if renewed else begun_s + round_trips.waited_s
            return self._ask(live, reporter, since_s + wall_s, added)

        return round_trips.run(ask)

    def _subscribe(self, live: LiveServer, reporter: _Filtered, until_s: float) -> dict[str, Any]:
        """Begin or end to hear of a resource. The stateless era has no request for that."""
        call: ToolCall = self._call
        answer: dict[str, Any] = {}
        if not live.client.stateless:
            answer = self._ask(live, reporter, until_s)
        if isinstance(answer, _Refused):
            return answer
        heard = self._server.heard
        act = heard.subscribe if call.method == SUBSCRIBE else heard.unsubscribe
        try:
            act(live, str(parse(call.arguments).get("uri")))
        except RpcError as error:
            return _Refused(error=read_error({"error": error.error}))
        return answer

    def _ask(
        self,
        live: LiveServer,
        reporter: _Filtered,
        until_s: float,
        added: Mapping[str, bytes] = MappingProxyType({}),
        *,
        again: bool = True,
    ) -> dict[str, Any]:
        """The result object; a :class:`_Refused` where the server said no."""
        call = self._call
        params, meta = _params(call)
        pending = live.client.prepare(
            call.method or TOOLS_CALL,
            {**params, **added},
            reporter,
            meta,
            wants_progress=call.wants_progress or self._most_s > 0,
            client=self._client,
        )
        if self._most_s:
            pending.patience_s, pending.most_s = call.limits.wall_ms / 1000, self._most_s
        with self._lock:
            if self._cancelled:
                raise CallCancelled("cancelled before it was sent")
            self._asked = (live, pending)
        try:
            return live.client.run(pending, until_s)
        except RpcError as error:
            if not again or not live.client.stateless or error.error.get("code") != HEADER_MISMATCH:
                return _Refused(error=read_error({"error": error.error}))
        except CallTimeout:
            self._server.doubt(live)
            raise CallTimeout(self._too_long()) from None
        except ServerDied as error:
            raise ServerDied(f"{error}; the call may have done its work") from None
        finally:
            with self._lock:
                self._asked = None
        # It was refused unseen: the tool's schema wants other headers than it did.
        live.surveyed = False
        self._server.survey()
        return self._ask(live, reporter, until_s, added, again=False)

    def _too_long(self) -> str:
        wall_ms = self._call.limits.wall_ms
        if self._most_s:
            return (
                f"stopped: {wall_ms / 1000:g} s passed without an answer or a sign of progress; "
                "set limits.wall_ms in the policy if it may be silent for longer"
            )
        return (
            f"stopped after its wall time of {wall_ms} ms; "
            "raise limits.wall_ms in the policy if it needs longer"
        )

    def _checked(self, answer: dict[str, Any]) -> bytes:
        """The result as the dispatcher takes it, within its limit."""
        if isinstance(answer, _Refused):
            made = dump({"error": answer["error"]})
        elif self._call.method not in {"", TOOLS_CALL}:
            whole = sound_other_result(self._call.method, answer, parse(self._call.arguments))
            if whole is None:
                raise BadAnswer(f"{self._server.name}: its answer has not what was asked for")
            made = dump({"result": whole})
        else:
            result = sound_result(answer)
            if result is None:
                raise BadAnswer(f"{self._server.name}: its answer has no content list")
            made = dump(result)
        most = self._call.limits.output_bytes
        if len(made) > most:
            raise OutputTooLarge(
                f"answer of {len(made)} bytes is over the limit of {most}; "
                "ask for less, or raise limits.output_mib in the policy"
            )
        return made


class _Refused(dict[str, Any]):
    """What the server answered in place of a result: a JSON-RPC error, under ``error``."""


class _Filtered:
    """Passes on news, but no flood of them: what comes too fast is dropped.

    And requests to the client of the call, as far as that can be asked, ``OPEN_CLIENT_REQUESTS`` at a
    time; ``asked`` is told of each.
    """

    def __init__(
        self, reporter: Reporter, client: Mapping[str, Any], asked: Callable[[], None]
    ) -> None:
        self._reporter = reporter
        self._client = client
        self._asked = asked
        self._requests: list[ClientRequest] = []
        self._left = NEWS_AT_ONCE
        self._at = time.monotonic()

    def ask(self, request: ClientRequest) -> ClientReply | None:
        """Pass on a request to the client; the reply, where that is known at once."""
        refused = self.refusal(request.method, parse(request.params))
        if refused is not None:
            return refused
        if len(request.params) > LARGEST_CLIENT_REQUEST_BYTES:
            size = len(request.params)
            return _too_much(
                request, f"{size} bytes are over the limit of {LARGEST_CLIENT_REQUEST_BYTES}"
            )
        self._requests = [one for one in self._requests if one.open]
        if len(self._requests) >= OPEN_CLIENT_REQUESTS:
            return _too_much(
                request,
                f"{OPEN_CLIENT_REQUESTS} requests of the call to its client are open already",
            )
        self._requests.append(request)
        self._asked()
        return self._reporter.ask(request)

    def refusal(self, method: str, params: Mapping[str, Any]) -> ClientReply | None:
        """The reply to what the client cannot be asked at all."""
        return refusal(method, params, self._client)

    def progress(self, progress: float, total: float | None, message: str) -> None:
        """Tell how far the call is."""
        if self._may():
            self._reporter.progress(progress, total, message)

    def log(self, level: str, logger: str, message: str) -> None:
        """Pass on a log line."""
        if self._may():
            self._reporter.log(level, logger, message)

    def _may(self) -> bool:
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * NEWS_PER_S, NEWS_AT_ONCE)
        self._at = now
        self._left -= 1.0 if self._left >= 1.0 else 0.0
        return self._left >= 1.0


def _nothing() -> None:
    pass


def _too_much(request: ClientRequest, why: str) -> ClientReply:
    return error_reply(INTERNAL_ERROR, f"{request.method}: {why}")


def _meta(call: ToolCall) -> dict[str, Any]:
    found = parse(call.meta) if call.meta else {}
    return found if isinstance(found, dict) else {}


def _params(call: ToolCall) -> tuple[dict[str, bytes], Mapping[str, Any]]:
    """The request's params by key, each as JSON, and its ``_meta``."""
    meta = {key: value for key, value in _meta(call).items() if key != ROUNDS_KEY}
    if call.method in {"", TOOLS_CALL}:
        return {"name": dump(call.tool), "arguments": call.arguments or b"{}"}, meta
    params = parse(call.arguments)
    return {key: dump(value) for key, value in params.items() if key != "_meta"}, meta
