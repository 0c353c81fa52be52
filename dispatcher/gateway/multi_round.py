"""Who called, as servers can ask them: on their stream, or by a result that asks for another round.

A client of the handshake era is sent requests while its own runs. The stateless era (2026-07-28)
has none of that: the call is held here, its client gets ``input_required`` with the client requests and
a name for the call, and sends its request again with the replies and that name.

Source: MCP 2026-07-28, "Multi round-trip requests" (SEP-2322).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import INVALID_PARAMS, Request
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ConfigDict, ValidationError

from dispatcher.calls.client_requests import KINDS
from dispatcher.errors import ClientRefused
from dispatcher.registry.tools import Offer
from protos.contract import CLIENT_ANSWER_S, ROUNDS_KEY

Context = ServerRequestContext[Any, Any]

HELD_MAX: Final = 1024  # calls that wait for another round
_TOGETHER_S: Final = 0.02  # client requests that come so soon after another go with it
_STATE: Final = "requestState"
_RESPONSES: Final = "inputResponses"
_HELD: Final = "sanderling:"  # a state that begins so is of a call that is held here


class _Raw(BaseModel):
    model_config = ConfigDict(extra="allow")


class Caller:
    """One client of one call; see :class:`dispatcher.calls.client_requests.Client`.

    ``ctx`` is the request that it waits on now: of a call in rounds, the last.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.asked = asyncio.Event()  # set while there is something to answer
        self._rounds = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        self._pending: dict[str, tuple[dict[str, Any], asyncio.Future[dict[str, Any]]]] = {}

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client declared of :data:`dispatcher.calls.client_requests.KINDS`."""
        declared = self.ctx.session.client_capabilities
        if declared is None or not (self._rounds or self.ctx.session.can_send_request):
            return {}
        found = declared.model_dump(by_alias=True, exclude_none=True, mode="json")
        return {kind: found[kind] for kind in KINDS if kind in found}

    @property
    def takes_rounds(self) -> bool:
        """Whether it may be asked, by an answer that wants another round."""
        return self._rounds and bool(self.capabilities)

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The client's reply.

        Raises:
            ClientRefused: the client says no, or what no model can read.
        """
        if self._rounds:
            return await self._ask_later(method, params)
        try:
            answer = await self.ctx.session.send_request(
                Request[dict[str, Any], str](method=method, params=dict(params)),  # type: ignore[arg-type]
                _Raw,
                metadata=ServerMessageMetadata(related_request_id=self.ctx.request_id),
            )
        except MCPError as error:
            refused = error.error
            raise ClientRefused(refused.message, refused.code, refused.data) from None
        except ValidationError:
            raise ClientRefused(f"{method}: the client's answer is not of its form") from None
        return answer.model_dump(mode="json")

    async def _ask_later(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        key = secrets.token_hex(4)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        request: dict[str, Any] = {"method": method}
        if params or method != "roots/list":
            request["params"] = dict(params)
        self._pending[key] = (request, future)
        self.asked.set()
        try:
            return await future
        finally:
            del self._pending[key]
            if not self._pending:
                self.asked.clear()

    def open_requests(self) -> dict[str, dict[str, Any]]:
        """The client requests that wait for a reply, by key."""
        return {key: one for key, (one, future) in self._pending.items() if not future.done()}

    def reply(self, responses: Mapping[str, Any]) -> None:
        """Take the replies of another round; what is still open is asked again."""
        for key, (_, future) in self._pending.items():
            response = responses.get(key)
            if isinstance(response, dict) and not future.done():
                future.set_result(response)
        if not self.open_requests():
            self.asked.clear()


Run = Callable[[Caller], Coroutine[Any, Any, dict[str, Any]]]


class _HeldCall:
    """A call that waits for its client's replies."""

    def __init__(self, what: str, caller: Caller, task: asyncio.Task[dict[str, Any]]) -> None:
        self.what = what
        self.caller = caller
        self.task = task
        self.alarm = asyncio.get_running_loop().call_later(CLIENT_ANSWER_S, task.cancel)


class RoundTrips:
    """Runs requests that may take more than one round. Owned by the event loop.

    ``offers`` gives the ways to run what a request asks for.
    """

    def __init__(self, offers: Callable[[Context], Iterable[Offer]] = lambda _: ()) -> None:
        self._offers = offers
        self._held: dict[str, _HeldCall] = {}

    async def run(self, ctx: Context, run: Run) -> dict[str, Any]:
        """The result of ``run``, or what it wants to know first.

        Raises:
            MCPError: the request goes on with a call that is not there; what ``run`` raises.
        """
        params = ctx.params if isinstance(ctx.params, Mapping) else {}
        state = params.get(_STATE)
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        if state is None or not modern or self._is_of_server(ctx, state):
            caller = Caller(ctx)
            if not caller.takes_rounds:
                return await run(caller)
            task = asyncio.create_task(run(caller))
        else:
            held = self._taken(state, _what(ctx))
            caller, task = held.caller, held.task
            caller.ctx = ctx
            responses = params.get(_RESPONSES)
            caller.reply(responses if isinstance(responses, Mapping) else {})
        return await self._round(ctx, caller, task)

    def _is_of_server(self, ctx: Context, state: object) -> bool:
        """Whether a state is a server's own, who has to know it; see :func:`rounds_of`."""
        held = isinstance(state, str) and state.startswith(_HELD)
        return not held and bool(rounds_of(ctx, self._offers(ctx)))

    async def _round(
        self, ctx: Context, caller: Caller, task: asyncio.Task[dict[str, Any]]
    ) -> dict[str, Any]:
        asked = asyncio.create_task(caller.asked.wait())
        try:
            await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait((task,), timeout=_TOGETHER_S)
        except asyncio.CancelledError:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            raise
        finally:
            asked.cancel()
        wanted = caller.open_requests()
        if task.done() or not wanted:
            return await task
        return {
            "resultType": "input_required",
            "inputRequests": wanted,
            _STATE: self._hold(_what(ctx), caller, task),
        }

    def _hold(self, what: str, caller: Caller, task: asyncio.Task[dict[str, Any]]) -> str:
        while len(self._held) >= HELD_MAX:
            self._taken(next(iter(self._held))).task.cancel()  # the one that waits the longest
        name = _HELD + secrets.token_urlsafe(18)
        self._held[name] = _HeldCall(what, caller, task)
        task.add_done_callback(lambda _: self._drop(name))
        return name

    def _drop(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held is not None:
            held.alarm.cancel()
            if not held.task.cancelled():
                held.task.exception()  # nobody will ask for it

    def _taken(self, name: object, what: str | None = None) -> _HeldCall:
        held = self._held.get(name) if isinstance(name, str) else None
        if held is None or what not in (None, held.what):
            raise MCPError(
                INVALID_PARAMS,
                f"{_STATE}: no call of this request waits under that name; it has ended, or "
                f"waited longer than {CLIENT_ANSWER_S:.0f} s; send the request anew, without it",
            )
        held.alarm.cancel()
        del self._held[str(name)]
        return held


def rounds_of(ctx: Context, offers: Iterable[Offer]) -> dict[str, Any]:
    """What lets a client go on by itself with a server of its own era, as of ``_meta``.

    Such a server keeps nothing between rounds, and its client sends what it asked for.
    """
    modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    if not modern or all(offer.backend != "remote" for offer in offers):
        return {}
    params = ctx.params if isinstance(ctx.params, Mapping) else {}
    return {ROUNDS_KEY: {key: params[key] for key in (_STATE, _RESPONSES) if key in params}}


def _what(ctx: Context) -> str:
    """What a request asks for, so that only the same one goes on with a call."""
    params = dict(ctx.params) if isinstance(ctx.params, Mapping) else {}
    for key in ("_meta", _STATE, _RESPONSES):
        params.pop(key, None)
    text = json.dumps([ctx.method, params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
