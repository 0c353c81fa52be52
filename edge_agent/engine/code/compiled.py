"""Compiled code on its way from the compiler to the cache: in a file without a name.

Code can be a hundred times what an agent has in memory otherwise. It passes through no Python
object, and the kernel frees it with its last user, however that ends.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from typing import BinaryIO

from edge_agent.engine.abi import Kind
from edge_agent.engine.code.plan import Plan


def unnamed_file() -> BinaryIO:
    """Return a new file that no other process finds and that ends with its descriptors."""
    try:
        return os.fdopen(os.memfd_create("compiled"), "w+b")
    except (AttributeError, OSError):
        return tempfile.TemporaryFile()


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiler made of a module: ``about`` says how to run it."""

    about: Kind | Plan
    code: BinaryIO

    @property
    def path(self) -> str:
        """Where the engine finds the code, for as long as this is not closed."""
        self.code.flush()
        return f"/proc/self/fd/{self.code.fileno()}"

    def read(self) -> bytes:
        """Return the code."""
        self.code.seek(0)
        return self.code.read()

    def close(self) -> None:
        """Let go of the code. What the engine has loaded of it stays."""
        self.code.close()


def write_about(about: Kind | Plan) -> bytes:
    """Write on one line what is known about a module."""
    return json.dumps(about.value).encode() if isinstance(about, Kind) else about.as_json()


def read_about(text: bytes) -> Kind | Plan:
    """Read what :func:`write_about` wrote."""
    found = json.loads(text)
    return Kind(found) if isinstance(found, str) else Plan.from_json(text)
