"""``python -m solver < problem.json > placement.json``; exits 2 with one line on a bad problem."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ground import plain_text
from solver.errors import SolverError

if TYPE_CHECKING:
    from solver.problem import Answer, Problem

_EXAMPLES: Final = """\
example:
  $ python -m solver <<'END'
  {"nodes": [{"id": "pi4", "memory_mib": 512, "slots": 1, "mounts": ["/logs"]},
             {"id": "nuc", "memory_mib": 8192, "slots": 4}],
   "links": [{"a": "pi4", "b": "nuc", "rtt_ms": 0.9, "mbit_s": 940}],
   "calls": [{"id": "parse", "origin": "pi4", "data": ["/logs/a.log"], "output_kib": 20,
              "exec_ms": {"pi4": 210, "nuc": 20}},
             {"id": "sum", "origin": "pi4", "after": ["parse"],
              "exec_ms": {"pi4": 90, "nuc": 4}}]}
  END

  "parse" runs on pi4, where its data is, and "sum" on nuc. With "mode": "makespan" the last
  output is back as soon as possible; "time_limit_s" and "gap" say when to stop looking.
  All fields are in docs/solver.md.

exit codes: 0 answered (also where calls cannot be placed), 2 the problem breaks the schema
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a problem from stdin, write its placement to stdout."""
    plain_text.take_any_text()
    options = _parser().parse_args(arguments)
    try:
        # Here, so that help needs none of their packages.
        from solver.place import place
        from solver.schema import parse_problem

        problem = parse_problem(sys.stdin.buffer.read())
        answer = place(problem)
        told = _with_mends(problem, answer) if options.mends else answer.to_json()
    except SolverError as error:
        print(error, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        mend = "pip install 'sanderling[dispatcher]'"
        print(f"solver: this needs the package {error.name}; `{mend}` brings it", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("solver: interrupted", file=sys.stderr)
        return 1
    return plain_text.say(json.dumps(told, allow_nan=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m solver",
        usage="python -m solver [--mends] < problem.json > placement.json",
        description="Place calls on nodes: as many as possible, then at least cost.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--mends",
        action="store_true",
        help='give each unplaced call a "mend": the smallest change that would let it run',
    )
    return parser


def _with_mends(problem: Problem, answer: Answer) -> dict[str, Any]:
    from solver.conflicts.mends import mends

    words = mends(problem, answer)
    told = answer.to_json()
    told["unplaced"] = [{**one, "mend": words[one["call"]]} for one in told["unplaced"]]
    return told


if __name__ == "__main__":
    sys.exit(main())
