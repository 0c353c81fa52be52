"""``edge-agent run``: the parts put together, and how they stop."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from edge_agent.attachment.attachment import DRAIN_S, Attachment
from edge_agent.attachment.heartbeat import Heartbeats
from edge_agent.backends.servers.servers import Servers
from edge_agent.backends.wasm import WasmBackend
from edge_agent.board.capabilities import cores, describe
from edge_agent.board.sensors import Board
from edge_agent.board.speed import measure
from edge_agent.calls.queue import CallQueue, Rules
from edge_agent.calls.updates import ResourceUpdated
from edge_agent.config.agent_config import AgentConfig
from edge_agent.config.directories import cache_directory
from edge_agent.engine.limits import LARGEST_MEMORY_MIB, MIB
from edge_agent.engine.runtime import WasmEngine
from edge_agent.memory import give_back, use_one_arena
from edge_agent.threads import start_essential, tell_of_ends
from ground.descriptors import raise_limit

# After this long past its drain an agent that hangs is ended all the same.
_GRACE_S: Final = 1.5
# Kept sessions hold at most this part of the memory for calls: a half.
SESSIONS_SHARE: Final = 2
_PARENT_CHECK_S: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1
_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PARENT_DIED: Final = signal.SIGUSR2
_log = logging.getLogger(__name__)


def run_agent(config: AgentConfig, parent_pid: int | None = None) -> None:
    """Run an agent until it is told to stop; prints the ready line on stdout.

    With ``parent_pid`` it also stops when that process dies.

    Raises:
        TokenRefused, ConfigError: the dispatcher or the board will not have it.
    """
    use_one_arena()
    raise_limit()
    tell_of_ends()
    # Blocked in every thread, so that one thread takes them in a plain wait:
    # a handler could run inside a lock that it needs itself.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOPS, _PARENT_DIED})
    attachment, closing = build(config)
    start_essential(lambda: _await_stop(attachment, parent_pid), "signals")
    try:
        attachment.run(lambda: _begin(config))
    finally:
        closing.close()


def build(config: AgentConfig) -> tuple[Attachment, contextlib.ExitStack]:
    """Measure the board and put the agent's parts together; the second closes them."""
    slots = config.slots or cores()
    engine = WasmEngine(cache_directory(config.state), concurrency=slots + 1)
    # The attachment is made last, for it reports what the engine measures.
    backend = WasmBackend(
        engine,
        lambda module: attachment.fetcher.fetch(module),  # noqa: PLW0108
        config.mounts,
        config.egress.make(),
        config.env,
    )
    closing = contextlib.ExitStack()
    closing.callback(backend.close)
    servers = Servers(
        config.servers,
        config.state,
        told=lambda: attachment.describe(replace(attachment.report, servers=servers.reports())),
        mounts=config.mounts,
        updated=lambda server, backend, uri: attachment.send(ResourceUpdated(server, backend, uri)),
    )
    closing.callback(servers.close)
    board = Board()
    report = describe(
        engine,
        backends=(backend.name, *servers.backends),
        mounts=config.mounts,
        features=(*config.features, *config.egress.features()),
        slots=slots,
        memory_mib=config.memory_mib,
        tier=config.tier,
        site=config.site,
        labels=config.labels,
        servers=servers.reports(),
        egress=config.egress.rules,
        board=board.state,
    )
    engine.sessions.memory_bytes = report.memory_mib * MIB // SESSIONS_SHARE
    rules = Rules(
        node=config.name,
        site=config.site,
        mounts=config.mounts,
        policy=config.policy,
        limits=replace(
            config.limits,
            memory_mib=min(config.limits.memory_mib, report.memory_mib, LARGEST_MEMORY_MIB),
        ),
        slots=slots,
        server_wall_ms=config.server_wall_ms,
        server_slots=servers.slots(),
    )

    def sessions_ended(sessions: Sequence[str]) -> None:
        engine.sessions.over(sessions)
        servers.sessions_ended(sessions)

    attachment = Attachment(
        config.dispatcher,
        config.token,
        config.name,
        report,
        make_queue=lambda send: CallQueue(
            rules,
            {backend.name: backend, **servers.backends},
            send,
            lambda: engine.sessions.held_mib() + servers.held_mib(),
        ),
        make_heartbeats=lambda queue: Heartbeats(
            queue,
            board,
            warm=lambda: [*backend.warm(), *servers.warm()],
            measure=lambda: measure(engine),
            preparing=lambda: _preparing(backend.preparing(), attachment.preparing()),
        ),
        prefetch=backend.prefetch,
        sessions_ended=sessions_ended,
    )
    attachment.attached = servers.attached
    servers.start()
    return attachment, closing


def _preparing(made: Sequence[tuple[str, float]], wanted: Sequence[str]) -> list[tuple[str, float]]:
    """What is not ready yet: what is being made, then what waits for that."""
    begun = {digest for digest, _ in made}
    return [*made, *((digest, 0.0) for digest in wanted if digest not in begun)]


def _begin(config: AgentConfig) -> None:
    """Say that the agent is attached, and keep no more than it needs from now on."""
    line = {"ready": True, "node": config.name, "dispatcher": config.dispatcher}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    give_back()


def _await_stop(attachment: Attachment, parent_pid: int | None) -> None:
    """Wait for a signal, or for the parent's death, and stop the agent.

    By ``sigwait``: Python's ``sigtimedwait`` answers with garbage when the process was stopped and
    continued for longer than its timeout.
    """
    if parent_pid is not None:
        _ask_for_parents_death()
        start_essential(lambda: _watch_parent(parent_pid), "parent")
    number = signal.sigwait({*_STOPS, _PARENT_DIED})
    while number == _PARENT_DIED and os.getppid() == parent_pid:
        # It also comes when the parent's thread that started this process ends.
        number = signal.sigwait({*_STOPS, _PARENT_DIED})
    reason, within_s = f"received {signal.Signals(number).name}", DRAIN_S
    if number == _PARENT_DIED:
        reason, within_s = "its parent process died", 0.0
    attachment.stop(reason, within_s)
    time.sleep(within_s + _GRACE_S)
    _log.warning("the agent did not stop in time and is ended")
    os._exit(0)


def _watch_parent(parent_pid: int) -> None:
    """Tell the thread that waits for signals when the parent has died."""
    while os.getppid() == parent_pid:
        time.sleep(_PARENT_CHECK_S)
    os.kill(os.getpid(), _PARENT_DIED)


def _ask_for_parents_death() -> None:
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(_PARENT_DIED))
    except (AttributeError, OSError):
        _log.debug("no parent death signal here; the parent is watched instead")
