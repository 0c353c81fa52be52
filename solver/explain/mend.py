"""The smallest change that would let a refused call run, in an operator's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from solver.instance.call_spec import CallSpec
from solver.instance.costs import parts_of
from solver.instance.filters import (
    ALLOW,
    BACKEND,
    BUDGET,
    CAPACITY,
    DATA,
    DEADLINE,
    DENY,
    EGRESS,
    LINK,
    MEMORY,
    NO_PROFILE,
    PRIVACY,
    REASONS,
    REQUIRES,
    TENANT,
    budgets,
)
from solver.instance.node_table import Mask, NodeTable
from solver.problem import Label

_SUGGESTIONS = 2


# What to change about a reason on a node (by index) among the calls of a batch; else None.
Beside = Callable[[str, int], str | None]


def smallest_relaxation(
    table: NodeTable, call: CallSpec, refuses: Mask, beside: Beside | None = None
) -> str:
    """What to change, on the nodes that fewest reasons keep from running the call.

    ``refuses`` has one row per reason (in their order) and one column per node of the table.
    ``beside`` has the first word on reasons that lie in the other calls of a batch.
    Empty where the table has no nodes alive.
    """
    alive = np.flatnonzero(table.alive)
    if not len(alive):
        return ""
    sizes = refuses.sum(axis=0)
    ways: list[str] = []
    for i in sorted((int(k) for k in alive), key=lambda k: (sizes[k], k)):
        if sizes[i] > sizes[alive].min() or len(ways) == _SUGGESTIONS:
            break
        changes = [
            (beside and beside(REASONS[int(row)], i)) or _change(table, call, i, REASONS[int(row)])
            for row in np.flatnonzero(refuses[:, i])
        ]
        ways.append(" and ".join(changes))
    return ", or ".join(ways)


def _change(table: NodeTable, call: CallSpec, i: int, reason: str) -> str:
    return _CHANGES[reason](table, call, i, table.nodes[i].id)


def _more_memory(table: NodeTable, call: CallSpec, i: int, name: str) -> str:
    return f"free {call.memory_mib - float(table.memory_mib[i]):g} MiB on {name}"


def _features(table: NodeTable, call: CallSpec, i: int, name: str) -> str:
    node = table.nodes[i]
    lacking = [f for f in call.requires if f not in node.features and f != node.isa]
    return f"give {name} {' and '.join(lacking)}"


def _mounts(table: NodeTable, call: CallSpec, i: int, name: str) -> str:
    lacking = [path for path in call.data if not table.serving(path)[i]]
    return f"mount {' and '.join(lacking)} on {name}"


def _hosts(table: NodeTable, call: CallSpec, i: int, name: str) -> str:
    lacking = [host for host in call.egress if not table.provides("egress", host)[i]]
    return f"allow {name} to reach {' and '.join(lacking)}"


def _short_of(table: NodeTable, call: CallSpec, i: int) -> str:
    if call.spends is None:
        return "nothing"
    spends = (float(call.spends.money[i]), float(call.spends.energy_j[i]))
    over = [spent - float(limit) for spent, limit in zip(spends, budgets(table)[:, i], strict=True)]
    texts = (f"{over[0]:g} in money", f"{over[1]:g} J")
    return " and ".join(text for text, short in zip(texts, over, strict=True) if short > 0)


def _late_ms(table: NodeTable, call: CallSpec, i: int) -> float:
    parts = parts_of(table, call, i)
    return parts.queue + parts.start + parts.exec + parts.transfer - call.deadline_ms


def _wider_privacy(table: NodeTable, call: CallSpec, i: int) -> str:
    """The narrowest privacy that would let every label of the call onto node ``i``."""
    site = table.nodes[i].site
    for label in (Label(call.privacy, call.origin), *call.labels):
        bound = table.position(label.node)
        if bound != i and label.privacy != "public":
            same_site = site is not None and site == table.nodes[bound].site
            if not same_site:
                return "privacy=public"
    return "privacy=site"


def _unlinked(table: NodeTable, call: CallSpec, i: int) -> list[str]:
    sources = [call.origin, *(source for source, _ in call.inputs)]
    return [s for s in sources if np.isinf(table.row(table.position(s)).half_rtt_ms[i])]


_CHANGES: Final[Mapping[str, Callable[[NodeTable, CallSpec, int, str], str]]] = {
    BACKEND: lambda _, call, __, name: (
        f"give {name} the backend {' or '.join(call.backend or ())}".rstrip()
    ),
    REQUIRES: _features,
    MEMORY: _more_memory,
    ALLOW: lambda _, __, ___, name: f"allow {name}",
    DENY: lambda _, __, ___, name: f"stop denying {name}",
    DATA: _mounts,
    PRIVACY: lambda table, call, i, name: f"allow {_wider_privacy(table, call, i)} on {name}",
    LINK: lambda table, call, i, name: (
        f"link {name} with {' and '.join(_unlinked(table, call, i))}"
    ),
    NO_PROFILE: lambda _, __, ___, name: f"measure the tool on {name}",
    TENANT: lambda _, call, __, name: f"let {name} serve {call.tenant or 'calls of no tenant'}",
    EGRESS: _hosts,
    BUDGET: lambda table, call, i, name: (
        f"raise the budget of {name} by {_short_of(table, call, i)}"
    ),
    DEADLINE: lambda table, call, i, name: (
        f"allow {_late_ms(table, call, i):.3g} ms more on {name}"
    ),
    CAPACITY: lambda _, __, ___, name: f"free a slot on {name}",
}
