"""Which agents are attached and alive, and the calls in flight to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Final

from dispatcher import background
from dispatcher.agents import messages
from dispatcher.agents.messages import (
    Chunk,
    ClientRequest,
    Draining,
    LogLine,
    Pong,
    Progress,
    Received,
    ResourceUpdated,
)
from dispatcher.agents.outcome import Outcome
from dispatcher.agents.stream import UNREAD_S, AgentStream, Flight, Sink
from dispatcher.errors import NodeLost
from dispatcher.registry.artifacts import Artifact
from dispatcher.registry.registry import Registry
from dispatcher.registry.reports import Heartbeat, Registration

log = logging.getLogger("sanderling.agents")

HEARTBEAT_MS: Final = 1000
STALE_BEATS: Final = 3.5  # heartbeats missed before nothing more is placed on a node
DEAD_BEATS: Final = 8.0  # and before its stream is given up
# How long a call waits for its agent to come back: a busy board takes seconds to start one, and
# one that was cut off tries again at least once a second (`edge_agent.attachment.attachment.backoff_s`).
RECONNECT_S: Final = 5.0
_NOBODY: Final = b'{"error":{"code":-32603,"message":"nobody waits for this call any more"}}'


class NameTaken(Exception):
    """Another live agent has the name."""


class AgentPool:
    """All live agents, and the calls in flight to them. Owned by the event loop.

    ``prefetch`` names the modules that a new agent should fetch ahead; ``measured`` is told how
    long the way to a node and back took, and gives what is believed of it. ``updated`` is told which
    resources of a node have changed, ``attached`` which node has a new stream.
    """

    def __init__(self, registry: Registry, *, heartbeat_ms: int = HEARTBEAT_MS) -> None:
        self.prefetch: Callable[[], Mapping[str, Artifact]] = dict
        self.measured: Callable[[str, float], float] = lambda _, took_ms: took_ms
        self.updated: Callable[[str, ResourceUpdated], None] = lambda *_: None
        self.attached: Callable[[str], None] = lambda _: None
        self._registry = registry
        self._heartbeat_ms = heartbeat_ms
        self._streams: dict[str, AgentStream] = {}
        self._flights: dict[str, Flight] = {}
        self._give_ups: dict[str, asyncio.TimerHandle] = {}  # by node: when its calls are lost
        self._changed = asyncio.Event()
        self._stopping = False
        self._watch: asyncio.Task[None] | None = None

    # ---- life

    def start(self) -> None:
        """Begin to watch heartbeats."""
        self._stopping = False
        self._watch = background.essential(self._watch_heartbeats(), "heartbeats")

    def stop(self) -> None:
        """Let every stream end, and fail what is in flight."""
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for timer in self._give_ups.values():
            timer.cancel()
        self._give_ups.clear()
        for flight in list(self._flights.values()):
            flight.fail(NodeLost("the dispatcher is stopping", flight.node))
        for stream in list(self._streams.values()):
            stream.end("the dispatcher is stopping")
        self._tell_changed()

    async def changed(self) -> None:
        """Return at the next coming or going of a node."""
        await self._changed.wait()

    async def returned(self, nodes: Mapping[str, str]) -> dict[str, bool]:
        """Those of some lost nodes that are back, waiting for the first as long as calls wait.

        ``nodes`` gives the instance of each; the answer tells whether it is still that process.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(RECONNECT_S):
                while self._streams.keys().isdisjoint(nodes) and not self._stopping:
                    await self.changed()
        if self._stopping:
            return {}
        return {
            node: self._streams[node].instance == instance
            for node, instance in nodes.items()
            if node in self._streams
        }

    async def arrival(self, nodes: Collection[str], until_s: float) -> bool:
        """Whether any of some nodes is here, at the latest at a moment of the loop's clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                while self._streams.keys().isdisjoint(nodes) and not self._stopping:
                    await self.changed()
        return not self._streams.keys().isdisjoint(nodes)

    def connected(self) -> set[str]:
        """The nodes that have a live stream."""
        return set(self._streams)

    # ---- calls

    def launch(self, flight: Flight) -> None:
        """Send a call to its node; its ``done`` tells what came of it.

        ``done`` fails with :class:`NodeLost` when the node is gone; ``flight.sent`` then says
        whether the call may have run.
        """
        stream = self._streams.get(flight.node)
        if stream is None or self._stopping:
            why = "the dispatcher is stopping" if self._stopping else "it is not connected"
            flight.fail(NodeLost(f"node {flight.node} cannot be asked: {why}", flight.node))
            return
        flight.instance = stream.instance
        self._flights[flight.id] = flight
        stream.launch(flight)

    def cancel(self, flight: Flight, reason: str) -> None:
        """Ask the node to stop a call; what may still come of it is dropped."""
        self._flights.pop(flight.id, None)
        stream = self._streams.get(flight.node)
        if stream is not None and stream.instance == flight.instance:
            stream.cancel(flight.id, reason)

    def answer(self, flight: Flight, request_id: str, body: bytes) -> None:
        """Give an answer of the client to the node that asked; one that is away asks again."""
        stream = self._streams.get(flight.node)
        if stream is not None and stream.instance == flight.instance:
            for part in messages.client_reply(flight.id, request_id, body):
                stream.send(part)

    def session_ended(self, nodes: Iterable[str], session: str) -> None:
        """Tell nodes that a session is over; one that is away ends it after its idle time."""
        for node in nodes:
            stream = self._streams.get(node)
            if stream is not None:
                stream.send(messages.sessions_ended([session]))

    def fetch_ahead(self, modules: Mapping[str, Artifact]) -> None:
        """Let every agent fetch and compile what is new, by server."""
        for stream in self._streams.values():
            stream.send(messages.prefetch(modules))

    # ---- streams

    def admit(self, register: Registration, sink: Sink) -> AgentStream:
        """An agent has come: take it in, welcome it, and give it back the calls it holds.

        The same process replaces its own stream; another takes a name only from an agent whose
        heartbeats are overdue.

        Raises:
            NameTaken: another live agent has the name.
            ValueError: the registration cannot be used; one line with field and mend.
        """
        known = self._streams.get(register.node)
        if known is not None and known.instance != register.instance and known.node.placeable:
            raise NameTaken(
                f"node: another live agent is called {register.node!r}; give one of them another "
                f"name, or stop it"
            )
        node = self._registry.attach(register)
        if known is not None:
            known.end("the agent has connected anew")
        now_s = asyncio.get_running_loop().time()
        stream = AgentStream(node, register.instance, sink, now_s)
        self._streams[node.name] = stream
        stream.send(messages.welcome(self._heartbeat_ms, self.prefetch()))
        self._resend(stream)
        self._tell_changed()
        self.attached(node.name)
        log.info("node %s attached (instance %s)", node.name, register.instance[:8])
        return stream

    def received(self, stream: AgentStream, message: Received) -> None:
        """A message came on a stream."""
        stream.heard_s = asyncio.get_running_loop().time()
        match messages.read(message):
            case Outcome() as outcome:
                self._on_outcome(stream, outcome)
            case Chunk() as chunk:
                self._on_chunk(stream, chunk)
            case Heartbeat() as beat:
                self._on_heartbeat(stream, beat)
            case Progress() as progress:
                self._on_news(stream, progress)
            case LogLine() as line:
                _on_log(stream, line)
                self._on_news(stream, line)
            case Pong(number):
                self._on_pong(stream, number)
            case ClientRequest() as request:
                self._on_client_request(stream, request)
            case ResourceUpdated() as update:
                self.updated(stream.node.name, update)
            case Draining(reason):
                self._on_draining(stream, reason)

    def lost(self, stream: AgentStream) -> None:
        """A stream has ended."""
        if self._streams.get(stream.node.name) is not stream:
            return  # replaced by a newer stream
        del self._streams[stream.node.name]
        log.info("node %s is gone", stream.node.name)
        self._registry.detach(stream.node)
        held = False
        for flight in list(self._flights.values()):
            if flight.node == stream.node.name and not flight.done.done():
                flight.interrupted()
                if flight.repeatable:
                    flight.fail(_lost(flight, "was lost"))
                else:
                    held = True
        if held:
            loop = asyncio.get_running_loop()
            self._give_ups[stream.node.name] = loop.call_later(
                RECONNECT_S, self._give_up, stream.node.name
            )
        self._tell_changed()

    def _on_outcome(self, stream: AgentStream, outcome: Outcome) -> None:
        flight = self._flights.get(outcome.call_id)
        if flight is None or flight.node != stream.node.name:
            stream.acknowledge(outcome.call_id)  # nobody waits for it any more
        elif flight.take_outcome(outcome):
            self._landed(stream, flight)

    def _on_chunk(self, stream: AgentStream, chunk: Chunk) -> None:
        flight = self._flights.get(chunk.call_id)
        if flight is not None and flight.node == stream.node.name and flight.take_chunk(chunk.data):
            self._landed(stream, flight)

    def _landed(self, stream: AgentStream, flight: Flight) -> None:
        """An outcome is here, whole: the agent may forget it."""
        del self._flights[flight.id]
        stream.acknowledge(flight.id)

    def _on_heartbeat(self, stream: AgentStream, beat: Heartbeat) -> None:
        self._registry.heartbeat(stream.node, beat)
        stream.ping(stream.heard_s)
        if not stream.node.placeable and not stream.draining:
            self._registry.resume(stream.node)

    def _on_pong(self, stream: AgentStream, number: int) -> None:
        took_ms = stream.took_ms(number, stream.heard_s)
        if took_ms is not None and stream.node.placeable:
            stream.node.rtt_ms = self.measured(stream.node.name, took_ms)

    def _on_news(self, stream: AgentStream, news: Progress | LogLine) -> None:
        flight = self._flights.get(news.call_id)
        if flight is not None and flight.node == stream.node.name and flight.on_news is not None:
            flight.on_news(news)

    def _on_client_request(self, stream: AgentStream, request: ClientRequest) -> None:
        flight = self._flights.get(request.call_id)
        if flight is not None and flight.node == stream.node.name and flight.client_requests:
            flight.client_requests.heard(request)
        elif not (request.withdrawn or request.more):
            for part in messages.client_reply(request.call_id, request.id, _NOBODY):
                stream.send(part)

    def _on_draining(self, stream: AgentStream, reason: str) -> None:
        log.info("node %s drains: %s", stream.node.name, reason or "no reason given")
        stream.draining = True
        self._registry.suspend(stream.node)

    # ---- loss and return

    def _resend(self, stream: AgentStream) -> None:
        """An agent is back: the same process gets its calls again, another has lost them."""
        timer = self._give_ups.pop(stream.node.name, None)
        if timer is not None:
            timer.cancel()
        for flight in list(self._flights.values()):
            if flight.node != stream.node.name or flight.done.done():
                continue
            if flight.instance == stream.instance:
                flight.interrupted()
                stream.launch(flight)
            else:
                flight.fail(_lost(flight, "was restarted"))

    def _give_up(self, node: str) -> None:
        """A node was away for too long: its calls are lost."""
        self._give_ups.pop(node, None)
        for flight in list(self._flights.values()):
            if flight.node == node:
                flight.fail(_lost(flight, "was lost"))

    def _tell_changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _watch_heartbeats(self) -> None:
        beat_s = self._heartbeat_ms / 1000
        clock = asyncio.get_running_loop().time
        before_s = clock()
        while True:
            await asyncio.sleep(beat_s / 2)
            now_s, late_s = clock(), clock() - before_s - beat_s / 2
            before_s = now_s
            for stream in list(self._streams.values()):
                # What this process slept through is not the agents' silence.
                stream.heard_s += max(late_s, 0.0)
                silent_s = now_s - stream.heard_s
                if stream.writing_s is not None:
                    stream.writing_s += max(late_s, 0.0)
                    if now_s - stream.writing_s > UNREAD_S:
                        log.warning("node %s does not read what it is sent", stream.node.name)
                        stream.end("it does not read what it is sent")
                if silent_s > DEAD_BEATS * beat_s:
                    stream.end("no heartbeat came for too long")
                elif silent_s > STALE_BEATS * beat_s and stream.node.placeable:
                    log.warning("node %s: heartbeats are overdue", stream.node.name)
                    self._registry.suspend(stream.node)


def _lost(flight: Flight, what: str) -> NodeLost:
    return NodeLost(f"node {flight.node} {what} while it held the call", flight.node)


def _on_log(stream: AgentStream, line: LogLine) -> None:
    name = f"sanderling.node.{stream.node.name}"
    logging.getLogger(name).log(_LEVELS.get(line.level, logging.INFO), "%s", line.message)


_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "alert": logging.CRITICAL,
    "emergency": logging.CRITICAL,
}
