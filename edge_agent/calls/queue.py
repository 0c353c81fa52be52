"""The life of a call on this agent: admitted, waiting, running, answered."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from edge_agent.backends.base import Backend
from edge_agent.calls.client_requests import ClientRequests
from edge_agent.calls.ledger import Ledger
from edge_agent.calls.line import Line
from edge_agent.calls.outcome import Outcome, done, failed
from edge_agent.calls.policy import Policy, check_data, check_label
from edge_agent.calls.reporter import Reporter
from edge_agent.calls.ticket import WASM, Ticket
from edge_agent.calls.updates import Send
from edge_agent.engine.limits import DEFAULT_LIMITS, MIB, MOST_LIMITS, Limits
from edge_agent.errors import CallCancelled, CallFailed, CallRefused, EdgeAgentError
from edge_agent.logs import log_unexpected
from edge_agent.mounts import Mount

ARGUMENT_BYTES: Final = 64 * MIB
#: Of a call of a server where nobody asks for less: servers wait for people and for other machines.
SERVER_WALL_MS: Final = 300_000
SERVER_MOST_WALL_MS: Final = 3_600_000  # with signs of progress
MOST_PARKED: Final = 64  # calls that wait for their clients without a slot
_EWMA_WEIGHT: Final = 0.1
_LOOK_S: Final = 0.05  # how soon a call is seen to be cancelled that waits for a slot again
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What this node is and permits, as far as admitting a call goes.

    ``limits`` are the most that one call may take here, ``server_wall_ms`` the most time of one of
    a server. ``server_slots`` are those that servers have for themselves, by backend and name.
    """

    node: str
    site: str = ""
    mounts: Sequence[Mount] = ()
    policy: Policy = field(default_factory=Policy)
    limits: Limits = MOST_LIMITS
    slots: int = 1
    queue_limit: int = 64
    server_wall_ms: int = MOST_LIMITS.wall_ms
    server_slots: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the agent's own slots are. ``queue_ms`` is the expected wait of a new call."""

    running: int
    queued: int
    queue_ms: float
    memory_reserved_mib: int


