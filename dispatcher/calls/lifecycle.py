"""The life of a call: check, place, send, wait, try elsewhere where that is safe, account."""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from dispatcher.agents.pool import Links, module_of, payload_of
from dispatcher.agents.stream import RESULT_MAX, Flight, Outcome
from dispatcher.call import CallReply, CallRequest
from dispatcher.calls import session_affinity
from dispatcher.calls.accounting import Account, Timing, record_json
from dispatcher.calls.arguments import Validators
from dispatcher.calls.attempts import ATTEMPTS, RETURNS, Trail
from dispatcher.calls.client_requests import Inquiry, Patience, capabilities
from dispatcher.calls.failures import failure, is_full, overloaded, turned_away
from dispatcher.calls.payloads import json_bytes, parsed
from dispatcher.calls.progress import ProgressRelay
from dispatcher.calls.session_affinity import Pin
from dispatcher.errors import (
    CallFailed,
    CallRefused,
    CallTimeout,
    NodeLost,
    SanderlingError,
)
from dispatcher.placement.batching import Batches
from dispatcher.placement.explanation import Explanation
from dispatcher.placement.scheduler import Scheduler, Task
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.registry import Registry
from dispatcher.registry.tools import ToolEntry
from protos.contract import PLACEMENT_KEY, PREFIX, SESSION_KEY
from protos.edge.v1 import edge_pb2
from solver import Placed

WALL_MS: Final = 30_000  # where neither policy nor caller says
QUEUE_GRACE_MS: Final = 5_000  # for the way and the agent's queue, on top of the wall time
ANSWER_GRACE_MS: Final = 250  # past the caller's own deadline, for the node to say so itself

_ELSEWHERE: Final = (edge_pb2.STATUS_REFUSED, edge_pb2.STATUS_UNAVAILABLE)


