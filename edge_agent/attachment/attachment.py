"""The agent's side of its stream: stay attached, take calls, give results.

Each worker thread reads the stream in its turn and runs the call that it read,
while the next reads on. So no call is handed from thread to thread on its way,
which would cost more than a short call itself. There is one worker more than
slots, so that somebody always listens.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import grpc

from edge_agent import __version__
from edge_agent.attachment.connection import Connection
from edge_agent.attachment.fetcher import ArtifactFetcher
from edge_agent.attachment.heartbeat import AlreadyTold, Heartbeats
from edge_agent.attachment.messages import (
    Acknowledged,
    ArgumentsPart,
    Cancel,
    ClientReply,
    Drain,
    Draining,
    Ping,
    Prefetch,
    Received,
    Registration,
    Sent,
    SessionsEnded,
)
from edge_agent.attachment.prefetch import Prefetcher
from edge_agent.backends.base import ModuleRef
from edge_agent.board.capabilities import Capabilities
from edge_agent.calls.queue import CallQueue
from edge_agent.calls.ticket import Ticket
from edge_agent.calls.updates import Send
from edge_agent.errors import ConnectionLost
from edge_agent.threads import start_essential
from ground.logs import Repeats

DRAIN_S: Final = 3.0
DRAIN_ASKED_S: Final = 30.0
_FLUSH_S: Final = 0.5
_LEAST_HEARTBEAT_S: Final = 0.05
_STEADY_S: Final = 1.0
_SPARES_KEPT: Final = 2  # so that not every call of a server begins with a new thread
_SOON_S: Final = 1.0  # the longest pause for as long as a dispatcher may still wait for us,
_AWAITED_S: Final = 10.0  # which is well within this, counted from when the stream broke
_log = logging.getLogger(__name__)


def backoff_s(
    first_s: float = 0.2, most_s: float = 10.0, rand: Callable[[], float] = random.random
) -> Iterator[float]:
    """Yield pauses that double up to a cap, each anywhere from 0 to that ("full jitter").

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    ceiling_s = first_s
    while True:
        yield max(0.01, rand() * ceiling_s)
        ceiling_s = min(most_s, ceiling_s * 2)


def pause_s(
    pauses: Iterator[float], since_s: float, rand: Callable[[], float] = random.random
) -> float:
    """Return how long to wait before the next try, ``since_s`` after a stream was lost.

    The dispatcher waits for some seconds for the calls that it gave us, so try often at first,
    however often the stream broke before.
    """
    usual_s = next(pauses)
    return min(usual_s, rand() * _SOON_S) if since_s < _AWAITED_S else usual_s


class Tries:
    """The tries since the agent was last attached for a while; tells of them no more than it must."""

    def __init__(self) -> None:
        self._count = 0
        self._was_attached = False
        self._unsaid = ""
        self._begun_s = time.monotonic()
        self._repeats = Repeats(lambda line: _log.warning("%s", line))

    def failed(self, error: Exception | None) -> None:
        """Say why one failed where that was not said, and count it where it was."""
        self._count += 1
        words = str(error or "the stream ended")
        self._repeats.happened(words, f"{words}; the agent tries again by itself")

    def attached(self, line: str) -> None:
        """Say that one came about, after how many; the second time only if it lasts."""
        self._unsaid = f"{line}{self.so_far()}"
        if not self._was_attached:
            self._was_attached = True
            self.lasts()

    def lasts(self) -> None:
        """Say of the one that came about what was not said yet."""
        line, self._unsaid = self._unsaid, ""
        if line:
            _log.info("%s", line)

    def so_far(self) -> str:
        """Return in words how many tries it took, if more than the last two."""
        if self._count <= 1:
            return ""
        return f" after {self._count} failed tries in {time.monotonic() - self._begun_s:.0f} s"


