"""Everything the solver raises.

SolverError
├── ProblemError      a problem, a node or a call that cannot be read as one
│   └── UnknownNode   an id that names no node of the table
└── NoPlacement       a scheduler was asked for a placement that it does not make
"""

from __future__ import annotations


class SolverError(Exception):
    """Base of the package; its text is one line that names the thing and the mend."""


class ProblemError(SolverError):
    """A problem that breaks the schema.

    Attributes:
        field: path of the offending value, such as ``nodes.0.slots``.
        mend: what the value has to be.
    """

    def __init__(self, field: str, mend: str) -> None:
        self.field = field
        self.mend = mend
        super().__init__(" ".join(f"{field}: {mend}".split()))


class UnknownNode(ProblemError):
    """An id that names no node of the table."""

    def __init__(self, field: str, node: str) -> None:
        super().__init__(field, f"no node is called {node!r}")


class NoPlacement(SolverError):
    """A scheduler was asked for a placement of a kind that it does not make."""