class Calls:
    """Runs calls. Any number at once, on one event loop."""

    def __init__(
        self,
        registry: Registry,
        scheduler: Scheduler,
        batches: Batches,
        links: Links,
        account: Account,
    ) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._batches = batches
        self._links = links
        self._account = account
        self._validators = Validators()
        self._sessions = session_affinity.Sessions()
        self._ids = (f"{secrets.token_hex(8)}-{n:x}" for n in itertools.count(1))

    async def call(self, request: CallRequest) -> CallReply:
        """Run one call on the best node that may run it.

        Raises:
            RequestError: the request is wrong everywhere.
            CallRefused: no node may run it.
            CallFailed: it was sent to a node and did not come back with a result.
        """
        entry = self._registry.tool(request.tool)
        if not entry.stateful or not request.session:
            return await self._call(request, entry, None)
        async with self._sessions.turn(entry.server, request.session) as pin:
            return await self._call(request, entry, pin)

    async def relay(self, entry: ToolEntry, request: CallRequest) -> CallReply:
        """Send what is no tool call to the best node that has its server.

        Raises as :meth:`call` does. The reply's result has the server's ``result`` or ``error``.
        """
        return await self._call(request, entry, None)

    async def _call(self, request: CallRequest, entry: ToolEntry, pin: Pin | None) -> CallReply:
        began_s = time.perf_counter()
        task, body = self._prepare(entry, request)
        try:
            return await self._attempts(request, task, body, pin, began_s)
        except SanderlingError as error:
            self._account.failed(entry, error, (time.perf_counter() - began_s) * 1000)
            raise

    def explain(self, request: CallRequest) -> Explanation:
        """What :meth:`call` would do now, without doing it.

        Raises:
            RequestError: the request is wrong everywhere.
        """
        entry = self._registry.tool(request.tool)
        task, _ = self._prepare(entry, request)
        return self._scheduler.explain(task)

    def _prepare(self, entry: ToolEntry, request: CallRequest) -> tuple[Task, bytes]:
        self._validators.check(entry, request.arguments)
        body = json_bytes(entry.public_name, request.arguments)
        kib = len(body) / 1024
        return self._scheduler.task(entry, request.arguments, request.requirements, kib), body

    async def _attempts(
        self, request: CallRequest, task: Task, body: bytes, pin: Pin | None, began_s: float
    ) -> CallReply:
        """Try nodes until one answers, for as long as trying again is safe."""
        trail = Trail()
        home = await self._home(pin)
        usual = task
        while trail.failures < ATTEMPTS:
            may_try = trail.last is None and pin is None
            try:
                task, placed = await self._choose(usual, home, trail.without, may_try=may_try)
            except CallRefused as refused:
                await self._returned(trail, usual, refused)
                continue
            left_ms = _left_ms(request, began_s)
            flight = self._counted_flight(request, task, placed, body, left_ms)
            try:
                outcome, sent_s = await self._fly(flight, request, task, placed, left_ms)
            except CallFailed as error:
                last = _unanswered(error, task, flight)
                last.placement = self._account.unanswered(task, placed, began_s)
                if not isinstance(last, NodeLost) or last is not error:
                    raise last from None
                trail.tried(placed.node, last, instance=flight.instance)
            else:
                if outcome.result.status not in _ELSEWHERE:
                    timing = Timing(began_s, sent_s, time.perf_counter())
                    return self._reply(task, placed, outcome, timing, pin)
                away = turned_away(task, placed, outcome.result)
                if placed.node == home:
                    raise away  # elsewhere it would run, but without the session's state
                trail.tried(placed.node, away, full=is_full(outcome.result))
        raise trail.last or CallFailed(f"{task.entry.public_name}: no node answered")

    async def _returned(self, trail: Trail, task: Task, refused: CallRefused) -> None:
        """No node is left to try: return when one has come back that was lost.

        Raises:
            SanderlingError: what a call ends in that was tried everywhere.
        """
        last = trail.last
        if last is None:
            raise refused
        if trail.full and isinstance(last, CallRefused):
            raise overloaded(task, trail.full, self._scheduler.wait_ms(trail.full)) from None
        back = await self._links.returned(trail.lost) if trail.lost else {}
        if not back or trail.returns == RETURNS:
            raise last from None
        trail.returned(back)

    def _counted_flight(
        self, request: CallRequest, task: Task, placed: Placed, body: bytes, left_ms: float
    ) -> Flight:
        """The flight of a call that its node is counted to have already."""
        try:
            return self._flight(request, task, placed, body, left_ms)
        except SanderlingError:
            self._scheduler.ended(placed)
            raise

    async def _home(self, pin: Pin | None) -> str:
        """The node that holds a session's state, where it is there or comes back in time."""
        if pin is not None and pin.node and await self._links.returned({pin.node: ""}):
            return pin.node
        return ""

    async def _choose(
        self, task: Task, home: str, without: frozenset[str], *, may_try: bool
    ) -> tuple[Task, Placed]:
        """Where a call goes: now and then to be tried there, the first time that it is sent."""
        trial = self._scheduler.trial(task) if may_try else None
        if trial is not None:
            with suppress(CallRefused):
                return trial, await self._batches.place(trial)
        return task, await self._place(task, home, without)

    async def _place(self, task: Task, home: str, without: frozenset[str]) -> Placed:
        """The scheduler's choice, which is the session's home while that may run the call."""
        if home and home not in without:
            allow = task.spec.allow
            if allow is None or home in allow:
                spec = replace(task.spec, allow=frozenset({home}))
                with suppress(CallRefused):
                    return await self._batches.place(replace(task, spec=spec), without)
        return await self._batches.place(task, without)

    def _flight(
        self, request: CallRequest, task: Task, placed: Placed, body: bytes, left_ms: float
    ) -> Flight:
        entry, limits = task.entry, task.constraints.limits
        message = edge_pb2.AttachResponse()
        call = message.call
        call.id = next(self._ids)
        call.server = entry.server
        call.tool = entry.name
        offer = self._scheduler.offer(task, placed.node)
        call.backend = offer.backend
        call.method = entry.method
        call.client = capabilities(request.client, task.constraints.privacy)
        artifact = offer.module.artifact if offer.module is not None else None
        if artifact is not None:
            call.module.CopyFrom(module_of(entry.server, artifact.sha256, artifact.size_bytes))
        call.arguments.CopyFrom(payload_of(body))
        for name, value in limits.said().items():
            setattr(call.limits, name, value)
        call.limits.wall_ms = max(int(min(limits.wall_ms or WALL_MS, left_ms)), 1)
        for grant in sorted(map(sorted, task.constraints.egress)):
            call.egress.add(to=grant)
        call.label.privacy = task.constraints.privacy
        call.label.origin = task.spec.origin
        origin = self._registry.node(task.spec.origin)
        call.label.site = origin.site if origin is not None else ""
        call.data.extend(task.spec.data)
        call.session = request.session if entry.stateful else ""
        call.wants_progress = request.progress is not None
        meta = {key: value for key, value in request.meta.items() if not key.startswith(PREFIX)}
        if meta:
            call.meta = json_bytes(entry.public_name, meta)
        return Flight(
            message=message,
            body=body,
            node=placed.node,
            instance="",
            repeatable=entry.repeatable,
            done=asyncio.get_running_loop().create_future(),
            result_max=min(limits.output_bytes or RESULT_MAX, RESULT_MAX),
        )

    async def _fly(
        self, flight: Flight, request: CallRequest, task: Task, placed: Placed, left_ms: float
    ) -> tuple[Outcome, float]:
        """Send a call and wait for its outcome, its deadline, or its caller's leave.

        The scheduler counts the call already; it is told here that the call has ended.
        """
        relay = None
        if request.progress is not None or request.log is not None:
            relay = ProgressRelay(request.progress, request.log)
            flight.on_news = relay.put
        wait_ms = _wait_ms(flight, placed, left_ms)
        patience = Patience(wait_ms / 1000, partial(_expire, flight, task, wait_ms))
        inquiry = None
        if flight.message.call.client and request.client is not None:
            inquiry = Inquiry(request.client, patience, partial(self._links.answer, flight))
            flight.questions = inquiry
        sent_s = time.perf_counter()
        try:
            self._links.launch(flight)
            outcome = await flight.done
            if relay is not None:
                await relay.drained()
        except asyncio.CancelledError:
            self._links.cancel(flight, "the caller is gone")
            raise
        except CallFailed:
            self._links.cancel(flight, "nobody waits for it any more")
            raise
        finally:
            if inquiry is not None:
                inquiry.close()
            patience.cancel()
            self._links.land(flight)
            self._scheduler.ended(placed)
            if relay is not None:
                relay.close()
        return outcome, sent_s

    def _reply(
        self, task: Task, placed: Placed, outcome: Outcome, timing: Timing, pin: Pin | None
    ) -> CallReply:
        met = None
        if task.entry.stateful:
            met = session_affinity.note(pin, placed.node, outcome.result.session)
        node = self._registry.node(placed.node) or NodeState(placed.node)
        record = self._account.record(task, placed, node, outcome.result, timing)
        if outcome.result.status != edge_pb2.STATUS_DONE:
            raise failure(task, outcome.result, record)
        result = parsed(task.entry.public_name, outcome.body, record)
        is_error = result.get("isError") is True
        # Learning can wait until the answer is on its way.
        asyncio.get_running_loop().call_soon(
            partial(self._account.answered, task, outcome, record, is_error=is_error)
        )
        meta = result.get("_meta")
        result["_meta"] = {**(meta if isinstance(meta, dict) else {})}
        result["_meta"][PLACEMENT_KEY] = record_json(record)
        if met is not None:
            result["_meta"][SESSION_KEY] = met
        return CallReply(result, record)


