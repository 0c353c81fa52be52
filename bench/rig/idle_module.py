"""Print by how many MiB an agent's engine grows when it takes up one more module and then waits.

    python -m bench.rig.idle_module CACHE '{"server": ..., "call": [tool, arguments], "mounts": [...]}'

A process of its own for each module, with the module compiled in CACHE by an earlier one:
what a compilation or another module freed, the next would take, and look smaller.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil

from bench.peers.mcp_process import Call
from bench.rig.module import ModuleBench
from edge_agent.mounts import make_mount

# What the first module of all brings with it is the engine's, not the module's.
FIRST = ("data-aggregate", Call("aggregate_list", {"items": []}))
OTHER_FIRST = ("time", Call("get_current_time", {"timezone": "UTC"}))


def resident_mib() -> float:
    """The resident memory of this process."""
    return float(psutil.Process().memory_info().rss) / 2**20


def growth_mib(cache: Path, server: str, call: Call, mounts: list[list[str]]) -> float:
    """The growth from an engine with one module to one with this module besides."""
    places = [make_mount(path, directory) for path, directory in mounts]
    first = OTHER_FIRST if server == FIRST[0] else FIRST
    bench = ModuleBench(cache, *first, ())
    for _ in range(3):
        bench.call()
    before = resident_mib()
    bench.turn_to(server, call, places)
    for _ in range(3):
        bench.call()
    return max(resident_mib() - before, 0.0)


def main() -> None:
    """Measure what the arguments name."""
    told = json.loads(sys.argv[2])
    print(growth_mib(Path(sys.argv[1]), told["server"], Call(*told["call"]), told["mounts"]))


if __name__ == "__main__":
    main()
