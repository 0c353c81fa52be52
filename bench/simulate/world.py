"""The simulated world: nodes on sites, links from where calls come from, and kinds of calls."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from dispatcher.placement.network import OTHER_SITE_MBIT_S, OTHER_SITE_RTT_MS
from solver import Node
from solver.problem import Privacy

SITE_SIZE: Final = 20
ORIGINS_MOST: Final = 200
CLOUDS_LINKED: Final = 30


@dataclass(frozen=True, slots=True)
class Tier:
    """What the machines of a tier have; ``speed`` divides the work of a call."""

    memory_mib: float
    slots: int
    speed: float


TIERS: Final = {
    "device": Tier(512, 2, 1.0),
    "edge": Tier(4096, 4, 4.0),
    "cloud": Tier(16384, 16, 8.0),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call. ``work_ms`` is its run time at speed 1; ``share`` how often it comes."""

    name: str
    work_ms: float
    input_kib: float
    output_kib: float
    memory_mib: float
    share: float
    privacy: Privacy = "public"
    requires: tuple[str, ...] = ()
    local: bool = False  # reads files of the origin's site
    idempotent: bool = True


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("parse_logs", 40, 90, 190, 64, 0.3, privacy="site", local=True),
        Kind("read_file", 5, 1, 480, 32, 0.2, privacy="node", local=True),
        Kind("write_file", 8, 480, 1, 32, 0.1, privacy="site", local=True, idempotent=False),
        Kind("fetch", 120, 1, 50, 64, 0.2),
        Kind("resize_image", 200, 800, 60, 256, 0.15),
        Kind("detect_objects", 300, 600, 4, 1024, 0.05, requires=("gpu",)),
    )
}


@dataclass(frozen=True, slots=True)
class Way:
    """A link from an origin to a node."""

    a: str
    b: str
    rtt_ms: float
    mbit_s: float

    def travel_ms(self, kib: float) -> float:
        """How long a message takes."""
        return self.rtt_ms / 2 + kib * 8.192 / self.mbit_s


_AVERAGE: Final = Way("", "", OTHER_SITE_RTT_MS, OTHER_SITE_MBIT_S)


@dataclass(slots=True)
class World:
    """Nodes, the origins among them, and the ways that somebody measured."""

    nodes: list[Node] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    ways: dict[tuple[str, str], Way] = field(default_factory=dict)

    def travel_ms(self, origin: str, node: str, kib: float) -> float:
        """How long a message takes; a way that is not among ``ways`` is an average one."""
        if origin == node:
            return 0.0
        way = self.ways.get((origin, node))
        return (way or _AVERAGE).travel_ms(kib)


def world_of(size: int, rng: random.Random) -> World:
    """``size`` nodes: of each 20, four at the edge, one in the cloud, the rest devices."""
    world = World([_node(i) for i in range(size)])
    clouds = [node.id for node in world.nodes if node.tier == "cloud"]
    sites: dict[str | None, list[str]] = {}
    for node in world.nodes:
        sites.setdefault(node.site, []).append(node.id)
    firsts = [node for i, node in enumerate(world.nodes) if i % SITE_SIZE == 0]
    for origin in firsts[:ORIGINS_MOST]:
        world.origins.append(origin.id)
        for other in sites[origin.site]:
            if other != origin.id:
                way = Way(origin.id, other, rng.uniform(0.5, 3), rng.choice([100.0, 900.0]))
                world.ways[origin.id, other] = way
        for other in rng.sample(clouds, min(CLOUDS_LINKED, len(clouds))):
            way = Way(origin.id, other, rng.uniform(20, 60), rng.choice([50.0, 300.0]))
            world.ways[origin.id, other] = way
    return world


def _node(i: int) -> Node:
    place = i % SITE_SIZE
    tier = "cloud" if place == 2 else "edge" if place % 5 == 1 else "device"
    site = "away" if tier == "cloud" else f"site{i // SITE_SIZE}"
    gpu = tier == "cloud" or place == 1
    return Node(
        id=f"n{i}",
        tier=tier,
        site=site,
        memory_mib=TIERS[tier].memory_mib,
        slots=TIERS[tier].slots,
        isa="aarch64" if tier == "device" else "x86_64",
        features=frozenset({"gpu"} if gpu else ()),
        backends=frozenset({"wasm"}),
        mounts=() if tier == "cloud" else (f"/data/{site}",),
    )
