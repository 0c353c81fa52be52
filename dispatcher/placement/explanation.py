"""Why a call is refused, in words that an operator can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import solver
from dispatcher.errors import CallRefused
from dispatcher.placement.guard import Guard
from dispatcher.placement.task import Task
from dispatcher.policy import egress
from dispatcher.policy.egress import FEATURE
from dispatcher.policy.flow.labels import Raised
from dispatcher.registry.registry import Registry
from solver import CallSpec, NodeTable, Placed, Verdict
from solver.instance.filters import verdicts

PARTS: Final = ("queue", "start", "exec", "transfer", "surcharge")
SAME_MS: Final = 5e-4  # nearer than this is the same
_MOUNTS_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be placed where, every connected node with its cost or its reasons.

    ``rejected`` counts nodes per reason; ``absent`` names the known nodes that are not
    connected and would run the call. ``runner_up`` is the cheapest node that was not chosen.
    ``label`` is what the call's content adds to its own label; ``rules`` says of reasons which
    rules of the policy stand behind them, as ``policy.toml:14``.
    """

    placed: str | None
    runner_up: str | None
    nodes: tuple[Verdict, ...]
    core: tuple[str, ...]
    mend: str
    why: str
    rejected: Mapping[str, int]
    absent: tuple[str, ...]
    label: Raised | None = None
    rules: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, task: Task, rules: Mapping[str, Sequence[str]]) -> Explanation:
        """The same of a task whose tool has such rules."""
        said = {reason for node in self.nodes for reason in node.reasons} | {*self.rejected}
        kept = {reason: places for reason, places in rules.items() if reason in said}
        mend = self.mend
        if task.raised is not None and self.placed is None:
            mend = _mend_of_label(mend, task.raised, self.core)
        return replace(self, label=task.raised, rules=kept, mend=mend)

    def to_json(self) -> dict[str, Any]:
        """What ``sanderling explain --json`` prints."""
        inner = solver.Explanation(self.placed, self.runner_up, self.nodes, self.core, self.mend)
        form = inner.to_json()
        for node in form["nodes"]:
            node["cost_ms"] = _rounded(node["cost_ms"])
            node["parts"] = {name: _rounded(value) for name, value in node["parts"].items()}
        said = {key: form[key] for key in ("placed", "nodes", "core")} | {"mend": self.mend}
        if self.label is not None:
            said["label"] = self.label.to_json()
        if self.rules:
            said["rules"] = {reason: list(places) for reason, places in self.rules.items()}
        return said


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def explained(table: NodeTable, spec: CallSpec, guard: Guard) -> Explanation:
    """Explain one call as the table is now, and as the scheduler would place it."""
    inner = solver.Refused(table, spec).explain()
    if inner.placed is not None:
        chosen = guard.preview(table, spec)
        inner = _chosen_by(inner, chosen.node if isinstance(chosen, Placed) else inner.placed)
    absent: tuple[str, ...] = ()
    if inner.placed is None and len(table):
        able = ~table.alive & ~verdicts(table, spec).any(axis=0)
        absent = tuple(table.ids[int(i)] for i in able.nonzero()[0])
    mend = inner.mend
    if absent:
        # Needs no change of the policy, so it goes before what the solver suggests.
        mend = f"start {absent[0]} again: it is known, would run this, and is not connected"
    elif inner.placed is None and not inner.nodes:
        mend = "start a node: `sanderling up`, or `edge-agent run` with this dispatcher's address"
    elif inner.placed is None:
        mend = _path_to_name(table, spec) or mend
        if FEATURE in mend:
            mend = _egress_mend(mend, spec)
    return Explanation(
        placed=inner.placed,
        runner_up=inner.runner_up,
        nodes=inner.nodes,
        core=inner.core,
        mend=mend,
        why=_why(inner, guard.name),
        rejected=solver.Refused(table, spec).rejected,
        absent=absent,
    )


def _egress_mend(mend: str, spec: CallSpec) -> str:
    """The same with what to write: a node has the feature once its configuration says where to."""
    said = egress.mend(spec.requires)
    return said if said.startswith("add ") else f"{mend}: {said}"


def _chosen_by(inner: solver.Explanation, node: str) -> solver.Explanation:
    """The same with the scheduler's choice, and the cheapest of the others as runner-up."""
    if node == inner.placed:
        return inner
    return replace(inner, placed=node, runner_up=inner.placed)


