"""Reads the lock of the run-time packages, which names a digest for every wheel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_LOCK: Final = Path(__file__).resolve().parents[2] / "requirements" / "run.lock"


def locked(*packages: str) -> str:
    """Return the lines of these packages, without their conditions.

    Raises:
        LookupError: a package is not in the lock.
    """
    entries = re.findall(
        r"^([\w.-]+)==(\S+)([^\n]*(?:\n +--hash\S+(?: \\)?)*)", _LOCK.read_text(), re.MULTILINE
    )
    versions = {name: (version, hashes) for name, version, hashes in entries}
    lines = []
    for package in packages:
        if package not in versions:
            raise LookupError(f"{package} is not in {_LOCK.name}: run `make lock`")
        version, rest = versions[package]
        hashes = " ".join(re.findall(r"--hash=\S+", rest))
        lines.append(f"{package}=={version} {hashes}\n")
    return "".join(lines)
