"""What benchmarks need and a machine may not have: told in a line when it is used, not before."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final

_OURS: Final = frozenset(
    {"bench", "dispatcher", "edge_agent", "ground", "protos", "solver", "tests", "wasm_tools"}
)
INSTALL: Final = "pip install -e '.[dev]'"


class _Optional:
    """Lets a benchmark be imported, for its help, where a package that it imports is missing."""

    def __init__(self) -> None:
        self.missing: str | None = None

    def __enter__(self) -> None:
        """Begin imports that may fail."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Remember the first package that is missing; what follows from that is no news."""
        if not isinstance(error, ImportError):
            return False
        top = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and top not in _OURS:
            self.missing = self.missing or top
        return self.missing is not None


#: Around the imports of a benchmark that are not of the standard library.
optional: Final = _Optional()


def require() -> None:
    """Exit with 2 where a package is missing."""
    if optional.missing is not None:
        sys.stderr.write(lack(f"the package {optional.missing}", INSTALL))
        sys.exit(2)


def lack(what: str, mend: str) -> str:
    """A line that says what this machine lacks and how to get it."""
    return f"bench: this needs {what}; `{mend}` brings it\n"
