"""``python -m bench.simulate``: see ``--help``."""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from bench.rig.command import Parser
from bench.rig.optional import optional

_names: dict[str, str] = {"schedulers": "those installed", "tools": "those of the simulation"}

with optional:
    from bench.simulate.arrivals import Arrival, BadInput, from_trace, poisson
    from bench.simulate.engine import Settings, Simulation
    from bench.simulate.report import lines, report
    from bench.simulate.world import KINDS, World, world_of
    from dispatcher.config.schedulers import known

    _names = {"schedulers": ", ".join(known()), "tools": ", ".join(KINDS)}


EPILOG: Final = f"""examples:
  python -m bench.simulate --nodes 1000 --calls 20000
  python -m bench.simulate --nodes 2000 --calls 50000 --rate 2000 --failures 60 --stale 500
  python -m bench.simulate --scheduler all_cloud --json
  python -m bench.simulate --nodes 40 --rate 2000 --batch 0        (never place calls together)
  python -m bench.simulate --arrivals trace calls.jsonl

schedulers: {_names["schedulers"]}; an installed package's own too (docs/schedulers.md).
trace: one JSON object per line: {{"at_ms": 12.5, "tool": NAME, "origin": NODE}}; tools are
  {_names["tools"]}.
The same seed gives the same run, placement times apart. Ends with 1 where a constraint was
violated, with 2 on a wrong option.
"""
QUIET_S: Final = 2.0


class _Parser(Parser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def _number(kind: type[int | float], least: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= least):
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"must be {what} >= {least:g} (is {text!r})")
        return value

    return read


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m bench.simulate",
        description="Simulate many nodes and calls around the real solver.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--nodes", type=_number(int, 1), default=1000, help="how many nodes (1000)")
    add("--calls", type=_number(int, 1), help="how many calls (10000; of a trace: all)")
    add("--scheduler", default="exact", metavar="NAME", help="see below (exact)")
    add(
        "--arrivals",
        nargs="+",
        default=["poisson"],
        metavar="HOW",
        help="poisson, or: trace FILE (poisson)",
    )
    add("--rate", type=_number(float, 1e-6), default=500.0, help="poisson calls per second (500)")
    add("--burst", type=_number(int, 1), default=1, help="most calls that come at once (1)")
    add("--failures", type=_number(float, 0), default=0.0, help="per node and hour (0)")
    add("--stale", type=_number(float, 0), default=0.0, help="ms between a node's heartbeats (0)")
    add("--batch", type=_number(float, 0), default=1.5, help="dispatcher.batch_ms (1.5; 0: off)")
    add("--retries", type=_number(int, 0), default=2, help="of calls whose node vanished (2)")
    add("--seed", type=_number(int, 0), default=0, help="of all chance (0)")
    add("--json", action="store_true", help="print one JSON object")
    return parser


def _arrivals(chosen: argparse.Namespace, world: World, rng: random.Random) -> list[Arrival]:
    match chosen.arrivals:
        case ["poisson"]:
            calls = 10_000 if chosen.calls is None else chosen.calls
            return poisson(world, calls, chosen.rate, chosen.burst, rng)
        case ["trace", name]:
            return from_trace(Path(name), world, chosen.calls, rng)
    raise BadInput("--arrivals: must be poisson, or: trace FILE")


def _progress(run: Simulation) -> Callable[[], None]:
    """Tells how far a run is, on a terminal and after two seconds."""
    if not sys.stderr.isatty():
        return lambda: None
    told_s = time.monotonic() + QUIET_S - 0.2

    def tick() -> None:
        nonlocal told_s
        if time.monotonic() - told_s > 0.2:
            told_s = time.monotonic()
            print(f"\r{run.settled}/{run.total} calls", end="", file=sys.stderr, flush=True)
            if run.settled == run.total:
                print(file=sys.stderr)

    return tick


def simulate(chosen: argparse.Namespace) -> dict[str, object]:
    """One run with the chosen options.

    Raises:
        BadInput: an option or the trace cannot be used.
    """
    world = world_of(chosen.nodes, random.Random(f"world {chosen.seed}"))
    arrivals = _arrivals(chosen, world, random.Random(f"arrivals {chosen.seed}"))
    settings = Settings(
        chosen.scheduler, chosen.failures, chosen.stale, chosen.batch, int(chosen.retries)
    )
    run = Simulation(world, arrivals, settings, random.Random(f"events {chosen.seed}"))
    run.run(_progress(run))
    return report(world, run)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = _parser()
    chosen = parser.parse_args(argv)
    try:
        figures = simulate(chosen)
    except BadInput as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    if chosen.json:
        print(json.dumps({"scheduler": chosen.scheduler, "seed": chosen.seed, **figures}))
    else:
        print("\n".join(lines(figures, chosen.scheduler)))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
