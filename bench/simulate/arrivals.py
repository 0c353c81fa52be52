"""When which call comes from where: by chance, or from a file."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.simulate.world import KINDS, Kind, World


class BadInput(Exception):
    """An option or a trace that cannot be used; one line that names the thing and the mend."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call as it comes in."""

    at_ms: float
    kind: Kind
    origin: str


def poisson(
    world: World, calls: int, rate_per_s: float, burst: int, rng: random.Random
) -> list[Arrival]:
    """``calls`` arrivals, in bursts of up to ``burst`` from one origin with exponential gaps.

    The gaps are such that the rate of calls is ``rate_per_s``; kinds come by share, origins alike.
    """
    kinds = list(KINDS.values())
    shares = [kind.share for kind in kinds]
    found: list[Arrival] = []
    now_ms = 0.0
    while len(found) < calls:
        size = rng.randint(1, burst)
        now_ms += rng.expovariate(2 * rate_per_s / (burst + 1)) * 1000
        origin = rng.choice(world.origins)
        size = min(size, calls - len(found))
        found += [Arrival(now_ms, kind, origin) for kind in rng.choices(kinds, shares, k=size)]
    return found


def from_trace(path: Path, world: World, calls: int | None, rng: random.Random) -> list[Arrival]:
    """The first ``calls`` (or all) lines: ``{"at_ms": 12.5, "tool": NAME, "origin": NODE}``.

    Without ``origin`` one is drawn.

    Raises:
        BadInput: the file cannot be read, or a line is not of this form.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"trace {path}: {error}; give a file of JSON lines") from error
    found = [
        _arrival(f"trace {path}:{number}", line, world.origins, rng)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not found:
        raise BadInput(f"trace {path}: has no calls; give one JSON object per line")
    return sorted(found, key=lambda arrival: arrival.at_ms)[:calls]


def _arrival(at: str, line: str, origins: Sequence[str], rng: random.Random) -> Arrival:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{at}: not JSON ({error})") from error
    if not isinstance(entry, dict):
        raise BadInput(f"{at}: must be an object with at_ms and tool")
    at_ms, tool = entry.get("at_ms"), entry.get("tool")
    origin = entry["origin"] if "origin" in entry else rng.choice(origins)
    if isinstance(at_ms, bool) or not isinstance(at_ms, int | float):
        raise BadInput(f"{at}: at_ms must be a number")
    if not (math.isfinite(at_ms) and at_ms >= 0):
        raise BadInput(f"{at}: at_ms must be finite and >= 0")
    if not isinstance(tool, str) or tool not in KINDS:
        raise BadInput(f"{at}: tool must be one of {', '.join(KINDS)}")
    if origin not in origins:
        raise BadInput(f"{at}: origin must be one of {', '.join(origins[:5])}, ... (or left out)")
    return Arrival(float(at_ms), KINDS[tool], origin)
