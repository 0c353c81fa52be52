"""``python -m bench.placement``: the exact path against CP-SAT, the same call in the same run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    import numpy as np

    from solver import CallSpec, Node, NodeTable, Placed, Profile, place_one
    from solver.instance.batch_arrays import Resources
    from solver.instance.costs import cost_ms
    from solver.sum.assign_model import Contention, least_cost


SIZES = (10, 100, 1000)


def world(size: int) -> tuple[NodeTable, CallSpec]:
    """A table of ``size`` nodes on ten sites, and a call that two thirds of them may run."""
    rng = random.Random(size)
    table = NodeTable(
        Node(
            id=f"n{i}",
            memory_mib=512,
            slots=2,
            tier=("device", "edge", "cloud")[i % 3],
            site=f"site{i % 10}",
            isa="x86_64" if i % 2 else "aarch64",
            backends=frozenset({"wasm"}),
            features=frozenset({"gpu"} if i % 3 else ()),
            mounts=("/logs",),
        )
        for i in range(size)
    )
    for i in range(1, size):
        table.link("n0", f"n{i}", rtt_ms=40 * rng.random(), mbit_s=rng.choice([10, 100, 1000]))
    profile = Profile(
        table,
        {f"n{i}": 100 * rng.random() for i in range(size)},
        {f"n{i}": rng.choice([0.3, 3.0]) for i in range(size)},
    )
    return table, CallSpec(
        origin="n0",
        profile=profile,
        input_kib=300,
        output_kib=20,
        memory_mib=32,
        backend=("wasm",),
        requires=("gpu",),
        data=("/logs/a.log",),
        deny=frozenset({"n1"}),
    )


def exact(table: NodeTable, call: CallSpec) -> str:
    """What the dispatcher does for every call."""
    placed = place_one(table, call)
    assert isinstance(placed, Placed)
    return placed.node


def by_cp_sat(table: NodeTable, call: CallSpec) -> str:
    """The same call through the CP-SAT model, its filters and costs included."""
    cost = cost_ms(table, call)[None, :]
    held = Resources.of(np.array([call.memory_mib]), table.memory_mib, table.slots)
    problem = Contention(cost, held.memory_need, held.memory_have, held.slots_have)
    found = least_cost(problem, cost.argmin(axis=1), np.isfinite(cost), 10.0, 0.0)
    assert found.proven
    return table.ids[int(found.node[0])]


def median_us(run: Callable[[], object], table: NodeTable, rounds: int) -> float:
    """Median time of a run, each after one heartbeat."""
    rng = random.Random(7)
    spent = []
    for _ in range(rounds):
        table.update(rng.choice(table.ids), queue_ms=10 * rng.random())
        began = time.perf_counter()
        run()
        spent.append(time.perf_counter() - began)
    return float(np.median(spent)) * 1e6


def main() -> None:
    """Print one line per size."""
    parser(__doc__, "bench.placement", json_too=False).parse_args()
    print(f"{'nodes':>6} {'exact us':>10} {'CP-SAT us':>10} {'ratio':>7}")
    for size in SIZES:
        table, call = world(size)
        assert exact(table, call) == by_cp_sat(table, call)
        fast = median_us(lambda: exact(table, call), table, 2000)  # noqa: B023 - run at once
        slow = median_us(lambda: by_cp_sat(table, call), table, 30)  # noqa: B023 - run at once
        print(f"{size:>6} {fast:>10.1f} {slow:>10.0f} {slow / fast:>6.0f}x")


if __name__ == "__main__":
    main()
