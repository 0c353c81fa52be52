"""One attempt of a call: its message, its way to a node and back, and how long that may take."""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final

from dispatcher.agents import messages
from dispatcher.agents.messages import OutgoingCall
from dispatcher.agents.outcome import Outcome
from dispatcher.agents.pool import AgentPool
from dispatcher.agents.stream import Flight
from dispatcher.call import CallRequest
from dispatcher.calls.client_requests import ClientRequests, capabilities
from dispatcher.calls.payloads import json_bytes
from dispatcher.calls.progress import ProgressRelay
from dispatcher.calls.waiting.for_module import ModuleWait, may_wait
from dispatcher.calls.waiting.patience import Patience
from dispatcher.errors import CallTimeout, SanderlingError
from dispatcher.placement.scheduler import Scheduler
from dispatcher.placement.task import Placement
from protos.contract import LARGEST_RESULT_BYTES, PREFIX, ROUNDS_KEY

WALL_MS: Final = 30_000  # of a module, where neither policy nor caller says
#: Of a server of another kind its agent ends the call: minutes after its last sign of progress.
SERVER_WALL_MS: Final = 3_660_000
QUEUE_GRACE_MS: Final = 5_000  # for the way and the agent's queue, on top of the wall time
ANSWER_GRACE_MS: Final = 250  # past the caller's own deadline, for the node to say so itself


class Sender:
    """Sends calls that the scheduler counts on their nodes already, and tells it when they end."""

    def __init__(self, scheduler: Scheduler, agents: AgentPool) -> None:
        self._scheduler = scheduler
        self._agents = agents
        self._ids = map(f"{secrets.token_hex(8)}-{{:x}}".format, itertools.count(1))

    def flight(
        self, request: CallRequest, placement: Placement, body: bytes, left_ms: float
    ) -> Flight:
        """A call as its node is to get it.

        Raises:
            InvalidArguments: the request's ``_meta`` is no JSON.
        """
        try:
            return self._flight(request, placement, body, left_ms)
        except SanderlingError:
            self._scheduler.ended(placement)
            raise

    async def fly(
        self, flight: Flight, request: CallRequest, placement: Placement, left_ms: float
    ) -> Outcome:
        """Send a call and wait for its outcome, its deadline, or its caller's leave.

        Raises:
            CallFailed: nothing came of it, or not in time.
        """
        with ExitStack() as over:
            relay = None
            if request.progress is not None or request.log is not None:
                relay = ProgressRelay(request.progress, request.log)
                flight.on_news = relay.put
                over.callback(relay.close)
            over.callback(self._scheduler.ended, placement)
            self._set_alarm(flight, request, placement, left_ms, over)
            try:
                self._agents.launch(flight)
                outcome = await flight.done
                if relay is not None:
                    await relay.drained()
            except asyncio.CancelledError:
                self._agents.cancel(flight, "the caller is gone")
                raise
            except Exception:
                self._agents.cancel(flight, "nobody waits for it any more")
                raise
            return outcome

    def _set_alarm(
        self,
        flight: Flight,
        request: CallRequest,
        placement: Placement,
        left_ms: float,
        over: ExitStack,
    ) -> None:
        """Let the call end in time: the wait for its client or for its module takes none of it."""
        wait_s = _wait_ms(placement, left_ms) / 1000
        expire = partial(_expire, flight, placement, wait_s)
        waits = may_wait(placement)
        if not waits and (request.client is None or not flight.client):
            over.callback(asyncio.get_running_loop().call_later(wait_s, expire).cancel)
            return
        alarm = Patience(wait_s, expire)
        over.callback(alarm.cancel)
        if request.client is not None and flight.client:
            answer = partial(self._agents.answer, flight)
            flight.client_requests = asked = ClientRequests(request.client, alarm, answer)
            over.callback(asked.close)
        if waits:
            over.callback(ModuleWait(placement, flight, alarm).close)

    def _flight(
        self, request: CallRequest, placement: Placement, body: bytes, left_ms: float
    ) -> Flight:
        task, offer = placement.task, placement.offer
        entry, constraints, spec = task.entry, task.constraints, task.spec
        client = b""
        if request.client is not None:
            client = capabilities(request.client, constraints.privacy)
        meta = {
            key: value
            for key, value in request.meta.items()
            if not key.startswith(PREFIX) or key == ROUNDS_KEY
        }
        call = OutgoingCall(
            id=next(self._ids),
            server=entry.server,
            tool=entry.name,
            arguments=body,
            backend=offer.backend,
            artifact=None if offer.module is None else offer.module.artifact,
            method=entry.method,
            client=client,
            limits={**constraints.limits.said, **_wall_limit(placement, left_ms)},
            egress=sorted(map(sorted, constraints.egress)),
            privacy=constraints.privacy,
            origin=spec.origin,
            site=task.site,
            data=spec.data,
            session=request.session if entry.stateful else "",
            wants_progress=request.progress is not None,
            meta=json_bytes(entry.public_name, meta) if meta else b"",
        )
        return Flight(
            id=call.id,
            message=messages.call(call),
            body=body,
            node=placement.node.name,
            repeatable=entry.repeatable,
            client=bool(client),
            done=asyncio.get_running_loop().create_future(),
            result_max=min(
                constraints.limits.output_bytes or LARGEST_RESULT_BYTES, LARGEST_RESULT_BYTES
            ),
        )


def _wall_ms(placement: Placement) -> int:
    usual = SERVER_WALL_MS if placement.offer.native else WALL_MS
    return placement.task.constraints.limits.wall_ms or usual


def _wall_limit(placement: Placement, left_ms: float) -> Mapping[str, int]:
    """What the agent is told: nothing where it is to let a server go on while there is progress."""
    said = placement.task.constraints.limits.wall_ms
    if placement.offer.native and not said and left_ms == math.inf:
        return {}
    return {"wall_ms": max(int(min(_wall_ms(placement), left_ms)), 1)}


def _wait_ms(placement: Placement, left_ms: float) -> float:
    """How long to wait for a node that says nothing."""
    wall_ms = max(min(_wall_ms(placement), left_ms), 1)
    patience_ms = wall_ms + QUEUE_GRACE_MS + placement.placed.parts.queue
    return min(patience_ms, max(left_ms, 0.0) + ANSWER_GRACE_MS)


def _expire(flight: Flight, placement: Placement, wait_s: float) -> None:
    flight.fail(
        CallTimeout(
            f"{placement.task.entry.public_name}: no answer from {flight.node} within "
            f"{wait_s:.1f} s; raise limits.wall_ms in the policy if it needs longer",
            flight.node,
        )
    )
