"""The life of a call on this agent: admitted, waiting, running, answered."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from edge_agent.backends.base import Backend, Job
from edge_agent.backends.client_request import Answer, Question
from edge_agent.calls.client_requests import Inquiries
from edge_agent.calls.ledger import Outcome, Records
from edge_agent.calls.messages import done, failed, label_of, tool_call
from edge_agent.calls.policy import Policy, check_data, check_label
from edge_agent.engine.limits import DEFAULT_LIMITS, MIB, MOST_LIMITS, Limits
from edge_agent.errors import CallCancelled, CallFailed, CallRefused, EdgeAgentError
from edge_agent.logs import log_unexpected
from edge_agent.mounts import Mount
from protos.edge.v1 import edge_pb2

ARGUMENT_BYTES: Final = 64 * MIB
MOST_PARKED: Final = 64  # calls that wait for their clients without a slot
_EWMA_WEIGHT: Final = 0.1
_log = logging.getLogger(__name__)

Send = Callable[[edge_pb2.AttachRequest | Outcome], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """What this node is and permits, as far as admitting a call goes.

    ``limits`` are the most that one call may take here.
    """

    node: str
    site: str = ""
    mounts: Sequence[Mount] = ()
    policy: Policy = field(default_factory=Policy)
    limits: Limits = MOST_LIMITS
    slots: int = 1
    queue_limit: int = 64


@dataclass(slots=True)
class Ticket:
    """A call between its arrival and its outcome."""

    call: edge_pb2.Call
    arrived_s: float
    job: Job | None = None
    limits: Limits = DEFAULT_LIMITS
    arguments: bytearray | None = None
    running: bool = False
    parked: bool = False  # it waits for the client's answer, and holds no slot meanwhile
    cancelled: str | None = None

    @property
    def argument_bytes(self) -> int:
        """The size of the arguments, those on their way included."""
        return max(self.call.arguments.size_bytes, len(self.call.arguments.inline))


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the agent is. ``queue_ms`` is the expected wait of a new call."""

    running: int
    queued: int
    queue_ms: float
    memory_reserved_mib: int


