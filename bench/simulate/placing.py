"""The dispatcher's half: its own registry, profiles, policy and scheduler, without its streams.

Nodes register and send heartbeats as agents do, calls go through ``Scheduler.task`` and ``place``
(or are held and placed together, as ``dispatcher.placement.batching`` does), and profiles learn from what
comes back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.simulate.arrivals import Arrival, BadInput
from bench.simulate.world import KINDS, TIERS, World
from dispatcher import config as configuration
from dispatcher.call import Requirements
from dispatcher.errors import CallRefused, ConfigError
from dispatcher.placement.batching import Backlog, Held
from dispatcher.placement.profiles import Profiles
from dispatcher.placement.scheduler import Scheduler
from dispatcher.placement.task import Placement, Task
from dispatcher.registry.artifacts import Artifact, Artifacts
from dispatcher.registry.registry import Registry
from dispatcher.registry.reports import Capabilities, Heartbeat, Registration
from dispatcher.registry.tools import ServerEntry
from dispatcher.store.base import CallRow, ClaimRow, NodeRow, ProfileRow
from protos.contract import DATA_KEY, HINT_KEY
from solver import Node

SPEED: Final = 1000.0  # of a node of speed 1, in the unit of its registration
START_MS: Final = 0.3  # all modules are warm
FILE: Final = "file"


class _Forgetful:
    """A store of nothing: a run is not kept."""

    def open(self) -> None: ...
    def close(self) -> None: ...
    def flush(self) -> None: ...
    def nodes(self) -> Sequence[NodeRow]:
        return ()

    def claims(self) -> Sequence[ClaimRow]:
        return ()

    def profiles(self) -> Sequence[ProfileRow]:
        return ()

    def calls(self, limit: int) -> Sequence[CallRow]:  # noqa: ARG002 - the protocol's
        return ()

    def save_node(self, row: NodeRow) -> None: ...
    def save_claims(self, rows: Iterable[ClaimRow]) -> None: ...
    def save_call(self, row: CallRow, learned: Iterable[ProfileRow] = ()) -> None: ...
    def save_profiles(self, rows: Iterable[ProfileRow]) -> None: ...
    def forget_node(self, name: str) -> None: ...


class Dispatcher:
    """Places calls on what it believes of the nodes.

    Attributes:
        scheduler: the dispatcher's own.
        spent_us: how long each placement took, by the real clock: to work out what binds the
            call, to choose its node and to note that it is there.
        held: how many calls were held to be placed in a batch.
    """

    def __init__(self, world: World, scheduler: str, batch_ms: float) -> None:
        self.spent_us: list[float] = []
        self.held = 0
        store = _Forgetful()
        self._config = _config(world, scheduler, batch_ms)
        self._registry = Registry(Artifacts(), store)
        self._registry.add_servers([_SERVER])
        self._profiles = Profiles(store)
        try:
            self.scheduler = Scheduler(self._config, self._registry, self._profiles)
        except ConfigError as error:
            raise BadInput(f"--scheduler {scheduler}: {error}") from error
        self.backlog = Backlog(self.scheduler, batch_ms if self.scheduler.joins else 0.0)
        self._nodes = {node.id: node for node in world.nodes}
        self._sites = {node.id: node.site for node in world.nodes}
        self._entries = {entry.name: entry for entry in self._registry.tools()}
        self._learn_beforehand(world.nodes[0])
        for node in world.nodes:
            self.joined(node.id)

    @property
    def overruled(self) -> int:
        """How many answers of the scheduler would have broken a constraint."""
        return self.scheduler.overruled

    def place(
        self, call: Arrival, lost_on: frozenset[str], now_ms: float
    ) -> Placement | Held | None:
        """Where a call goes; or that it is held; None where nothing may run it."""
        began = time.perf_counter()
        task = self.task(call)
        try:
            if not lost_on:
                return self.backlog.take(task, now_ms)
            placed = self.scheduler.place(task, lost_on)
        except CallRefused:
            return None
        finally:
            self.spent_us.append((time.perf_counter() - began) * 1e6)
        self.scheduler.began(placed)
        return placed

    def place_held(self) -> list[tuple[Held, Placement | None]]:
        """Where the calls that were held go."""
        began = time.perf_counter()
        found = self.backlog.place()
        spent_us = (time.perf_counter() - began) * 1e6 / max(len(found), 1)
        self.spent_us += [spent_us] * len(found)
        self.held += len(found)
        return [(held, placed if isinstance(placed, Placement) else None) for held, placed in found]

    def answered(self, call: Arrival, placed: Placement, exec_ms: float) -> None:
        """A call is back: learn from it."""
        self.scheduler.ended(placed)
        entry, node = self._entries[call.kind.name], placed.node
        self._profiles.learn_exec(
            entry.key, node.name, node.speed, input_kib=call.kind.input_kib, exec_ms=exec_ms
        )
        self._profiles.learn_start(entry.server, node.name, warm=True, start_ms=START_MS)
        self._profiles.learn_output(entry.key, call.kind.output_kib)
        self.scheduler.costs.learned(entry, node)

    def lost(self, placed: Placement) -> None:
        """Its node vanished with it."""
        self.scheduler.ended(placed)

    def heard(self, name: str, running: int, queued: int, queue_ms: float) -> None:
        """A heartbeat of a node."""
        node = self._registry.node(name)
        assert node is not None
        beat = Heartbeat(running=running, queued=queued, queue_ms=queue_ms)
        self._registry.heartbeat(node, beat)

    def left(self, name: str) -> None:
        """A node is noticed to be gone."""
        node = self._registry.node(name)
        assert node is not None
        self._registry.detach(node)

    def joined(self, name: str) -> None:
        """It registers, empty."""
        self._registry.attach(_registration(self._nodes[name]))

    def _learn_beforehand(self, node: Node) -> None:
        """What an earlier run learned on one node; for the others it is scaled by their speeds."""
        speed = TIERS[node.tier or "device"].speed
        for kind in KINDS.values():
            entry, exec_ms = self._entries[kind.name], kind.work_ms / speed
            self._profiles.learn_exec(
                entry.key, node.id, SPEED * speed, input_kib=kind.input_kib, exec_ms=exec_ms
            )
            self._profiles.learn_output(entry.key, kind.output_kib)
        self._profiles.learn_start(_SERVER.name, node.id, warm=True, start_ms=START_MS)

    def task(self, call: Arrival) -> Task:
        """What binds a call."""
        kind = call.kind
        path = f"/data/{self._sites[call.origin]}/file" if kind.local else ""
        arguments = {FILE: path} if path else {}
        asked = Requirements(origin=call.origin)
        return self.scheduler.task(self._entries[kind.name], arguments, asked, kind.input_kib)


def _config(world: World, scheduler: str, batch_ms: float) -> configuration.Config:
    links = [
        {"a": way.a, "b": way.b, "rtt_ms": way.rtt_ms, "mbit_s": way.mbit_s}
        for way in world.ways.values()
    ]
    values = {
        "dispatcher": {"scheduler": scheduler, "batch_ms": batch_ms, "origin": world.origins[0]},
        "links": links,
    }
    try:
        return configuration.load(None, values)
    except ConfigError as error:
        raise BadInput(str(error).removeprefix("configuration: ")) from error


def _definitions() -> list[dict[str, Any]]:
    found = []
    for kind in KINDS.values():
        hint = {
            "privacy": kind.privacy,
            "requires": list(kind.requires),
            "limits": {"memory_mib": int(kind.memory_mib)},
        }
        found.append(
            {
                "name": kind.name,
                "inputSchema": {"type": "object"},
                "annotations": {"idempotentHint": kind.idempotent},
                "_meta": {HINT_KEY: hint, DATA_KEY: [FILE]},
            }
        )
    return found


_ARTIFACT: Final = Artifact("0" * 64, Path("simulated.wasm"), 0)
_SERVER: Final = ServerEntry("simulated", "1", _ARTIFACT, _definitions())


def _registration(node: Node) -> Registration:
    return Registration(
        node=node.id,
        instance="simulated",
        capabilities=Capabilities(
            isa=node.isa or "",
            cores=node.slots,
            memory_mib=int(node.memory_mib),
            slots=node.slots,
            speed=SPEED * TIERS[node.tier or "device"].speed,
            features=sorted(node.features),
            mounts=[(path, False) for path in node.mounts],
            backends=["wasm"],
            tier=node.tier or "",
            site=node.site or "",
        ),
        load=Heartbeat(warm=[_ARTIFACT.sha256]),
    )