class CallQueue:
    """Admits calls, keeps those that wait, and runs each once.

    It has no threads: whoever hands in a message gets a ticket to :meth:`run`
    when one should run now, and :meth:`run` returns the next. ``held_mib`` tells
    the memory that is kept between calls, for sessions. Thread-safe.
    """

    def __init__(
        self,
        rules: Rules,
        backends: Mapping[str, Backend],
        send: Send,
        held_mib: Callable[[], int] = lambda: 0,
    ) -> None:
        self._rules = rules
        self._backends = backends
        self._send = send
        self._held_mib = held_mib
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        self._line = Line(rules.slots)
        self._server_lines = {key: Line(slots) for key, slots in rules.server_slots.items()}
        self._ledger = Ledger()
        self.client_requests = ClientRequests(send, self._wait_for_client)
        # Takes over for a thread whose call waits, with the next call to run if there is one.
        self.spare: Callable[[Ticket | None], None] | None = None
        self._parked = 0
        self._held_bytes = 0
        self._exec_ms = 0.0
        self._draining: str | None = None
        self.idle = threading.Event()
        self.idle.set()
        self.acknowledged = threading.Event()
        self.acknowledged.set()
        # Set when a dispatcher would place otherwise if it knew.
        self.load_changed = threading.Event()

    @property
    def away(self) -> int:
        """How many threads run calls that hold none of the node's slots."""
        return self._parked + sum(line.running for line in self._server_lines.values())

    # ---- messages from the dispatcher ----------------------------------------

    def offer(self, ticket: Ticket) -> Ticket | None:
        """Take a call in; return its ticket when it should run now."""
        call = ticket.call
        with self._lock:
            known = self._ledger.find(call.id)
            if known is None and call.id in self._tickets:
                return None  # it joins the one under way
            if known is None:
                try:
                    self._admit(ticket)
                    return self._schedule(ticket)
                except EdgeAgentError as error:
                    # Refusals are not recorded: the next try may find a free place.
                    self._forget(ticket)
                    known = failed(call.id, error)
        self._send(known)
        return None

    def add_arguments(self, call_id: str, part: bytes) -> Ticket | None:
        """Take a part of a call's arguments; return its ticket when it should run now."""
        with self._lock:
            ticket = self._tickets.get(call_id)
            if ticket is None or ticket.parts is None or ticket.job is not None:
                return None  # of a call that was refused, cancelled or repeated
            ticket.parts += part
            try:
                if len(ticket.parts) > ticket.argument_bytes:
                    raise CallRefused("arguments: more bytes than announced; send them again")
                return self._schedule(ticket)
            except EdgeAgentError as error:
                self._forget(ticket)
                refusal = failed(call_id, error)
        self._send(refusal)
        return None

    def cancel(self, call_id: str, reason: str) -> None:
        """End a call that waits or runs."""
        with self._lock:
            ticket = self._tickets.get(call_id)
            if ticket is None:
                return
            ticket.cancelled = reason or "the caller is gone"
            if ticket.running:
                job = ticket.job
                outcome = None
            else:
                self._forget(ticket)
                job = None
                outcome = failed(call_id, CallCancelled(f"not started: {ticket.cancelled}"))
                self._ledger.add(outcome)
        if job is not None:
            job.cancel()
        if outcome is not None:
            self._send(outcome)

    def acknowledge(self, call_ids: Iterable[str]) -> None:
        """Note which results the dispatcher has."""
        with self._lock:
            self._ledger.acknowledge(call_ids)
            self._note_idle()

    # ---- the call itself -------------------------------------------------------

    def run(self, ticket: Ticket) -> Ticket | None:
        """Run a call on this thread, answer it, and return the next to run."""
        queue_ms = (time.perf_counter() - ticket.arrived_s) * 1000
        line = self._line_of(ticket)
        if line is not self._line and self.spare is not None:
            self.spare(None)
        outcome = self._execute(ticket, queue_ms)
        with self._lock:
            self._forget(ticket)
            self._ledger.add(outcome)
            if line is self._line:
                self._exec_ms += _EWMA_WEIGHT * (_busy_ms(outcome) - self._exec_ms)
            following = self._next(line)
            self._note_idle()
        self._send(outcome)
        return following

    def _execute(self, ticket: Ticket, queue_ms: float) -> Outcome:
        call, job = ticket.call, ticket.job
        try:
            if job is None:
                raise CallFailed("the call has no job")  # noqa: TRY301 - becomes an outcome
            result = job.run(
                Reporter(call, self._send, self.client_requests, self._wait_for_module)
            )
        except EdgeAgentError as error:
            return failed(call.id, error, ticket.backend, queue_ms)
        except Exception as error:  # noqa: BLE001 - the worker must live, and the call be answered
            log_unexpected(_log, f"call {call.id} of {call.server}.{call.tool}", error)
            reason = CallFailed(f"the agent failed: {type(error).__name__}; see its log")
            return failed(call.id, reason, ticket.backend, queue_ms)
        finally:
            if call.client:  # else nobody could be asked
                self.client_requests.over(call.id)
        return done(call.id, result, ticket.backend, queue_ms)

    # ---- the agent around it ------------------------------------------------------

    def load(self) -> Load:
        """Return how busy the agent is now."""
        with self._lock:
            line = self._line
            queued = line.queued
            ahead = queued + 1 if line.running >= line.slots else 0
            return Load(
                running=line.running,
                queued=queued,
                queue_ms=ahead * self._exec_ms / line.slots,
                memory_reserved_mib=self._held_mib()
                + sum(
                    ticket.limits.memory_mib
                    for ticket in self._tickets.values()
                    if ticket.running and self._line_of(ticket) is line
                ),
            )

    def drain(self, reason: str) -> None:
        """Refuse every new call from now on."""
        with self._lock:
            self._draining = reason
            self._note_idle()

    def cancel_all(self, reason: str) -> None:
        """End everything that waits or runs."""
        with self._lock:
            call_ids = list(self._tickets)
        for call_id in call_ids:
            self.cancel(call_id, reason)

    def new_stream(self) -> list[Outcome]:
        """Begin anew after a reconnect; return the results to send again.

        Calls whose arguments were cut off are forgotten: they come again whole.
        """
        with self._lock:
            for ticket in list(self._tickets.values()):
                if ticket.job is None:
                    self._forget(ticket)
            return list(self._ledger.unacknowledged.values())

    def _admit(self, ticket: Ticket) -> None:
        """Check a call against this node's own rules and register it."""
        call, rules = ticket.call, self._rules
        line = self._line_of(ticket)
        if self._draining is not None:
            raise CallRefused(f"draining: {self._draining}; place the call elsewhere")
        rules.policy.check_tool(call.server, call.tool)
        check_label(ticket.label, rules.node, rules.site)
        check_data(ticket.data, rules.mounts)
        if ticket.backend not in self._backends:
            raise CallRefused(f"backend: this node has no {ticket.backend!r}", "backend")
        if call.egress and ticket.backend != WASM:
            raise CallRefused(
                f"backend: the policy's egress cannot hold a {ticket.backend} server, "
                "which has a network of its own",
                "backend",
            )
        if line.queued >= rules.queue_limit:
            raise CallRefused(f"busy: {rules.queue_limit} calls wait already")
        if self._held_bytes + ticket.argument_bytes > ARGUMENT_BYTES:
            raise CallRefused(
                f"arguments: {ticket.argument_bytes} bytes do not fit beside those that wait; "
                f"an agent holds {ARGUMENT_BYTES} at most"
            )
        ticket.limits = DEFAULT_LIMITS.asked(**ticket.asked).within(rules.limits)
        if ticket.backend != WASM:
            asked_ms = ticket.asked.get("wall_ms", 0)
            wall_ms = min(asked_ms or SERVER_WALL_MS, rules.server_wall_ms)
            ticket.limits = replace(ticket.limits, wall_ms=wall_ms)
            if not asked_ms:
                ticket.most_wall_ms = min(SERVER_MOST_WALL_MS, rules.server_wall_ms)
        self._held_bytes += ticket.argument_bytes
        self._tickets[call.id] = ticket
        self.idle.clear()

    def _schedule(self, ticket: Ticket) -> Ticket | None:
        """Give a call whose arguments are complete a slot, or a place in the line."""
        call = ticket.call
        arguments = call.arguments
        if ticket.parts is not None:
            if len(ticket.parts) < ticket.argument_bytes:
                return None
            arguments = bytes(ticket.parts)
        backend = self._backends[ticket.backend]
        ticket.job = backend.prepare(
            replace(
                call,
                arguments=arguments,
                limits=ticket.limits,
                most_wall_ms=ticket.most_wall_ms,
            )
        )
        ticket.parts = None
        line = self._line_of(ticket)
        if line.running < line.slots:
            return self._start(line, ticket)
        line.waiting[call.id] = ticket
        if line is self._line and len(line.waiting) == 1:
            self.load_changed.set()
        return None

    def _line_of(self, ticket: Ticket) -> Line:
        return self._server_lines.get((ticket.backend, ticket.call.server), self._line)

    def _wait_for_client(self, call_id: str, waits: bool) -> None:  # noqa: FBT001 - two states
        """A running call begins to wait for its client, who may be a person, or goes on.

        It gives up its slot meanwhile, of the node or of its server, else a few requests would hold
        up all others. When it goes on it has one again, though there may then be one more than usual.
        """
        with self._lock:
            ticket = self._tickets.get(call_id)
            if ticket is None or not ticket.running or ticket.parked == waits or self.spare is None:
                return
            if waits and self._parked >= MOST_PARKED:
                return
            line = self._line_of(ticket)
            ticket.parked = waits
            self._parked += 1 if waits else -1
            line.running -= 1 if waits else -1
            following = self._next(line) if waits else None
        if waits:
            self.spare(following)

    def _wait_for_module(self, call_id: str, waits: bool) -> None:  # noqa: FBT001 - two states
        """A running call begins to wait for a compiler, which may take minutes, or goes on.

        It holds no slot meanwhile, and returns here once it has one again: many may have waited.
        """
        self.load_changed.set()
        if waits:
            with self._lock:
                ticket = self._tickets.get(call_id)
                if ticket is not None:
                    self._line_of(ticket).loading.add(call_id)
            self._wait_for_client(call_id, waits)
            return
        with self._lock:
            ticket = self._tickets.get(call_id)
            if ticket is None:
                return
            line = self._line_of(ticket)
            if not ticket.parked:  # there were too many of them
                line.loading.discard(call_id)
                return
            if line.running < line.slots and not line.returning:
                self._unpark(line, ticket)
                return
            line.returning[call_id] = ticket
        while not ticket.returned.wait(_LOOK_S):
            with self._lock:
                if ticket.cancelled and line.returning.pop(call_id, None) is not None:
                    self._unpark(line, ticket)  # to its end, which is near

    def _unpark(self, line: Line, ticket: Ticket) -> None:
        line.loading.discard(ticket.call.id)
        ticket.parked = False
        self._parked -= 1
        line.running += 1
        ticket.returned.set()

    def _next(self, line: Line) -> Ticket | None:
        while line.returning and line.running < line.slots:
            self._unpark(line, line.returning.popitem(last=False)[1])
        if not line.waiting or line.running >= line.slots:
            return None
        _, ticket = line.waiting.popitem(last=False)
        if line is self._line and not line.waiting:
            self.load_changed.set()
        return self._start(line, ticket)

    def _start(self, line: Line, ticket: Ticket) -> Ticket:
        ticket.running = True
        line.running += 1
        return ticket

    def _forget(self, ticket: Ticket) -> None:
        if self._tickets.get(ticket.call.id) is not ticket:
            return  # it was never admitted
        line = self._line_of(ticket)
        del self._tickets[ticket.call.id]
        line.waiting.pop(ticket.call.id, None)
        line.loading.discard(ticket.call.id)
        self._held_bytes -= ticket.argument_bytes
        if ticket.parked:
            self._parked -= 1
        elif ticket.running:
            line.running -= 1

    def _note_idle(self) -> None:
        if not self._tickets:
            self.idle.set()
        if self._ledger.unacknowledged:
            self.acknowledged.clear()
        else:
            self.acknowledged.set()


def _busy_ms(outcome: Outcome) -> float:
    """How long a call held its slot; what it waited for its module it did not."""
    return outcome.exec_ms + (0.0 if outcome.cold else outcome.start_ms)
