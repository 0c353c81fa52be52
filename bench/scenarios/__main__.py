"""``python -m bench.scenarios [--json]``: make docs/results.md, or print its figures."""

from __future__ import annotations

import json
from dataclasses import asdict

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    from bench.scenarios.page import DOCS, write
    from bench.scenarios.runs import all_runs
    from bench.scenarios.simulated import section


def main(argv: list[str] | None = None) -> None:
    """Run all; write the page, or print one JSON list."""
    words = "Place the four scenarios with every scheduler; write docs/results.md."
    words += " With --json the figures are printed, and nothing is written."
    chosen = parser(words, "bench.scenarios").parse_args(argv)
    runs = all_runs()
    if chosen.json:
        print(json.dumps([asdict(run) for run in runs], indent=1))
        return
    for path in write(runs, f"\n{section()}"):
        print(f"wrote {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
