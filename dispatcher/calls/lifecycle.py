"""The life of a call: check, place, send, wait, try elsewhere where that is safe, account."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from dispatcher.agents.outcome import Outcome, Status
from dispatcher.agents.pool import AgentPool
from dispatcher.call import CallReply, CallRequest
from dispatcher.calls import session_affinity
from dispatcher.calls.accounting import Account, Timing, record_json
from dispatcher.calls.arguments import Validators
from dispatcher.calls.attempts import MOST_FAILURES, MOST_RETURNS, Attempts
from dispatcher.calls.failures import failure, is_full, overloaded, turned_away
from dispatcher.calls.payloads import json_bytes, parsed, refusal
from dispatcher.calls.sending import Sender
from dispatcher.calls.session_affinity import Pin
from dispatcher.calls.waiting.for_nodes import Comers
from dispatcher.calls.watch import Watch
from dispatcher.errors import CallFailed, CallRefused, NodeLost, SanderlingError
from dispatcher.placement.batching import Batches
from dispatcher.placement.explanation import Explanation
from dispatcher.placement.scheduler import Scheduler
from dispatcher.placement.task import Placement, Task
from dispatcher.policy.flow.flow import Flow
from dispatcher.registry.registry import Registry
from dispatcher.registry.tools import ToolEntry
from protos.contract import PLACEMENT_KEY, SESSION_KEY, WHY_KEY

_ELSEWHERE: Final = (Status.REFUSED, Status.UNAVAILABLE)


class Calls:
    """Runs calls. Any number at once, on one event loop."""

    def __init__(
        self,
        registry: Registry,
        scheduler: Scheduler,
        batches: Batches,
        agents: AgentPool,
        account: Account,
        flow: Flow | None = None,
    ) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._batches = batches
        self._agents = agents
        self._account = account
        self._flow = flow or Flow("off")
        self._watch = Watch(self._flow)
        self._validators = Validators()
        self._sessions = session_affinity.Sessions()
        self._sender = Sender(scheduler, agents)
        self.comers = Comers(registry, agents)

    async def call(self, request: CallRequest, entry: ToolEntry | None = None) -> CallReply:
        """Run one call on the best node that may run it.

        ``entry`` is the tool, where the caller has looked it up.

        Raises:
            RequestError: the request is wrong everywhere.
            CallRefused: no node may run it.
            CallFailed: it was sent to a node and did not come back with a result.
        """
        entry = entry or self._registry.tool(request.tool)
        if not entry.stateful or not request.session:
            return await self._call(request, entry, None)
        async with self._sessions.turn(entry.server, request.session) as pin:
            return await self._call(request, entry, pin)

    async def relay(self, entry: ToolEntry, request: CallRequest) -> CallReply:
        """Send what is no tool call to the best node that has its server.

        Raises as :meth:`call` does. The reply's result has the server's ``result`` or ``error``.
        """
        if not entry.stateful or not request.session:
            return await self._call(request, entry, None)
        async with self._sessions.turn(entry.server, request.session) as pin:
            return await self._call(request, entry, pin)

    def session_ended(self, session: str) -> None:
        """A session is over: tell the nodes that hold servers of it."""
        self._agents.session_ended(self._sessions.end(session), session)

    async def _call(self, request: CallRequest, entry: ToolEntry, pin: Pin | None) -> CallReply:
        began_s = time.perf_counter()
        task, body = self._prepare(entry, request)
        try:
            return await self._attempt(request, task, body, pin, began_s)
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
        arguments = self._validators.check(entry, request.arguments)
        body = json_bytes(entry.public_name, arguments)
        kib = len(body) / 1024
        raised = self._watch.raised(request) if self._flow.active else None
        task = self._scheduler.task(entry, arguments, request.requirements, kib, raised)
        return task, body

    async def _attempt(
        self, request: CallRequest, task: Task, body: bytes, pin: Pin | None, began_s: float
    ) -> CallReply:
        """Try nodes until one answers, for as long as trying again is safe."""
        attempts = Attempts()
        private = task.constraints.privacy != "public"
        if private or request.client is not None:
            request = self._watch.watched(request, task)
        home = "" if pin is None else await self._home(pin)
        while attempts.failures < MOST_FAILURES:
            first = attempts.last is None and pin is None
            try:
                placement = await self._choose(task, home, attempts.without, may_try=first)
            except CallRefused as refused:
                await self._returned(attempts, task, refused)
                continue
            left_ms = _left_ms(request, began_s)
            flight = self._sender.flight(request, placement, body, left_ms)
            sent_s = time.perf_counter()
            try:
                outcome = await self._sender.fly(flight, request, placement, left_ms)
            except CallFailed as error:
                last = _unanswered(error, task, sent=flight.sent)
                last.placement = self._account.unanswered(placement, began_s)
                if not isinstance(last, NodeLost) or last is not error:
                    raise last from None
                attempts.tried(flight.node, last, instance=flight.instance)
            else:
                if outcome.status not in _ELSEWHERE:
                    timing = Timing(began_s, sent_s, time.perf_counter())
                    if private:
                        await self._watch.ended(request, placement, outcome)
                    return self._reply(placement, outcome, timing, pin)
                away = turned_away(placement, outcome)
                if flight.node == home:
                    raise away  # elsewhere it would run, but without the session's state
                attempts.tried(flight.node, away, full=is_full(outcome))
        raise attempts.last or CallFailed(f"{task.entry.public_name}: no node answered")

    async def _returned(self, attempts: Attempts, task: Task, refused: CallRefused) -> None:
        """No node is left to try: return when one has come back that was lost.

        Raises:
            SanderlingError: what a call ends in that was tried everywhere.
        """
        last = attempts.last
        if last is None:
            if not await self.comers.may_come(task):
                raise refused
            return
        if attempts.full and isinstance(last, CallRefused):
            raise overloaded(
                task, attempts.full, self._scheduler.wait_ms(task, attempts.full)
            ) from None
        back = await self._agents.returned(attempts.lost) if attempts.lost else {}
        if not back or attempts.returns == MOST_RETURNS:
            raise last from None
        attempts.returned(back)

    async def _home(self, pin: Pin) -> str:
        """The node that holds a session's state, where it is there or comes back in time."""
        if pin.node and await self._agents.returned({pin.node: ""}):
            return pin.node
        return ""

    async def _choose(
        self, task: Task, home: str, without: frozenset[str], *, may_try: bool
    ) -> Placement:
        """Where a call goes, which is its session's home while that may run it.

        The first time that it is sent, it is now and then to be tried elsewhere.
        """
        trial = self._scheduler.trial(task) if may_try else None
        if trial is not None:
            with suppress(CallRefused):
                return await self._batches.place(trial)
        if home and home not in without:
            allow = task.spec.allow
            if allow is None or home in allow:
                spec = replace(task.spec, allow=frozenset({home}))
                with suppress(CallRefused):
                    return await self._batches.place(replace(task, spec=spec), without)
        return await self._batches.place(task, without)

    def _reply(
        self, placement: Placement, outcome: Outcome, timing: Timing, pin: Pin | None
    ) -> CallReply:
        task, met = placement.task, None
        if task.entry.stateful and not task.entry.method:
            met = session_affinity.note(pin, placement.node.name, outcome.session)
        record = self._account.record(placement, outcome, timing)
        shown = record_json(record)
        if outcome.status != Status.DONE:
            raise failure(task, outcome, record)
        result = parsed(task.entry.public_name, outcome.body, record)
        is_error = result.get("isError") is True or refusal(result) is not None
        # Learning can wait until the answer is on its way.
        asyncio.get_running_loop().call_soon(
            partial(self._account.answered, placement, outcome, record, is_error=is_error)
        )
        meta = result.get("_meta")
        result["_meta"] = {**(meta if isinstance(meta, dict) else {})}
        result["_meta"] |= {PLACEMENT_KEY: shown, WHY_KEY: record.why}
        if met is not None:
            result["_meta"][SESSION_KEY] = met
        return CallReply(result, record)


def _left_ms(request: CallRequest, began_s: float) -> float:
    """What is left of the caller's own deadline."""
    if request.deadline_ms is None:
        return math.inf
    return request.deadline_ms - (time.perf_counter() - began_s) * 1000


def _unanswered(error: CallFailed, task: Task, *, sent: bool) -> CallFailed:
    """The same error where trying elsewhere is safe; else one that says what is not known."""
    if not isinstance(error, NodeLost) or not sent or task.entry.repeatable:
        return error
    return NodeLost(
        f"{error}; {task.entry.public_name} may or may not have run: check before you call it "
        f"again",
        error.node,
    )
