"""Why a call is refused, in words that an operator can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import solver
from dispatcher.errors import CallRefused
from dispatcher.registry import Registry
from solver import CallSpec, NodeTable, Verdict
from solver.filters import verdicts


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would be placed where, every connected node with its cost or its reasons.

    ``rejected`` counts nodes per reason; ``absent`` names the known nodes that are not
    connected and would run the call.
    """

    placed: str | None
    runner_up: str | None
    nodes: tuple[Verdict, ...]
    core: tuple[str, ...]
    mend: str
    why: str
    rejected: Mapping[str, int]
    absent: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``sanderling explain --json`` prints."""
        inner = solver.Explanation(self.placed, self.runner_up, self.nodes, self.core, self.mend)
        form = inner.to_json()
        for node in form["nodes"]:
            node["cost_ms"] = _rounded(node["cost_ms"])
            node["parts"] = {name: _rounded(value) for name, value in node["parts"].items()}
        return {key: form[key] for key in ("placed", "nodes", "core", "mend")}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def explained(table: NodeTable, spec: CallSpec) -> Explanation:
    """Explain one call as the table is now."""
    inner = solver.Refused(table, spec).explain()
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
    return Explanation(
        placed=inner.placed,
        runner_up=inner.runner_up,
        nodes=inner.nodes,
        core=inner.core,
        mend=mend,
        why=inner.why(),
        rejected=solver.Refused(table, spec).rejected,
        absent=absent,
    )


def refusal(tool: str, explanation: Explanation, registry: Registry) -> CallRefused:
    """The error for a call that no node may run."""
    connected = sum(node.connected for node in registry.nodes())
    if explanation.rejected:
        reasons = ", ".join(
            f"{reason}: {count} {'node' if count == 1 else 'nodes'}"
            for reason, count in explanation.rejected.items()
        )
    elif connected:
        reasons = "no connected node takes calls now"
    else:
        reasons = "no node is connected"
    mend = f"; to mend: {explanation.mend}" if explanation.mend else ""
    return CallRefused(
        f"no node may run {tool} ({reasons}){mend}",
        reasons=explanation.rejected,
        core=explanation.core,
        mend=explanation.mend,
    )
