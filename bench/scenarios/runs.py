"""Every scheduler on a scenario, and a judge that shares no code with any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bench.scenarios.chains import READINGS, SCENARIOS, SLOTS, Reading, problem_of
from solver import Call, CallSpec, Label, NodeTable, Placed, Problem, place
from solver.baselines import SCHEDULERS, Scheduler
from solver.instance.order import Order, inherited_labels

Where = dict[str, str]  # call -> node

# Every call on one node, whatever the constraints say: what "cloud-only" means in the paper.
NAIVE: Final = {"device_only": "device", "edge_only": "edge", "cloud_only": "cloud"}
CP_SAT: Final = "cp_sat"
REFERENCE: Final = "cloud_only"
METHODS: Final = (*NAIVE, *(name for name in SCHEDULERS if name != CP_SAT), CP_SAT)


@dataclass(frozen=True, slots=True)
class Run:
    """What one scheduler made of one scenario.

    Attributes:
        latency_ms: from the first input sent to the last output back.
        violations: calls that run where a constraint forbids.
        ratio: latency of ``cloud_only`` over this one's; above 1 is faster.
    """

    reading: Reading
    scenario: str
    scheduler: str
    where: Where
    latency_ms: float
    violations: int
    ratio: float


def all_runs() -> list[Run]:
    """Every scheduler on every scenario under both readings of privacy."""
    return [
        run for reading in READINGS for scenario in SCENARIOS for run in runs_of(scenario, reading)
    ]


def runs_of(scenario: str, reading: Reading) -> list[Run]:
    """Every scheduler on one scenario."""
    problem = problem_of(scenario, reading)
    wheres = {method: placement(problem, method) for method in METHODS}
    reference_ms = latency_ms(problem, wheres[REFERENCE])
    found = []
    for method, where in wheres.items():
        taken_ms = latency_ms(problem, where)
        broken = len(violations(problem, where))
        found.append(
            Run(reading, scenario, method, where, taken_ms, broken, reference_ms / taken_ms)
        )
    return found


def placement(problem: Problem, method: str) -> Where:
    """Where a scheduler puts each call.

    ``cp_sat`` sees the whole scenario and minimises the moment of the last output; the others
    see one call after the other and know where its predecessors went.
    """
    if method in NAIVE:
        return {call.id: NAIVE[method] for call in problem.calls}
    if method == CP_SAT:
        answer = place(problem)
        if answer.status != "optimal":
            raise AssertionError(f"{method}: {answer.status} instead of optimal")
        return {p.call: p.node for p in answer.placements}
    return one_by_one(problem, SCHEDULERS[method]())


def one_by_one(problem: Problem, scheduler: Scheduler) -> Where:
    """Place the calls in their order, each with the outputs of those that it comes after."""
    table = NodeTable(problem.nodes, problem.links)
    order = Order.of(problem.calls)
    labels: Iterable[tuple[Label, ...]] = inherited_labels(problem.calls, order)
    kib = {call.id: call.output_kib for call in problem.calls}
    where: Where = {}
    for c, (call, inherited) in enumerate(zip(problem.calls, labels, strict=True)):
        spec = CallSpec.of(table, call, inherited, returns=not order.behind[c])
        spec = replace(spec, inputs=tuple((where[before], kib[before]) for before in call.after))
        placed = scheduler(table, spec)
        if not isinstance(placed, Placed):
            raise AssertionError(f"{call.id}: no node may run it")  # noqa: TRY004 - not a wrong type
        where[call.id] = placed.node
    return where


# ---- the judge


def latency_ms(problem: Problem, where: Mapping[str, str]) -> float:
    """The longest way through the scenario: transfers and runs, from first input to last output.

    Exact as long as no more calls run at once than a node has slots, which is asserted.
    """
    assert max(_at_once(problem.calls)) <= SLOTS
    travel = _travel(problem)
    ends: dict[str, float] = {}
    last_ms = 0.0
    followed = {before for call in problem.calls for before in call.after}
    kib = {call.id: call.output_kib for call in problem.calls}
    for call in problem.calls:
        at = where[call.id]
        ready = [travel(call.origin, at, call.input_kib)]
        ready += [ends[p] + travel(where[p], at, kib[p]) for p in call.after]
        ends[call.id] = max(ready) + call.start_ms.get(at, 0.0) + call.exec_ms[at]
        if call.id not in followed:
            home_ms = ends[call.id] + travel(at, call.origin, call.output_kib)
            last_ms = max(last_ms, home_ms)
    return last_ms


def floor_ms(problem: Problem) -> float:
    """What no placement can beat: every call on its fastest allowed node, over a free network."""
    ends: dict[str, float] = {}
    for call in problem.calls:
        able = [n.id for n in problem.nodes if call.allow is None or n.id in call.allow]
        begin_ms = max((ends[before] for before in call.after), default=0.0)
        ends[call.id] = begin_ms + min(call.exec_ms[node] for node in able)
    return max(ends.values())


def violations(problem: Problem, where: Mapping[str, str]) -> list[str]:
    """The calls that run where privacy, an allow list or a requirement forbids."""
    nodes = {node.id: node for node in problem.nodes}
    calls = {call.id: call for call in problem.calls}
    found = []
    for call in problem.calls:
        node = nodes[where[call.id]]
        fine = call.allow is None or node.id in call.allow
        fine = fine and node.id not in call.deny and node.id in call.exec_ms
        fine = fine and all(what in node.features or what == node.isa for what in call.requires)
        for private in _came_from(call, calls):
            if private.privacy == "site":
                fine = fine and node.site == nodes[private.origin].site
            elif private.privacy == "node":
                fine = fine and node.id == private.origin
        if not fine:
            found.append(call.id)
    return found


def _came_from(call: Call, calls: Mapping[str, Call]) -> list[Call]:
    """The call and all whose data reaches it."""
    return [call] + [far for before in call.after for far in _came_from(calls[before], calls)]


def _at_once(calls: Iterable[Call]) -> list[int]:
    """How many calls stand at each distance from the start: in these scenarios, side by side."""
    depth: dict[str, int] = {}
    for call in calls:
        depth[call.id] = max((depth[before] + 1 for before in call.after), default=0)
    return [list(depth.values()).count(level) for level in set(depth.values())]


def _travel(problem: Problem) -> Callable[[str, str, float], float]:
    links = {frozenset((link.a, link.b)): link for link in problem.links}

    def travel(a: str, b: str, kib: float) -> float:
        if a == b:
            return 0.0
        link = links[frozenset((a, b))]
        return link.rtt_ms / 2 + kib * 8.192 / link.mbit_s

    return travel
