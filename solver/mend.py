"""The smallest change that would let a refused call run, in an operator's words."""

from __future__ import annotations

import numpy as np

from solver.callspec import CallSpec
from solver.filters import (
    ALLOW,
    BACKEND,
    CAPACITY,
    DATA,
    DENY,
    LINK,
    MEMORY,
    NO_PROFILE,
    PRIVACY,
    REASONS,
    REQUIRES,
)
from solver.problem import Label
from solver.table import Mask, NodeTable

_SUGGESTIONS = 2


def smallest_relaxation(table: NodeTable, call: CallSpec, refuses: Mask) -> str:
    """What to change, on the nodes that fewest reasons keep from running the call.

    ``refuses`` has one row per reason (in their order) and one column per node of the table.
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
            _change(table, call, i, REASONS[int(row)]) for row in np.flatnonzero(refuses[:, i])
        ]
        ways.append(" and ".join(changes))
    return ", or ".join(ways)


def _change(table: NodeTable, call: CallSpec, i: int, reason: str) -> str:
    node = table.nodes[i]
    name = node.id
    if reason == MEMORY:
        return f"free {call.memory_mib - float(table.memory_mib[i]):g} MiB on {name}"
    if reason == REQUIRES:
        lacking = [f for f in call.requires if f not in node.features and f != node.isa]
        return f"give {name} {' and '.join(lacking)}"
    if reason == BACKEND:
        return f"give {name} the backend {' or '.join(call.backend or ())}".rstrip()
    if reason == DATA:
        lacking = [path for path in call.data if not table.serving(path)[i]]
        return f"mount {' and '.join(lacking)} on {name}"
    return {
        ALLOW: f"allow {name}",
        DENY: f"stop denying {name}",
        PRIVACY: f"allow {_wider_privacy(table, call, i)} on {name}",
        LINK: f"link {name} with {' and '.join(_unlinked(table, call, i))}",
        NO_PROFILE: f"measure the tool on {name}",
        CAPACITY: f"free a slot on {name}",
    }[reason]


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
