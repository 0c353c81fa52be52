"""A dot plot as plain SVG: a block per scenario, a named row per scheduler.

A dot shows a ratio of 1 as well as any other, which a bar from 1 cannot; each row has its name and
its figure beside it, so that nothing has to be looked up in a legend (Cleveland, "The Elements of
Graphing Data", 1985).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

GOOD: Final = "#2f5fb3"
FAULTY: Final = "#b5524a"
LEFT: Final = 130
PAD: Final = 44  # where the figure of the slowest stands
WIDE: Final = 560
RIGHT: Final = 70
ROW: Final = 20
HEAD: Final = 30
TOP: Final = 66
FOOT: Final = 34


def dots(title: str, groups: Mapping[str, Mapping[str, float]], faulty: Sequence[str]) -> str:
    """The chart, on a scale of powers of two with a line at 1 (the speed of ``cloud_only``).

    Args:
        title: stands above and is read aloud.
        groups: scenario -> scheduler -> ratio (> 0).
        faulty: schedulers that break constraints; their dots are red and hollow.
    """
    values = [value for group in groups.values() for value in group.values()]
    low = math.floor(math.log2(min(values)))
    high = math.ceil(math.log2(max(*values, 2.0)))
    foot = TOP + sum(HEAD + ROW * len(group) for group in groups.values())
    width, height = LEFT + PAD + WIDE + RIGHT, foot + FOOT

    def x(value: float) -> float:
        return LEFT + PAD + WIDE * (math.log2(value) - low) / (high - low)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="title">'
        ),
        f'<title id="title">{escape(title)}</title>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text x="20" y="26" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<circle cx="26" cy="44" r="4.5" fill="{GOOD}"/><text x="36" y="48">obeys the rules</text>',
        f'<circle cx="146" cy="44" r="4" fill="#ffffff" stroke="{FAULTY}" stroke-width="2"/>',
        '<text x="156" y="48">breaks them</text>',
    ]
    for power in range(low, high + 1):
        at = x(2.0**power)
        stroke = "#44546a" if power == 0 else "#dde3ec"
        parts.append(
            f'<path d="M{at:.1f} {TOP}V{foot}" stroke="{stroke}"/>'
            f'<text x="{at:.1f}" y="{foot + 18}" text-anchor="middle">{_power(power)}</text>'
        )
    y = TOP
    for group, ratios in groups.items():
        parts.append(f'<text x="20" y="{y + 20}" font-weight="600">{escape(group)}</text>')
        y += HEAD
        for name, ratio in ratios.items():
            parts += _row(name, ratio, x(ratio), x(1.0), y + ROW / 2, broken=name in faulty)
            y += ROW
    return "\n".join([*parts, "</svg>", ""])


def _row(name: str, ratio: float, at: float, one: float, y: float, *, broken: bool) -> list[str]:
    colour = FAULTY if broken else GOOD
    dot = (
        f'r="4" fill="#ffffff" stroke="{colour}" stroke-width="2"'
        if broken
        else f'r="4.5" fill="{colour}"'
    )
    figure = at + 9 if at >= one else at - 9
    anchor = "start" if at >= one else "end"
    return [
        f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
        f'<path d="M{one:.1f} {y}H{at:.1f}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{at:.1f}" cy="{y}" {dot}/>',
        (
            f'<text x="{figure:.1f}" y="{y + 4}" text-anchor="{anchor}" stroke="#ffffff" '
            f'stroke-width="3" paint-order="stroke">{ratio:.2f}x</text>'
        ),
    ]


def _power(power: int) -> str:
    """A power of two as people write it."""
    return f"{2**power}x" if power >= 0 else f"1/{2**-power}x"