class Attachment:
    """Keeps one agent attached to one dispatcher until it is told to stop.

    ``make_queue`` gets the function by which the queue sends; ``make_heartbeats``
    makes what tells the load, ``prefetch`` makes one more module ready, and ``sessions_ended`` ends
    what is kept for sessions. ``attached`` is called with each new stream, before its first call.
    """

    def __init__(
        self,
        address: str,
        token: str,
        node: str,
        report: Capabilities,
        make_queue: Callable[[Send], CallQueue],
        make_heartbeats: Callable[[CallQueue], Heartbeats],
        prefetch: Callable[[ModuleRef], None],
        sessions_ended: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._address = address
        self._token = token
        self._node = node
        self.report = report
        self._news = threading.Event()  # set while the dispatcher does not know the report
        self._instance = f"{random.getrandbits(64):016x}"
        self._connection: Connection | None = None
        self._changed = threading.Condition()
        self._over = False
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._drain_s = DRAIN_S
        self._drain_reason: str | None = None
        self.attached: Callable[[], None] = lambda: None
        self._prefetch = prefetch
        self._sessions_ended = sessions_ended
        self._prefetcher = Prefetcher(self._load_ahead)
        self.fetcher = ArtifactFetcher(self._channel, token)
        self._spares = 0  # workers in the place of those whose calls hold no slot
        self.queue = make_queue(self.send)
        self.queue.spare = self._start_spare
        self._heartbeats = make_heartbeats(self.queue)

    # ---- what others call -------------------------------------------------------

    def send(self, message: Sent) -> None:
        """Send on the present stream. Without one an outcome waits for the next."""
        connection = self._connection
        if connection is not None:
            connection.outbox.put(message)

    def describe(self, report: Capabilities) -> None:
        """Tell the dispatcher what this board is from now on."""
        self.report = report
        self._news.set()
        self.queue.load_changed.set()

    def stop(self, reason: str, within_s: float = DRAIN_S) -> None:
        """Take no more calls, finish what runs within ``within_s``, and end :meth:`run`."""
        self._drain_reason = self._drain_reason or reason
        self._drain_s = min(self._drain_s, within_s) if self._stopping.is_set() else within_s
        self._stopping.set()
        self._wake.set()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Stay attached until stopped; ``on_ready`` is called after the first welcome.

        Raises:
            TokenRefused, ConfigError: the dispatcher will never take this agent.
        """
        self._start_threads()
        try:
            self._stay_attached(on_ready)
            self._drain()
        finally:
            self._end_threads()

    def _stay_attached(self, on_ready: Callable[[], None]) -> None:
        pauses = backoff_s()
        first = True
        lost_s = -math.inf
        tries = Tries()
        while not self._stopping.is_set():
            try:
                told = AlreadyTold()
                connection = Connection(self._address, self._token, self._register(told), told)
            except ConnectionLost as error:
                tries.failed(error)
                self._wake.wait(pause_s(pauses, time.monotonic() - lost_s))
                continue
            tries.attached(f"attached to {self._address} as {self._node}")
            self._attach(connection)
            if first:
                on_ready()
                first = False
            self._wait_for_end(connection, tries)
            if time.monotonic() - connection.opened_s > _STEADY_S:
                pauses = backoff_s()
                tries = Tries()
            if not self._stopping.is_set():
                self._detach(connection)
                lost_s = time.monotonic()
                tries.failed(connection.error)
                self._wake.wait(pause_s(pauses, 0.0))

    # ---- the connection -----------------------------------------------------------

    def _attach(self, connection: Connection) -> None:
        again = self.queue.new_stream()
        self.attached()
        with self._changed:
            self._connection = connection
            self._changed.notify_all()
        for outcome in again:
            self.send(outcome)
        self.queue.client_requests.again()
        self.queue.load_changed.set()  # beat at this dispatcher's rate from now on
        self._want(connection.welcome.modules)

    def _detach(self, connection: Connection) -> None:
        with self._changed:
            self._connection = None
        connection.close()
        if connection.error is not None and not isinstance(connection.error, ConnectionLost):
            raise connection.error

    def _wait_for_end(self, connection: Connection, tries: Tries) -> None:
        """Wait until the stream ends or the agent should stop."""
        while not connection.ended.wait(0.5) and not self._stopping.is_set():
            if time.monotonic() - connection.opened_s > _STEADY_S:
                tries.lasts()

    def preparing(self) -> list[str]:
        """Return the digests of the modules that wait to be loaded ahead, in order."""
        return self._prefetcher.waiting()

    def _want(self, modules: Sequence[ModuleRef]) -> None:
        for module in modules:
            self._prefetcher.want(module)
        if modules:  # a call that is placed now should know what it would wait for
            self.queue.load_changed.set()

    def _load_ahead(self, module: ModuleRef) -> None:
        try:
            self._prefetch(module)
        finally:
            self.queue.load_changed.set()

    def _channel(self) -> grpc.Channel | None:
        connection = self._connection
        return None if connection is None else connection.channel

    def _register(self, told: AlreadyTold) -> Registration:
        return Registration(
            node=self._node,
            instance=self._instance,
            agent_version=__version__,
            capabilities=self.report,
            load=self._heartbeats.beat(self.report.memory_mib, told),
        )

    # ---- the threads ----------------------------------------------------------------

    def _start_threads(self) -> None:
        for number in range(self.report.slots + 1):
            start_essential(self._work, f"worker-{number}")
        start_essential(self._beat, "heartbeat")
        self._prefetcher.start()

    def _end_threads(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self.queue.load_changed.set()
        self._prefetcher.stop()

    def _start_spare(self, ticket: Ticket | None) -> None:
        with self._changed:
            if ticket is None and self._spares >= self.queue.away:
                return  # one of those that were kept listens
            self._spares += 1
        start_essential(lambda: self._work(ticket), "worker-spare")

    def _is_surplus(self) -> bool:
        """Whether there is a worker too many now; whoever asks is to end."""
        with self._changed:
            spare = self._spares - _SPARES_KEPT
            surplus = spare > 0 and spare > self.queue.away
            self._spares -= surplus
        return surplus

    def _work(self, ticket: Ticket | None = None) -> None:
        """Read in turn and run what was read."""
        while ticket is not None:
            ticket = self.queue.run(ticket)
        while (connection := self._await_connection()) is not None:
            ticket = None
            with connection.reading:
                while ticket is None and not connection.ended.is_set():
                    message = connection.receive()
                    if message is not None:
                        ticket = self._handle(message)
            while ticket is not None:
                ticket = self.queue.run(ticket)
            if self._is_surplus():
                return

    def _await_connection(self) -> Connection | None:
        """Wait for a stream to read from; None: the agent has ended."""
        with self._changed:
            while not self._over:
                if self._connection is not None and not self._connection.ended.is_set():
                    return self._connection
                self._changed.wait()
        return None

    def _handle(self, message: Received) -> Ticket | None:
        """Take one message; return a ticket when a call should run now."""
        match message:
            case Ticket():
                return self.queue.offer(message)
            case ArgumentsPart(call_id, data):
                return self.queue.add_arguments(call_id, data)
            case Cancel(call_id, reason):
                self.queue.cancel(call_id, reason)
            case ClientReply(call_id, number, body, more):
                self.queue.client_requests.reply(call_id, number, body, more=more)
            case Acknowledged(call_ids):
                self.queue.acknowledge(call_ids)
            case Prefetch(modules):
                self._want(modules)
            case SessionsEnded(sessions):
                self._sessions_ended(sessions)
            case Drain(reason):
                self.stop(reason or "the dispatcher asked for it", DRAIN_ASKED_S)
            case Ping():
                self.send(message)
            case _:
                _log.debug("a message of a newer dispatcher is passed over")
        return None

    def _beat(self) -> None:
        """Send the load as often as the dispatcher wants, and when it changes much."""
        while not self._over:
            connection = self._connection
            every_s = connection.welcome.heartbeat_ms / 1000 if connection else 1.0
            self.queue.load_changed.wait(max(_LEAST_HEARTBEAT_S, every_s or 5.0))
            self.queue.load_changed.clear()
            if connection is not None and not connection.ended.is_set():
                speed = self._heartbeats.look()
                if speed is not None:
                    self.describe(replace(self.report, speed=speed))
                beat = self._heartbeats.beat(self.report.memory_mib, connection.told)
                if self._news.is_set():
                    self._news.clear()
                    beat.changed = self.report
                connection.outbox.put(beat)
            time.sleep(_LEAST_HEARTBEAT_S)

    # ---- the end -----------------------------------------------------------------------

    def _drain(self) -> None:
        """Finish what runs, give the results over, and close."""
        reason = self._drain_reason or "the agent stops"
        _log.info("draining: %s", reason)
        self.queue.drain(reason)
        self.send(Draining(reason))
        connection = self._connection
        ends_s = time.monotonic() + self._drain_s
        while time.monotonic() < ends_s and not self.queue.idle.wait(0.05):
            # A second, shorter order may have come meanwhile.
            ends_s = min(ends_s, time.monotonic() + self._drain_s)
        self.queue.cancel_all(reason)
        self.queue.idle.wait(_FLUSH_S)
        if connection is not None and not connection.ended.is_set():
            self.queue.acknowledged.wait(_FLUSH_S)
            connection.outbox.close()
            connection.ended.wait(_FLUSH_S)
            connection.close()
