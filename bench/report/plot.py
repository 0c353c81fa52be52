"""Horizontal bars on a logarithmic scale, as plain SVG: one group per way, one bar per board."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Final

COLOURS: Final = ("#2f5fb3", "#4f9a5b", "#d08a2f", "#8a5fb0", "#b5524a", "#6f7b8c", "#3a9aa8")
LEFT: Final = 210
RIGHT: Final = 90
WIDE: Final = 560
BAR: Final = 18
GAP: Final = 16
TOP: Final = 76


def log_bars(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Draw the bars.

    Args:
        title: stands above and is read aloud.
        groups: way -> board -> ms (> 0).
    """
    boards = list(dict.fromkeys(board for group in groups.values() for board in group))
    values = [value for group in groups.values() for value in group.values()]
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    foot = TOP + sum(len(group) * BAR + GAP for group in groups.values())

    def x(value: float) -> float:
        return LEFT + WIDE * (math.log10(value) - low) / (high - low)

    width, height = LEFT + WIDE + RIGHT, foot + 34
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="title">'
        ),
        f'<title id="title">{escape(title)}</title>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text x="20" y="26" font-size="15" font-weight="600">{escape(title)}</text>',
        *_legend(boards),
    ]
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(
            f'<path d="M{at:.1f} {TOP - 8}V{foot}" stroke="#dde3ec"/>'
            f'<text x="{at:.1f}" y="{foot + 18}" text-anchor="middle">{figure(10.0**power)} ms</text>'
        )
    at_y = TOP
    for way, group in groups.items():
        middle = at_y + len(group) * BAR / 2 + 4
        parts.append(f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(way)}</text>')
        for board, value in group.items():
            parts.append(
                f'<rect x="{LEFT}" y="{at_y}" width="{max(x(value) - LEFT, 1):.1f}" '
                f'height="{BAR - 3}" fill="{COLOURS[boards.index(board) % len(COLOURS)]}"/>'
                f'<text x="{x(value) + 6:.1f}" y="{at_y + 12}">{figure(value)}</text>'
            )
            at_y += BAR
        at_y += GAP
    return "\n".join([*parts, "</svg>", ""])


def figure(value: float) -> str:
    """Three digits, and never in powers of ten."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _legend(boards: list[str]) -> list[str]:
    places, at = [], 20
    for k, board in enumerate(boards):
        places.append(
            f'<rect x="{at}" y="40" width="11" height="11" fill="{COLOURS[k % len(COLOURS)]}"/>'
            f'<text x="{at + 16}" y="50">{escape(board)}</text>'
        )
        at += 16 + 8 * len(board) + 24
    return places
