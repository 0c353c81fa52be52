"""A bar chart as plain SVG: one group per scenario, one bar per scheduler."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

COLOURS: Final = ("#2f5fb3", "#4f9a5b", "#d08a2f", "#8a5fb0", "#b5524a", "#6f7b8c", "#3a9aa8")
BAR: Final = 22
GAP: Final = 34
LEFT: Final = 64
TOP: Final = 78
HEIGHT: Final = 260


def bars(title: str, groups: Mapping[str, Mapping[str, float]], faulty: Sequence[str]) -> str:
    """The chart, on a scale of powers of two with a line at 1 (the speed of ``cloud_only``).

    Args:
        title: stands above and is read aloud.
        groups: scenario -> scheduler -> ratio (> 0).
        faulty: schedulers that break constraints; their bars are hatched.
    """
    names = list(next(iter(groups.values())))
    values = [value for group in groups.values() for value in group.values()]
    low = math.floor(math.log2(min(values)))
    high = math.ceil(math.log2(max(*values, 2.0)))
    wide = len(names) * BAR + GAP
    width = LEFT + wide * len(groups) + 10

    def y(value: float) -> float:
        return TOP + HEIGHT * (high - math.log2(value)) / (high - low)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 40}" '
            'font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="title">'
        ),
        f'<title id="title">{escape(title)}</title>',
        (
            '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><rect width="2.5" height="5" fill="#b5524a"/></pattern></defs>'
        ),
        f'<rect width="{width}" height="{TOP + HEIGHT + 40}" rx="8" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        at = y(2.0**power)
        stroke = "#44546a" if power == 0 else "#dde3ec"
        parts.append(
            f'<path d="M{LEFT} {at:.1f}H{width - 10}" stroke="{stroke}"/>'
            f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{2.0**power:g}x</text>'
        )
    for k, name in enumerate(names):
        x = LEFT + k * (width - LEFT - 10) / len(names)
        parts.append(
            f'<rect x="{x:.1f}" y="42" width="11" height="11" fill="{_fill(k, name, faulty)}"/>'
            f'<text x="{x + 15:.1f}" y="52">{escape(name)}</text>'
        )
    for g, (group, ratios) in enumerate(groups.items()):
        x0 = LEFT + GAP / 2 + g * wide
        for k, (name, ratio) in enumerate(ratios.items()):
            top, foot = sorted((y(ratio), y(1.0)))
            parts.append(
                f'<rect x="{x0 + k * BAR:.1f}" y="{top:.1f}" width="{BAR - 3}" '
                f'height="{max(foot - top, 1.0):.1f}" fill="{_fill(k, name, faulty)}">'
                f"<title>{escape(group)}, {escape(name)}: {ratio:.2f}x</title></rect>"
            )
        middle = x0 + len(names) * BAR / 2
        parts.append(
            f'<text x="{middle:.1f}" y="{TOP + HEIGHT + 24}" text-anchor="middle">'
            f"{escape(group)}</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _fill(k: int, name: str, faulty: Sequence[str]) -> str:
    return "url(#hatch)" if name in faulty else COLOURS[k % len(COLOURS)]
