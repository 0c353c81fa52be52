"""The hard constraints: one function each, and the reason it gives.

A filter takes the table and a call and returns the nodes that it *refuses*, as a boolean array
of one entry per node. It looks at one call alone; what calls do to each other (``anti_affinity``,
``spread``, a shared ``budget``, ``capacity``, ``chain``) is in rules.py and for the solvers to find.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from solver.instance.call_spec import CallSpec
from solver.instance.node_table import Mask, NodeTable
from solver.problem import Label

BACKEND: Final = "backend"
REQUIRES: Final = "requires"
MEMORY: Final = "memory"
ALLOW: Final = "allow"
DENY: Final = "deny"
DATA: Final = "data"
PRIVACY: Final = "privacy"
LINK: Final = "link"
NO_PROFILE: Final = "no_profile"
TENANT: Final = "tenant"
EGRESS: Final = "egress"
BUDGET: Final = "budget"
DEADLINE: Final = "deadline"
ANTI_AFFINITY: Final = "anti_affinity"
SPREAD: Final = "spread"
CAPACITY: Final = "capacity"
CHAIN: Final = "chain"

Filter = Callable[[NodeTable, CallSpec], Mask]


def backend(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that have none of the call's backends."""
    if call.backend is None:
        return _none(table)
    able = _none(table)
    for name in call.backend:
        able |= table.provides("backend", name)
    return ~able