def _left_ms(request: CallRequest, began_s: float) -> float:
    """What is left of the caller's own deadline."""
    if request.deadline_ms is None:
        return math.inf
    return request.deadline_ms - (time.perf_counter() - began_s) * 1000


def _wait_ms(flight: Flight, placed: Placed, left_ms: float) -> float:
    """How long to wait for a node that says nothing."""
    wall_ms: int = flight.message.call.limits.wall_ms
    patience_ms = wall_ms + QUEUE_GRACE_MS + placed.parts.queue
    return min(patience_ms, max(left_ms, 0.0) + ANSWER_GRACE_MS)


def _expire(flight: Flight, task: Task, wait_ms: float) -> None:
    flight.fail(
        CallTimeout(
            f"{task.entry.public_name}: no answer from {flight.node} within "
            f"{wait_ms / 1000:.1f} s; raise limits.wall_ms in the policy if it needs longer",
            flight.node,
        )
    )


def _unanswered(error: CallFailed, task: Task, flight: Flight) -> CallFailed:
    """The same error where trying elsewhere is safe; else one that says what is not known."""
    if not isinstance(error, NodeLost) or not flight.sent or task.entry.repeatable:
        return error
    return NodeLost(
        f"{error}; {task.entry.public_name} may or may not have run: check before you call it "
        f"again",
        flight.node,
    )
