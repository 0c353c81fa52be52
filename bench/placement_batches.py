"""``python -m bench.placement_batches``: chains and contended batches, against plain CP-SAT.

Two kinds of batches, each with 30 % of the pairs allowed. *even*: every pair has a cost of its own,
nodes have 2 to 11 slots of 64 MiB, so that memory and slots both bind. *uneven*: calls of uneven
work on nodes of uneven speed with slots for ``ROOM`` times the calls; all want the fast nodes. The
plain model is written with ortools' own ``CpModel`` and its default parameters, over every allowed
pair, from the same time limit, without bound or first answer.
"""

from __future__ import annotations

import time

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    import numpy as np
    from ortools.sat.python import cp_model

    from solver import CallSpec, NodeTable, Placed, Profile, place_batch
    from solver.instance.batch_arrays import Resources
    from solver.sum.assign import assign
    from solver.sum.local_search import total_ms


ROOM = 5.0
# kind, calls, nodes, time limit in seconds
BATCHES = (
    ("even", 100, 100, 10.0),
    ("even", 500, 100, 10.0),
    ("even", 1000, 200, 10.0),
    ("even", 1000, 1000, 5.0),
    ("uneven", 100, 100, 10.0),
    ("uneven", 500, 100, 10.0),
    ("uneven", 1000, 200, 10.0),
    ("uneven", 1000, 1000, 5.0),
)
# What CP-SAT counts costs in: finer than anyone measures.
PER_MS = 1e6


def batch(
    calls: int, nodes: int, seed: int = 0, kind: str = "uneven"
) -> tuple[np.ndarray, Resources]:
    """Costs (calls x nodes, inf where not allowed) and what calls need and nodes have."""
    rng = np.random.default_rng(seed)
    need = rng.choice([16.0, 32.0, 64.0, 128.0], calls)
    if kind == "even":
        cost = rng.uniform(1, 100, (calls, nodes))
        slots = rng.integers(2, 12, nodes).astype(float)
        memory = slots * 64
    else:
        speed = rng.choice([1, 2, 4, 8], nodes, p=[0.4, 0.3, 0.2, 0.1])
        work_ms = rng.gamma(2, 40, calls)
        cost = work_ms[:, None] / speed + rng.uniform(1, 40, nodes)
        cost += rng.uniform(0, 5, (calls, nodes))
        slots = np.maximum(1, np.round(ROOM * calls / nodes * rng.uniform(0.5, 1.5, nodes)))
        memory = np.round(slots * rng.choice([48, 64, 96], nodes))
    cost[(rng.random((calls, nodes)) > 0.3) | (need[:, None] > memory)] = np.inf
    return cost, Resources.of(need, memory, slots)


def plain(cost: np.ndarray, held: Resources, limit_s: float) -> tuple[np.ndarray, bool]:
    """CP-SAT alone, as its manual would have it; every call must run."""
    model = cp_model.CpModel()
    call, node = np.nonzero(np.isfinite(cost))
    x = [model.new_bool_var("") for _ in call]
    by_call: list[list[int]] = [[] for _ in cost]
    by_node: list[list[int]] = [[] for _ in cost[0]]
    for k, (c, n) in enumerate(zip(call, node, strict=True)):
        by_call[c].append(k)
        by_node[n].append(k)
    for pairs in by_call:
        model.add_exactly_one(x[k] for k in pairs)
    for n, pairs in enumerate(by_node):
        literals = [x[k] for k in pairs]
        needs = [int(held.memory_need[call[k]]) for k in pairs]
        model.add(cp_model.LinearExpr.weighted_sum(literals, needs) <= int(held.memory_have[n]))
        model.add(cp_model.LinearExpr.sum(literals) <= int(held.slots_have[n]))
    units = np.rint(cost[call, node] * PER_MS).astype(np.int64).tolist()
    model.minimize(cp_model.LinearExpr.weighted_sum(x, units))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = limit_s
    status = solver.solve(model)
    found = np.full(len(cost), -1)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        chosen = [k for k, literal in enumerate(x) if solver.value(literal)]
        found[call[chosen]] = node[chosen]
    return found, status == cp_model.OPTIMAL


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
    """One line per chain and batch."""
    arguments = parser(__doc__, "bench.placement_batches", "0 2", json_too=False)
    last = len(BATCHES) - 1
    arguments.add_argument("batch", type=int, nargs="*", help=f"0 to {last} (default: all)")
    chosen = arguments.parse_args().batch or range(len(BATCHES))
    if not all(0 <= k <= last for k in chosen):
        arguments.error(f"a batch is a number from 0 to {last}")
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
        f"{'kind':>7} {'calls x nodes':>14} {'ours s':>7} {'proven':>7} {'gap %':>7}  {'plain s':>7} {'proven':>7} {'dearer %':>8} {'ratio':>6}"
    )
    # The plain model's part of ortools is loaded by now; this loads ours.
    assign(*batch(100, 20, kind="even"), time.perf_counter() + 1.0, 0.0)
    for kind, calls_n, nodes, limit_s in (BATCHES[k] for k in chosen):
        cost, held = batch(calls_n, nodes, kind=kind)
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
            f"{kind:>7} {f'{calls_n} x {nodes}':>14} {ours_s:7.2f} {ours.proven!s:>7} {gap:7.3f}  "
            f"{plain_s:7.2f} {proven!s:>7} {dearer:8.2f} {plain_s / ours_s:5.1f}x"
        )


if __name__ == "__main__":
    main()
