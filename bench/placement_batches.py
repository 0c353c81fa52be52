"""``python -m bench.placement_batches``: chains and contended batches, against plain CP-SAT.

A batch: calls of uneven work on nodes of uneven speed, 30 % of the pairs allowed, slots for
``ROOM`` times the calls. All calls want the fast nodes, so these contend. The plain model is the
same constraints over every allowed pair, from the same time limit, without bound or first answer.
"""

import sys
import time

import numpy as np

from solver import CallSpec, NodeTable, Placed, Profile, place_batch
from solver.assign import assign
from solver.board import Resources
from solver.cp_sat import Contention, least_cost, most_calls
from solver.local_search import total_ms

ROOM = 5.0
# calls, nodes, time limit in seconds
BATCHES = ((100, 100, 10.0), (500, 100, 10.0), (1000, 200, 10.0), (1000, 1000, 5.0))


def batch(calls: int, nodes: int, seed: int = 0) -> tuple[np.ndarray, Resources]:
    """Costs (calls x nodes, inf where not allowed) and what calls need and nodes have."""
    rng = np.random.default_rng(seed)
    speed = rng.choice([1, 2, 4, 8], nodes, p=[0.4, 0.3, 0.2, 0.1])
    work_ms = rng.gamma(2, 40, calls)
    cost = work_ms[:, None] / speed + rng.uniform(1, 40, nodes) + rng.uniform(0, 5, (calls, nodes))
    cost[rng.random((calls, nodes)) > 0.3] = np.inf
    need = rng.choice([16.0, 32.0, 64.0, 128.0], calls)
    slots = np.maximum(1, np.round(ROOM * calls / nodes * rng.uniform(0.5, 1.5, nodes)))
    return cost, Resources.of(need, np.round(slots * rng.choice([48, 64, 96], nodes)), slots)


def plain(cost: np.ndarray, held: Resources, limit_s: float) -> tuple[np.ndarray, bool]:
    """The CP-SAT model alone: as many calls as possible, then the least cost of so many."""
    began = time.perf_counter()
    problem = Contention(cost, held.memory_need, held.memory_have, held.slots_have)
    first, most = most_calls(problem, np.full(len(cost), -1), limit_s)
    rest_s = limit_s - (time.perf_counter() - began)
    found = least_cost(problem, first, np.isfinite(cost), rest_s, 0.0)
    return found.node, most and found.proven


def chain(steps: int, nodes: int) -> tuple[NodeTable, list[CallSpec]]:
    """A table with all links, and a chain whose steps cost differently on every node."""
    from bench.placement import world

    table, call = world(nodes)
    rng = np.random.default_rng(nodes)
    for i in range(nodes):
        for j in range(i):
            table.link(
                f"n{i}",
                f"n{j}",
                rtt_ms=float(rng.uniform(0.5, 40)),
                mbit_s=float(rng.choice([10, 100, 1000])),
            )
    calls = [
        CallSpec(
            origin=call.origin,
            profile=Profile(table, dict(zip(table.ids, rng.uniform(1, 100, nodes), strict=True))),
            input_kib=1,
            output_kib=100,
            memory_mib=32,
        )
        for _ in range(steps)
    ]
    return table, calls


def main() -> None:
    """One line per chain and batch; numbers as arguments pick batches (from 0)."""
    for steps, nodes in ((10, 1000), (20, 1000)):
        table, calls = chain(steps, nodes)
        after = [(), *((k,) for k in range(steps - 1))]
        assert all(isinstance(r, Placed) for r in place_batch(table, calls, after))
        spent = []
        for _ in range(20):
            began = time.perf_counter()
            place_batch(table, calls, after)
            spent.append(time.perf_counter() - began)
        print(f"chain of {steps} on {nodes} nodes: {np.median(spent) * 1e3:.1f} ms")
    print(
        f"{'calls x nodes':>14} {'ours s':>7} {'proven':>7} {'gap %':>7}  {'plain s':>7} {'proven':>7} {'dearer %':>8} {'ratio':>6}"
    )
    chosen = [int(k) for k in sys.argv[1:]] or range(len(BATCHES))
    for calls_n, nodes, limit_s in (BATCHES[k] for k in chosen):
        cost, held = batch(calls_n, nodes)
        began = time.perf_counter()
        ours = assign(cost, held, began + limit_s, 0.0)
        ours_s = time.perf_counter() - began
        began = time.perf_counter()
        node, proven = plain(cost, held, limit_s)
        plain_s = time.perf_counter() - began
        total = total_ms(cost, ours.node)
        gap = 100 * (total - ours.bound_ms) / total
        found = int((node >= 0).sum())
        dearer = 100 * (total_ms(cost, node) / total - 1) if found == calls_n else np.nan
        print(
            f"{f'{calls_n} x {nodes}':>14} {ours_s:7.2f} {ours.proven!s:>7} {gap:7.3f}  "
            f"{plain_s:7.2f} {proven!s:>7} {dearer:8.2f} {plain_s / ours_s:5.1f}x"
        )


if __name__ == "__main__":
    main()
