"""Photographs of a kind, drawn from a seed: some are the same scene, taken twice."""

from __future__ import annotations

import math
import random
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

SCENES = 5
_WIDTH, _HEIGHT, _BLOCK = 160, 120, 4
_WAVES = 4


@dataclass(frozen=True, slots=True)
class PlantedPictures:
    """The names of all pictures, and of those that show the same scene twice, in pairs."""

    names: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


def write_pictures(directory: Path, seed: int = 2026) -> PlantedPictures:
    """Draw the pictures as PNG files of 640 x 480 pixels into ``directory``."""
    rng = random.Random(seed)  # noqa: S311 - sample data, not a secret
    names: list[str] = []
    pairs: list[tuple[str, str]] = []
    for scene in range(SCENES):
        waves = [_wave(rng) for _ in range(_WAVES)]
        name = f"beach-{scene + 1}.png"
        (directory / name).write_bytes(_png(waves, brightness=1.0))
        names.append(name)
        if scene in {1, 3}:
            again = f"beach-{scene + 1}-again.png"
            (directory / again).write_bytes(_png(waves, brightness=0.94))
            names.append(again)
            pairs.append((name, again))
    return PlantedPictures(tuple(names), tuple(pairs))


_Wave = tuple[float, float, float]


def _wave(rng: random.Random) -> _Wave:
    return rng.uniform(-5, 5), rng.uniform(-5, 5), rng.uniform(0, math.tau)


def _png(waves: list[_Wave], brightness: float) -> bytes:
    """Draw the sum of ``waves``, each pixel as a block, with a sky-to-sand tint."""
    rows = bytearray()
    for y in range(_HEIGHT):
        row = bytearray(b"\0")  # PNG's filter "none"
        for x in range(_WIDTH):
            height = sum(
                math.cos(a * x / _WIDTH * math.pi + b * y / _HEIGHT * math.pi + phase)
                for a, b, phase in waves
            )
            level = (128 + height / _WAVES * 110) * brightness
            row += bytes((int(level), int(level * 0.9), int(level * 0.7))) * _BLOCK
        rows += row * _BLOCK
    header = struct.pack(">IIBBBBB", _WIDTH * _BLOCK, _HEIGHT * _BLOCK, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