def _why(inner: solver.Explanation, scheduler: str) -> str:
    """What was chosen, and why the runner-up lost, by cost component."""
    verdicts_of = {verdict.node: verdict for verdict in inner.nodes}
    if inner.placed is None:
        return inner.why()
    best = verdicts_of[inner.placed]
    text = f"{best.node} at {best.cost_ms:.3g} ms"
    if inner.runner_up is None:
        return f"{text}, the only node that may run it"
    other = verdicts_of[inner.runner_up]
    lead = (other.cost_ms or 0.0) - (best.cost_ms or 0.0)
    if abs(lead) < SAME_MS:
        return f"{text}; {other.node} costs the same"
    differences = ", ".join(f"{part} {ms:+.3g}" for part, ms in _differences(best, other))
    figures = f"{other.cost_ms:.3g} ms ({differences})"
    if lead < 0:
        return f"{text}, which {scheduler} prefers; {other.node} would take only {figures}"
    return f"{text}; the runner-up {other.node} would take {figures}"


def _differences(best: Verdict, other: Verdict) -> list[tuple[str, float]]:
    """What the other costs more or less, by component, the largest first."""
    found = [(part, getattr(other.parts, part) - getattr(best.parts, part)) for part in PARTS]
    shown = [(part, ms) for part, ms in found if abs(ms) >= SAME_MS]
    return sorted(shown, key=lambda one: -abs(one[1]))


def _path_to_name(table: NodeTable, spec: CallSpec) -> str:
    """Words for a call whose path is under no mount at all; "" where that is not what is wrong.

    To mount what it names would seldom be wise (think of /etc/passwd), so other paths are named.
    """
    outside = [path for path in spec.data if not (table.serving(path) & table.alive).any()]
    if not outside:
        return ""
    mounted = [
        (mount, node)
        for i, node in enumerate(table.nodes)
        if table.alive[i]
        for mount in node.mounts
    ]
    if not mounted:
        return "mount a folder (`sanderling up --mount /logs=./logs`) and name a path under it"
    mounted.sort(key=lambda one: one[1].id != spec.origin)
    inside = tuple(path for path in spec.data if path not in outside)
    said = [
        f"{mount} ({node.id})"
        for mount, node in mounted
        if _would_run(table, replace(spec, data=(*inside, mount)), node.id)
    ]
    if said:
        return f"name a path under {' or '.join(said[:_MOUNTS_NAMED])} instead of {outside[0]}"
    mount, node = mounted[0]
    more = solver.Refused(table, replace(spec, data=(*inside, mount))).mend
    return f"name a path under {mount} ({node.id}) instead of {outside[0]}, and {more}"


def _would_run(table: NodeTable, spec: CallSpec, node: str) -> bool:
    return not verdicts(table, spec)[:, table.position(node)].any()


def refusal(task: Task, explanation: Explanation, registry: Registry) -> CallRefused:
    """The error for a call that no node may run."""
    connected = sum(node.connected for node in registry.nodes())
    if explanation.rejected:
        reasons = ", ".join(
            f"{_with_rules(reason, explanation)}: {count} {'node' if count == 1 else 'nodes'}"
            for reason, count in explanation.rejected.items()
        )
    elif connected:
        reasons = "no connected node takes calls now"
    else:
        reasons = "no node is connected"
    label = "" if explanation.label is None else f"; {explanation.label.why}"
    mend = f"; to mend: {explanation.mend}" if explanation.mend else ""
    return CallRefused(
        f"no node may run {task.entry.public_name} ({reasons}){label}{mend}",
        reasons=explanation.rejected,
        core=explanation.core,
        mend=explanation.mend,
        rules=explanation.rules,
        label=None if explanation.label is None else explanation.label.to_json(),
    )


def _with_rules(reason: str, explanation: Explanation) -> str:
    """A reason, and where the rules behind it stand."""
    places = explanation.rules.get(reason)
    return f"{reason} ({', '.join(places)})" if places else reason


def _mend_of_label(mend: str, raised: Raised, core: Sequence[str]) -> str:
    """What helps a call that its content's label keeps from running."""
    if FEATURE in mend or "backend" in core:
        return (
            "what is private may not be sent elsewhere; where this tool may have it, write a rule "
            f'for it with privacy = "{raised.labels[0].privacy}"'
        )
    if {"privacy", "allow"} & {*core}:
        return (
            "call it without that content; or, where what the other tool gave may go further, "
            "name that tool in policy.declassifies or widen its privacy"
        )
    return mend
