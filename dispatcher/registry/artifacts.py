"""Modules by content: what agents fetch by digest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from protos.contract import CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that agents may fetch; its name is the SHA-256 of its bytes, in lower-case hex."""

    sha256: str
    path: Path
    size_bytes: int


class Artifacts:
    """Digest -> file. Agents check what they get, so files are not read before they are asked."""

    def __init__(self) -> None:
        self._by_digest: dict[str, Artifact] = {}

    def add(self, artifact: Artifact) -> None:
        """Make an artifact known; the same digest again replaces its place."""
        self._by_digest[artifact.sha256] = artifact

    def remove(self, sha256: str) -> None:
        """Forget an artifact, if it is known."""
        self._by_digest.pop(sha256, None)

    def get(self, sha256: str) -> Artifact | None:
        """The artifact of a digest, if it is known."""
        return self._by_digest.get(sha256)

    async def chunks(self, artifact: Artifact, offset_bytes: int) -> AsyncIterator[bytes]:
        """The bytes from an offset on, ``CHUNK_BYTES`` at a time.

        Raises:
            OSError: the file is gone or cannot be read.
        """
        with await asyncio.to_thread(artifact.path.open, "rb") as file:
            await asyncio.to_thread(file.seek, offset_bytes)
            while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield data
