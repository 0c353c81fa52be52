"""Lists the benchmarks.

    python -m bench

Each is a command of its own, ``python -m bench.NAME``, with ``--help``.
"""

from __future__ import annotations

import ast
from pathlib import Path

from bench.rig.command import parser


def benchmarks() -> dict[str, str]:
    """Name -> what it measures, of every benchmark that can be run."""
    here = Path(__file__).parent
    files = [path for path in here.glob("*.py") if path.stem not in ("__main__", "__init__")]
    files += here.glob("*/__main__.py")
    found = {}
    for path in files:
        name = path.parent.name if path.stem == "__main__" else path.stem
        told = path.with_name("__init__.py") if path.stem == "__main__" else path
        about = ast.get_docstring(ast.parse(told.read_text(encoding="utf-8"))) or ""
        found[name] = about.partition("\n")[0]
    return dict(sorted(found.items()))


def main() -> None:
    """Print a line for each."""
    parser(__doc__, "bench", json_too=False).parse_args()
    found = benchmarks()
    width = max(map(len, found))
    for name, about in found.items():
        print(f"{name:{width}}  {about}")


if __name__ == "__main__":
    main()
