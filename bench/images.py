"""Resizing images in the agent's engine, and the same with Pillow in this process.

    python -m bench.images [--json] [--rounds N]

Both read the same file, resize it with a Lanczos filter and write it in the same format. The
module is in memory; a call gets an instance of its own, and its answer is the image as base64.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.rig.command import Columns, parser, show
from bench.rig.optional import optional

with optional:
    from PIL import Image

    LANCZOS = Image.Resampling.LANCZOS
    from bench.peers.mcp_process import Call
    from bench.rig.module import ModuleBench, module_bench
    from edge_agent.jsonrpc import read_result
    from edge_agent.mounts import Mount


COLUMNS: Columns = {
    "module_ms": ("module ms", ".1f"),
    "pillow_ms": ("Pillow ms", ".1f"),
    "ratio": ("times", ".2f"),
}


@dataclass(frozen=True)
class Case:
    """One image file, and what is made of it: a width to scale to, or a side not to exceed."""

    name: str
    size: tuple[int, int]
    target: dict[str, int]
    output: str = "JPEG"

    @property
    def arguments(self) -> dict[str, object]:
        path = f"/images/{self.name}"
        return {"image_path": path, "output_format": self.output, **self.target}

    def __str__(self) -> str:
        ((key, side),) = self.target.items()
        return f"{self.name} {key} {side} {self.output}"


CASES = (
    Case("large.jpg", (4000, 3000), {"max_size": 150}),
    Case("large.jpg", (4000, 3000), {"width": 1000}),
    Case("screen.jpg", (1920, 1080), {"max_size": 800}),
    Case("screen.png", (1920, 1080), {"width": 800}, "PNG"),
    Case("screen.webp", (1920, 1080), {"width": 800}, "WEBP"),
    Case("screen.gif", (1920, 1080), {"width": 800}),
    Case("screen.bmp", (1920, 1080), {"width": 800}),
)


def draw(size: tuple[int, int]) -> Image.Image:
    """Soft clouds with a little noise, the same each time: neither flat nor incompressible."""
    chance = random.Random(f"{size}")
    coarse = (size[0] // 40, size[1] // 40)
    clouds = Image.frombytes("RGB", coarse, chance.randbytes(coarse[0] * coarse[1] * 3))
    noise = Image.effect_noise(size, 20).convert("RGB")
    return Image.blend(clouds.resize(size, Image.Resampling.BICUBIC), noise, 0.1)


def with_pillow(case: Case, directory: Path) -> bytes:
    """Make the image that the tool makes."""
    with Image.open(directory / case.name) as image:
        if side := case.target.get("max_size"):
            image.thumbnail((side, side), LANCZOS)
            small: Image.Image = image
        else:
            width = case.target["width"]
            height = int(image.height * (width / image.width))
            small = image.resize((width, height), LANCZOS)
        if case.output == "JPEG":
            small = small.convert("RGB")
        out = io.BytesIO()
        small.save(out, case.output, quality=85)
        return out.getvalue()


@contextlib.contextmanager
def image_bench(case: Case) -> Iterator[tuple[ModuleBench, Path]]:
    """Draw the image and load the module; leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="images-") as place:
        directory = Path(place)
        draw(case.size).save(directory / case.name)
        mounts = [Mount("/images", place, readonly=True)]
        with module_bench("image-resize", Call("resize_image", case.arguments), mounts) as bench:
            check_answer(bench.call(), with_pillow(case, directory))
            yield bench, directory


def check_answer(answer: bytes, expected: bytes) -> None:
    """Both must really make the same image."""
    found = json.loads(read_result(answer))["structuredContent"]
    with Image.open(io.BytesIO(expected)) as image:
        assert found["new_size"] == list(image.size), found
    assert len(expected) / 2 <= found["output_bytes"] <= len(expected) * 2


def median_ms(run: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Medians of both in ms, and how many times Pillow's the module's is."""
    with image_bench(case) as (bench, directory):
        module = median_ms(bench.call, rounds)
        pillow = median_ms(lambda: with_pillow(case, directory), rounds)
    return {"module_ms": module, "pillow_ms": pillow, "ratio": module / pillow}


def main() -> None:
    """Measure and print a table, or JSON."""
    options = parser(__doc__, "bench.images")
    options.add_argument("--rounds", type=int, default=5, help="images of each kind [5]")
    chosen = options.parse_args()
    found = {str(case): measure(case, chosen.rounds) for case in CASES}
    show(found, COLUMNS, first="image", as_json=chosen.json)


if __name__ == "__main__":
    main()