def requires(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that lack a required feature, where a node's isa counts as one."""
    lacking = _none(table)
    for name in call.requires:
        lacking |= ~table.provides("feature", name)
    return lacking


def memory(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes whose memory does not hold the call even when it is alone there."""
    return np.less(table.memory_mib, call.memory_mib)


def allow(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that an allow list, where there is one, leaves out."""
    return _none(table) if call.allow is None else ~table.members(call.allow)


def deny(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that the deny list names."""
    return table.members(call.deny)


def data(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes whose mounts do not hold every path of the call's data."""
    lacking = _none(table)
    for path in call.data:
        lacking |= ~table.serving(path)
    return lacking


def privacy(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that the call's own label, or one that came with its input, forbids."""
    refused = ~_permitted(table, Label(call.privacy, call.origin))
    for label in call.labels:
        refused |= ~_permitted(table, label)
    return refused


def link(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that cannot talk to the origin, or to a node that holds an input."""
    refused = np.isinf(table.row_of(call.origin).half_rtt_ms)
    for source, _ in call.inputs:
        refused |= np.isinf(table.row_of(source).half_rtt_ms)
    return refused


def no_profile(_: NodeTable, call: CallSpec) -> Mask:
    """Nodes on which nobody knows what the call costs."""
    return np.isinf(call.profile.exec_ms)


def tenant(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that serve named tenants, of whom the call's is none."""
    return ~table.provides("tenant", call.tenant or "")


def egress(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes that may not reach every host that the call needs."""
    lacking = _none(table)
    for host in call.egress:
        lacking |= ~table.provides("egress", host)
    return lacking


def budget(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes where the call alone would spend more than there is for the whole batch."""
    if call.spends is None:
        return _none(table)
    money, energy_j = budgets(table)
    over: Mask = (call.spends.money > money) | (call.spends.energy_j > energy_j)
    return over


def deadline(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes where even an undisturbed call takes longer than it may."""
    if math.isinf(call.deadline_ms):
        return _none(table)
    row = table.row_of(call.origin)
    arrive = row.half_rtt_ms + call.input_kib * row.ms_per_kib
    queue = table.queue_ms if call.queue is None else call.queue.queue_ms
    wait = np.maximum(queue, arrive) if call.overlaps else queue + arrive
    takes = wait + call.profile.run_ms
    if call.returns:
        takes = takes + row.half_rtt_ms + call.output_kib * row.ms_per_kib
    for source, kib in call.inputs:
        other = table.row_of(source)
        takes = takes + other.half_rtt_ms + kib * other.ms_per_kib
    # Where a link or a profile is missing it takes for ever, and that is another reason.
    late: Mask = (takes > allowance(call.deadline_ms)) & np.isfinite(takes)
    return late


def allowance(deadline_ms: float) -> float:
    """A deadline with what sums of floats may be off by."""
    return deadline_ms * (1 + 1e-12) + 1e-9


def budgets(table: NodeTable) -> NDArray[np.float64]:
    """What each node may spend: money in row 0, energy in row 1; inf where there is no limit."""
    return table.cached(
        "budgets",
        lambda: np.array(
            [[n.budget_money for n in table.nodes], [n.budget_energy_j for n in table.nodes]]
        ),
    )


# In the order in which a node that several of them refuse is counted.
FILTERS: Final[tuple[tuple[str, Filter], ...]] = (
    (BACKEND, backend),
    (REQUIRES, requires),
    (MEMORY, memory),
    (ALLOW, allow),
    (DENY, deny),
    (DATA, data),
    (PRIVACY, privacy),
    (LINK, link),
    (NO_PROFILE, no_profile),
    (TENANT, tenant),
    (EGRESS, egress),
    (BUDGET, budget),
    (DEADLINE, deadline),
)
REASONS: Final = (*(reason for reason, _ in FILTERS), ANTI_AFFINITY, SPREAD, CAPACITY, CHAIN)

# Those whose verdict no heartbeat, no measured link and no learned profile changes.
_STEADY: Final = frozenset({BACKEND, REQUIRES, ALLOW, DENY, DATA, PRIVACY, TENANT, EGRESS})
_PASSES: Final = len(REASONS)
_GONE: Final = _PASSES + 1


def steadily_refused(table: NodeTable, call: CallSpec) -> Mask:
    """Nodes refused by what only a new description of a node could change; cached by signature.

    Nodes that left the table are among them.
    """
    return table.cached(call.signature(), lambda: _first_steady(table, call) != _PASSES)


def first_reasons(table: NodeTable, call: CallSpec) -> NDArray[np.int8]:
    """Per node the index in ``REASONS`` of the first that refuses a call placed alone.

    ``len(REASONS)`` where none does, more where the node has left the table. ``capacity`` is
    given to nodes without a free slot.
    """
    first = table.cached((call.signature(), None), lambda: _first_steady(table, call))
    for k, (reason, refuses) in enumerate(FILTERS):
        if reason not in _STEADY:
            first = np.where(refuses(table, call) & (first > k), np.int8(k), first)
    full = (table.slots < 1) & (first == _PASSES)
    first = np.where(full, np.int8(REASONS.index(CAPACITY)), first)
    return np.where(table.alive, first, np.int8(_GONE))


def count_reasons(first: NDArray[np.integer[Any]]) -> dict[str, int]:
    """Reason -> number of nodes, from what :func:`first_reasons` gives."""
    counts = np.bincount(first, minlength=_PASSES)[:_PASSES]
    return {REASONS[int(k)]: int(counts[k]) for k in counts.nonzero()[0]}


def verdicts(table: NodeTable, call: CallSpec) -> Mask:
    """Every filter's verdict on every node: shape (filters, nodes), True where it refuses."""
    if not len(table):
        return np.zeros((len(FILTERS), 0), np.bool_)
    return np.stack([refuses(table, call) for _, refuses in FILTERS])


def _first_steady(table: NodeTable, call: CallSpec) -> NDArray[np.int8]:
    first = np.full(len(table), _PASSES, np.int8)
    for k, (reason, refuses) in reversed(list(enumerate(FILTERS))):
        if reason in _STEADY:
            first[refuses(table, call)] = k
    first[~table.alive] = _GONE
    return first


def _permitted(table: NodeTable, label: Label) -> Mask:
    """The node that a label is bound to may always see the data; without a site it is alone."""
    if label.privacy == "public":
        return ~_none(table)
    bound = table.position(label.node)
    site = table.nodes[bound].site
    if label.privacy == "site" and site is not None:
        return table.provides("site", site)
    permitted = _none(table)
    permitted[bound] = True
    return permitted


def _none(table: NodeTable) -> Mask:
    return np.zeros(len(table), np.bool_)
