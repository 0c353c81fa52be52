"""What a call costs on each node: queue + start + exec + transfer, all in ms.

``transfer(a, b, kib) = 0`` if a = b, else ``rtt_ms/2 + kib * 8.192 / mbit_s``: 1 KiB is 8.192
kbit, and 1 Mbit/s is 1 kbit/ms. Arrays have one entry per node of the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from solver.instance.call_spec import CallSpec
from solver.instance.filters import budget, deadline, steadily_refused
from solver.instance.node_table import Floats, NodeTable


@dataclass(frozen=True, slots=True)
class Parts:
    """The cost of one call on one node, by component; inf where it cannot be."""

    queue: float
    start: float
    exec: float
    transfer: float
    surcharge: float = 0.0


def transfer_ms(table: NodeTable, call: CallSpec) -> Floats:
    """Input from the origin and from other holders, and the output back if it returns."""
    row = table.row_of(call.origin)
    moved = row.half_rtt_ms + call.input_kib * row.ms_per_kib
    if call.returns:
        moved += row.half_rtt_ms + call.output_kib * row.ms_per_kib
    for source, kib in call.inputs:
        other = table.row_of(source)
        moved += other.half_rtt_ms + kib * other.ms_per_kib
    return moved


def parts_of(table: NodeTable, call: CallSpec, i: int) -> Parts:
    """The components of the cost on node ``i``."""
    start, execution = call.profile.at(i)
    extra = surcharge_ms(call)
    return Parts(
        queue=float((table if call.queue is None else call.queue).queue_ms[i]),
        start=start,
        exec=execution,
        transfer=transfer_at(table, call, i),
        surcharge=0.0 if extra is None else float(extra[i]),
    )


def surcharge_ms(call: CallSpec) -> Floats | None:
    """What the call spends beside time, as ms per node; None where that counts for nothing."""
    return None if call.spends is None else call.spends.surcharge_ms


def transfer_at(table: NodeTable, call: CallSpec, i: int) -> float:
    """:func:`transfer_ms` on node ``i`` alone."""
    row = table.row_of(call.origin)
    half, per_kib = float(row.half_rtt_ms[i]), float(row.ms_per_kib[i])
    moved = half + call.input_kib * per_kib
    if call.returns:
        moved += half + call.output_kib * per_kib
    for source, kib in call.inputs:
        other = table.row_of(source)
        moved += float(other.half_rtt_ms[i]) + kib * float(other.ms_per_kib[i])
    return moved


def cost_ms(table: NodeTable, call: CallSpec, out: Floats | None = None) -> Floats:
    """The cost of the call on each node; inf where a filter refuses it.

    With ``out`` (one entry per node) and no ``inputs`` nothing is allocated once the call's
    signature is known. A missing link and a missing profile need no mask: they are inf already.
    """
    total = np.empty(len(table)) if out is None else out
    part, refused = table.scratch[0], table.scratch_mask
    row = table.row_of(call.origin)
    queue_ms = (table if call.queue is None else call.queue).queue_ms
    np.add(queue_ms, call.profile.run_ms, out=total)
    np.multiply(row.half_rtt_ms, 2.0 if call.returns else 1.0, out=part)
    np.add(total, part, out=total)
    kib = call.input_kib + call.output_kib if call.returns else call.input_kib
    np.multiply(row.ms_per_kib, kib, out=part)
    np.add(total, part, out=total)
    for source, more_kib in call.inputs:
        other = table.row_of(source)
        total += other.half_rtt_ms + more_kib * other.ms_per_kib
    np.less(table.memory_mib, call.memory_mib, out=refused)
    np.logical_or(refused, steadily_refused(table, call), out=refused)
    np.copyto(total, math.inf, where=refused)
    if call.deadline_ms < math.inf:
        np.copyto(total, math.inf, where=deadline(table, call))
    if call.spends is not None:
        np.copyto(total, math.inf, where=budget(table, call))
        if call.spends.surcharge_ms is not None:
            total += call.spends.surcharge_ms
    return total
