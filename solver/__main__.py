"""``python -m solver < problem.json > placement.json``; exits 2 with one line on a bad problem."""

from __future__ import annotations

import json
import sys

from solver.errors import SolverError
from solver.place import place
from solver.schema import parse_problem


def main() -> int:
    """Read a problem from stdin, write its placement to stdout."""
    if len(sys.argv) > 1:
        print("usage: python -m solver < problem.json > placement.json", file=sys.stderr)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    try:
        answer = place(parse_problem(sys.stdin.buffer.read()))
    except SolverError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("solver: interrupted", file=sys.stderr)
        return 1
    print(json.dumps(answer.to_json(), allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
