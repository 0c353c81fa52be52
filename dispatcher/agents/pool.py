"""Which agents are attached and alive, and the calls in flight to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from dispatcher import __version__
from dispatcher.agents.stream import INLINE_MAX, Flight, Link, Sink
from dispatcher.agents.token import load_token
from dispatcher.errors import NodeLost
from dispatcher.registry.registry import Registry
from protos.edge.v1 import edge_pb2

__all__ = ["Links", "NameTaken", "load_token", "module_of", "payload_of"]

log = logging.getLogger("sanderling.links")

HEARTBEAT_MS: Final = 1000
STALE_BEATS: Final = 3.5  # heartbeats missed before nothing more is placed on a node
DEAD_BEATS: Final = 8.0  # and before its stream is given up
# How long a call waits for its agent to come back: a busy board takes seconds to start one, and
# one that was cut off tries again at least once a second (`edge_agent.attachment.attachment.backoff_s`).
RECONNECT_S: Final = 5.0
_NOBODY: Final = b'{"error":{"code":-32603,"message":"nobody waits for this call any more"}}'


class NameTaken(Exception):
    """Another live agent has the name."""


class Links:
    """All live agents, and the calls in flight to them. Owned by the event loop.

    ``prefetch`` names the modules that a new agent should fetch ahead; ``measured`` is told how
    long the way to a node and back took, and gives what is believed of it.
    """

    def __init__(self, registry: Registry, *, heartbeat_ms: int = HEARTBEAT_MS) -> None:
        self.prefetch: Callable[[], list[edge_pb2.Module]] = list
        self.measured: Callable[[str, float], float] = lambda _, took_ms: took_ms
        self._registry = registry
        self._heartbeat_ms = heartbeat_ms
        self._links: dict[str, Link] = {}
        self._flights: dict[str, Flight] = {}
        self._give_ups: dict[str, asyncio.TimerHandle] = {}  # by node: when its calls are lost
        self._changed = asyncio.Event()
        self._stopping = False
        self._watch: asyncio.Task[None] | None = None

    # ---- life

    def start(self) -> None:
        """Begin to watch heartbeats."""
        self._stopping = False
        self._watch = asyncio.create_task(self._watch_heartbeats())

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
        for link in list(self._links.values()):
            link.end("the dispatcher is stopping")
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
                while self._links.keys().isdisjoint(nodes) and not self._stopping:
                    await self.changed()
        if self._stopping:
            return {}
        return {
            node: self._links[node].instance == instance
            for node, instance in nodes.items()
            if node in self._links
        }

    def connected(self) -> set[str]:
        """The nodes that have a live stream."""
        return set(self._links)

    # ---- calls

    def launch(self, flight: Flight) -> None:
        """Send a call to its node; its ``done`` tells what came of it.

        ``done`` fails with :class:`NodeLost` when the node is gone; ``flight.sent`` then says
        whether the call may have run.
        """
        link = self._links.get(flight.node)
        if link is None or self._stopping:
            why = "the dispatcher is stopping" if self._stopping else "it is not connected"
            flight.fail(NodeLost(f"node {flight.node} cannot be asked: {why}", flight.node))
            return
        flight.instance = link.instance
        self._flights[flight.id] = flight
        link.launch(flight)

    def land(self, flight: Flight) -> None:
        """A call is over for the caller; what may still come of it is dropped."""
        self._flights.pop(flight.id, None)

    def cancel(self, flight: Flight, reason: str) -> None:
        """Ask the node to stop a call."""
        link = self._links.get(flight.node)
        if link is not None and link.instance == flight.instance:
            link.cancel(flight.id, reason)

    def answer(self, flight: Flight, answer: edge_pb2.Answer) -> None:
        """Give an answer of the client to the node that asked; one that is away asks again."""
        link = self._links.get(flight.node)
        if link is not None and link.instance == flight.instance:
            link.send(edge_pb2.AttachResponse(answer=answer))

    # ---- streams

    def admit(self, register: edge_pb2.Register, sink: Sink) -> Link:
        """An agent has come: take it in, welcome it, and give it back the calls it holds.

        The same process replaces its own stream; another takes a name only from an agent whose
        heartbeats are overdue.

        Raises:
            NameTaken: another live agent has the name.
            ValueError: the registration cannot be used; one line with field and mend.
        """
        known = self._links.get(register.node)
        if known is not None and known.instance != register.instance and known.node.placeable:
            raise NameTaken(
                f"node: another live agent is called {register.node!r}; give one of them another "
                f"name, or stop it"
            )
        node = self._registry.attach(register)
        if known is not None:
            known.end("the agent has connected anew")
        now_s = asyncio.get_running_loop().time()
        link = self._links[node.name] = Link(node, register.instance, sink, now_s)
        welcome = edge_pb2.Welcome(
            dispatcher_version=__version__,
            heartbeat_ms=self._heartbeat_ms,
            modules=self.prefetch(),
        )
        link.send(edge_pb2.AttachResponse(welcome=welcome))
        self._resend(link)
        self._tell_changed()
        log.info("node %s attached (instance %s)", node.name, register.instance[:8])
        return link

    def received(self, link: Link, message: edge_pb2.AttachRequest) -> None:
        """A message came on a stream."""
        link.heard_s = asyncio.get_running_loop().time()
        kind = message.WhichOneof("message")
        if kind == "result":
            self._on_result(link, message.result)
        elif kind == "chunk":
            self._on_chunk(link, message.chunk)
        elif kind == "heartbeat":
            self._on_heartbeat(link, message.heartbeat)
        elif kind == "progress":
            self._on_news(link, message.progress)
        elif kind == "log":
            _on_log(link, message.log)
            self._on_news(link, message.log)
        elif kind == "pong":
            self._on_pong(link, message.pong)
        elif kind == "question":
            self._on_question(link, message.question)
        elif kind == "draining":
            self._on_draining(link, message.draining)

    def lost(self, link: Link) -> None:
        """A stream has ended."""
        if self._links.get(link.node.name) is not link:
            return  # replaced by a newer stream
        del self._links[link.node.name]
        log.info("node %s is gone", link.node.name)
        self._registry.detach(link.node)
        held = False
        for flight in list(self._flights.values()):
            if flight.node == link.node.name and not flight.done.done():
                flight.interrupted()
                if flight.repeatable:
                    flight.fail(_lost(flight, "was lost"))
                else:
                    held = True
        if held:
            loop = asyncio.get_running_loop()
            self._give_ups[link.node.name] = loop.call_later(
                RECONNECT_S, self._give_up, link.node.name
            )
        self._tell_changed()

    def _on_result(self, link: Link, result: edge_pb2.Result) -> None:
        flight = self._flights.get(result.call_id)
        if flight is None or flight.node != link.node.name:
            link.acknowledge(result.call_id)  # nobody waits for it any more
        elif flight.take_result(result):
            link.acknowledge(result.call_id)

    def _on_chunk(self, link: Link, chunk: edge_pb2.Chunk) -> None:
        flight = self._flights.get(chunk.call_id)
        if flight is not None and flight.node == link.node.name and flight.take_chunk(chunk.data):
            link.acknowledge(chunk.call_id)

    def _on_heartbeat(self, link: Link, beat: edge_pb2.Heartbeat) -> None:
        self._registry.heartbeat(link.node, beat)
        link.ping(link.heard_s)
        if not link.node.placeable and not link.draining:
            self._registry.resume(link.node)

    def _on_pong(self, link: Link, pong: edge_pb2.Ping) -> None:
        took_ms = link.took_ms(pong, link.heard_s)
        if took_ms is not None and link.node.placeable:
            link.node.rtt_ms = self.measured(link.node.name, took_ms)

    def _on_news(self, link: Link, news: edge_pb2.Progress | edge_pb2.Log) -> None:
        flight = self._flights.get(news.call_id)
        if flight is not None and flight.node == link.node.name and flight.on_news is not None:
            flight.on_news(news)

    def _on_question(self, link: Link, question: edge_pb2.Question) -> None:
        flight = self._flights.get(question.call_id)
        if flight is not None and flight.node == link.node.name and flight.questions is not None:
            flight.questions.heard(question)
        elif not (question.withdrawn or question.more):
            answer = edge_pb2.Answer(call_id=question.call_id, id=question.id, body=_NOBODY)
            link.send(edge_pb2.AttachResponse(answer=answer))

    def _on_draining(self, link: Link, draining: edge_pb2.Draining) -> None:
        log.info("node %s drains: %s", link.node.name, draining.reason or "no reason given")
        link.draining = True
        self._registry.suspend(link.node)

    # ---- loss and return

    def _resend(self, link: Link) -> None:
        """An agent is back: the same process gets its calls again, another has lost them."""
        timer = self._give_ups.pop(link.node.name, None)
        if timer is not None:
            timer.cancel()
        for flight in list(self._flights.values()):
            if flight.node != link.node.name or flight.done.done():
                continue
            if flight.instance == link.instance:
                flight.interrupted()
                link.launch(flight)
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
            for link in list(self._links.values()):
                # What this process slept through is not the agents' silence.
                link.heard_s += max(late_s, 0.0)
                silent_s = now_s - link.heard_s
                if silent_s > DEAD_BEATS * beat_s:
                    link.end("no heartbeat came for too long")
                elif silent_s > STALE_BEATS * beat_s and link.node.placeable:
                    log.warning("node %s: heartbeats are overdue", link.node.name)
                    self._registry.suspend(link.node)


def module_of(server: str, sha256: str, size_bytes: int) -> edge_pb2.Module:
    """A module as the wire names it."""
    return edge_pb2.Module(server=server, sha256=sha256, size_bytes=size_bytes)


def payload_of(body: bytes) -> edge_pb2.Payload:
    """A body inline, or only its size where it travels in chunks."""
    if len(body) > INLINE_MAX:
        return edge_pb2.Payload(size_bytes=len(body))
    return edge_pb2.Payload(inline=body, size_bytes=len(body))


def _lost(flight: Flight, what: str) -> NodeLost:
    return NodeLost(f"node {flight.node} {what} while it held the call", flight.node)


def _on_log(link: Link, entry: edge_pb2.Log) -> None:
    name = f"sanderling.node.{link.node.name}"
    logging.getLogger(name).log(_LEVELS.get(entry.level, logging.INFO), "%s", entry.message)


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