class Desk:
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
        self._waiting: OrderedDict[str, Ticket] = OrderedDict()
        self._records = Records()
        self.inquiries = Inquiries(send, self._wait_for_client)
        # Takes over for a thread whose call waits, with the next call to run if there is one.
        self.spare: Callable[[Ticket | None], None] | None = None
        self.parked = 0
        self._held_bytes = 0
        self._running = 0
        self._exec_ms = 0.0
        self._draining: str | None = None
        self.idle = threading.Event()
        self.idle.set()
        self.acknowledged = threading.Event()
        self.acknowledged.set()
        # Set when a dispatcher would place otherwise if it knew.
        self.load_changed = threading.Event()

    # ---- messages from the dispatcher ----------------------------------------

    def offer(self, call: edge_pb2.Call) -> Ticket | None:
        """Take a call in; return its ticket when it should run now."""
        ticket = Ticket(call, time.perf_counter())
        with self._lock:
            known = self._records.find(call.id)
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

    def add_chunk(self, chunk: edge_pb2.Chunk) -> Ticket | None:
        """Take a part of a call's arguments; return its ticket when it should run now."""
        with self._lock:
            ticket = self._tickets.get(chunk.call_id)
            if ticket is None or ticket.arguments is None or ticket.job is not None:
                return None  # of a call that was refused, cancelled or repeated
            ticket.arguments += chunk.data
            try:
                if len(ticket.arguments) > ticket.call.arguments.size_bytes:
                    raise CallRefused("arguments: more bytes than announced; send them again")
                return self._schedule(ticket)
            except EdgeAgentError as error:
                self._forget(ticket)
                refusal = failed(chunk.call_id, error)
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
                self._records.add(outcome)
        if job is not None:
            job.cancel()
        if outcome is not None:
            self._send(outcome)

    def acknowledge(self, call_ids: Iterable[str]) -> None:
        """Note which results the dispatcher has."""
        with self._lock:
            self._records.acknowledge(call_ids)
            self._note_idle()

    # ---- the call itself -------------------------------------------------------

    def run(self, ticket: Ticket) -> Ticket | None:
        """Run a call on this thread, answer it, and return the next to run."""
        queue_ms = (time.perf_counter() - ticket.arrived_s) * 1000
        outcome = self._execute(ticket, queue_ms)
        with self._lock:
            self._forget(ticket)
            self._records.add(outcome)
            self._exec_ms += _EWMA_WEIGHT * (_busy_ms(outcome) - self._exec_ms)
            following = self._next()
            self._note_idle()
        self._send(outcome)
        return following

    def _execute(self, ticket: Ticket, queue_ms: float) -> Outcome:
        call, job = ticket.call, ticket.job
        try:
            if job is None:
                raise CallFailed("the call has no job")  # noqa: TRY301 - becomes an outcome
            result = job.run(_Reporter(call, self._send, self.inquiries))
        except EdgeAgentError as error:
            return failed(call.id, error, call.backend, queue_ms)
        except Exception as error:  # noqa: BLE001 - the worker must live, and the call be answered
            log_unexpected(_log, f"call {call.id} of {call.server}.{call.tool}", error)
            reason = CallFailed(f"the agent failed: {type(error).__name__}; see its log")
            return failed(call.id, reason, call.backend, queue_ms)
        finally:
            self.inquiries.over(call.id)
        return done(call, result, call.backend or "wasm", queue_ms)

    # ---- the agent around it ------------------------------------------------------

    def load(self) -> Load:
        """Return how busy the agent is now."""
        with self._lock:
            queued = len(self._waiting)
            slots = self._rules.slots
            ahead = queued + 1 if self._running >= slots else 0
            return Load(
                running=self._running,
                queued=queued,
                queue_ms=ahead * self._exec_ms / slots,
                memory_reserved_mib=self._held_mib()
                + sum(
                    ticket.limits.memory_mib for ticket in self._tickets.values() if ticket.running
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
            return self._records.unacknowledged()

    def _admit(self, ticket: Ticket) -> None:
        """Check a call against this node's own rules and register it."""
        call, rules = ticket.call, self._rules
        if self._draining is not None:
            raise CallRefused(f"draining: {self._draining}; place the call elsewhere")
        rules.policy.check_tool(call.server, call.tool)
        check_label(label_of(call), rules.node, rules.site)
        check_data(call.data, rules.mounts)
        if (call.backend or "wasm") not in self._backends:
            raise CallRefused(f"backend: this node has no {call.backend!r}", "backend")
        if call.egress and (call.backend or "wasm") != "wasm":
            raise CallRefused(
                f"backend: the policy's egress cannot hold a {call.backend} server, "
                "which has a network of its own",
                "backend",
            )
        if len(self._waiting) >= rules.queue_limit:
            raise CallRefused(f"busy: {rules.queue_limit} calls wait already")
        if self._held_bytes + ticket.argument_bytes > ARGUMENT_BYTES:
            raise CallRefused(
                f"arguments: {ticket.argument_bytes} bytes do not fit beside those that wait; "
                f"an agent holds {ARGUMENT_BYTES} at most"
            )
        ticket.limits = _limits(call.limits, rules.limits)
        self._held_bytes += ticket.argument_bytes
        self._tickets[call.id] = ticket
        self.idle.clear()
        if call.arguments.size_bytes and not call.arguments.inline:
            ticket.arguments = bytearray()

    def _schedule(self, ticket: Ticket) -> Ticket | None:
        """Give a call whose arguments are complete a slot, or a place in the line."""
        call = ticket.call
        arguments = call.arguments.inline
        if ticket.arguments is not None:
            if len(ticket.arguments) < call.arguments.size_bytes:
                return None
            arguments = bytes(ticket.arguments)
        backend = self._backends[call.backend or "wasm"]
        ticket.job = backend.prepare(tool_call(call, arguments, ticket.limits))
        ticket.arguments = None
        if self._running < self._rules.slots:
            return self._start(ticket)
        self._waiting[call.id] = ticket
        if len(self._waiting) == 1:
            self.load_changed.set()
        return None

    def _start(self, ticket: Ticket) -> Ticket:
        ticket.running = True
        self._running += 1
        return ticket

    def _wait_for_client(self, call_id: str, waits: bool) -> None:  # noqa: FBT001 - two states
        """A running call begins to wait for its client, who may be a person, or goes on.

        It gives up its slot meanwhile, else a few questions would hold up the whole node. When it
        goes on it has one again, though there may then be one more than usual.
        """
        with self._lock:
            ticket = self._tickets.get(call_id)
            if ticket is None or not ticket.running or ticket.parked == waits or self.spare is None:
                return
            if waits and self.parked >= MOST_PARKED:
                return
            ticket.parked = waits
            self.parked += 1 if waits else -1
            self._running -= 1 if waits else -1
            following = self._next() if waits else None
        if waits:
            self.spare(following)

    def _next(self) -> Ticket | None:
        if not self._waiting or self._running >= self._rules.slots:
            return None
        _, ticket = self._waiting.popitem(last=False)
        if not self._waiting:
            self.load_changed.set()
        return self._start(ticket)

    def _forget(self, ticket: Ticket) -> None:
        if self._tickets.get(ticket.call.id) is not ticket:
            return  # it was never admitted
        del self._tickets[ticket.call.id]
        self._waiting.pop(ticket.call.id, None)
        self._held_bytes -= ticket.argument_bytes
        if ticket.parked:
            self.parked -= 1
        elif ticket.running:
            self._running -= 1

    def _note_idle(self) -> None:
        if not self._tickets:
            self.idle.set()
        if self._records.unacknowledged():
            self.acknowledged.clear()
        else:
            self.acknowledged.set()


class _Reporter:
    """Passes on what a running call tells."""

    def __init__(self, call: edge_pb2.Call, send: Send, inquiries: Inquiries) -> None:
        self._call = call
        self._send = send
        self._inquiries = inquiries

    def progress(self, progress: float, total: float | None, message: str) -> None:
        """Tell how far the call is, where the caller wants to know."""
        if self._call.wants_progress:
            told = edge_pb2.Progress(
                call_id=self._call.id, progress=progress, total=total, message=message
            )
            self._send(edge_pb2.AttachRequest(progress=told))

    def log(self, level: str, logger: str, message: str) -> None:
        """Pass on a log line of the call."""
        line = edge_pb2.Log(call_id=self._call.id, level=level, logger=logger, message=message)
        self._send(edge_pb2.AttachRequest(log=line))

    def ask(self, question: Question) -> Answer | None:
        """Pass on a question to the client."""
        self._inquiries.ask(self._call.id, question)
        return None


def _limits(asked: edge_pb2.Limits, most: Limits) -> Limits:
    """Return what a call gets: what it asks for or the default, but never over the most."""
    wanted = {field.name: getattr(asked, field.name) for field in fields(Limits)}
    return DEFAULT_LIMITS.asked(**wanted).within(most)


def _busy_ms(outcome: Outcome) -> float:
    timings = outcome.result.timings
    return timings.start_ms + timings.exec_ms
