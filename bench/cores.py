"""Calls a second of a CPU-bound tool: two at once against one, in the engine and end to end.

    python -m bench.cores [--json] [--seconds S] [--rounds N]

engine    threads that call compute_image_hash of image-resize on a photograph of 2 megapixels
agent     the same call through a dispatcher to an agent with one slot or two, by clients that
          always have one call more under way than there are slots
python    threads that do as much arithmetic in the interpreter, whose lock lets one run

Each way is measured in turns, so that a busy machine is busy for all. The ratio of a machine of
two free cores is at most 2.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.rig.command import Columns, parser, show
from bench.rig.optional import optional

with optional:
    from bench.images import draw
    from bench.peers.mcp_process import Call
    from bench.rig.dispatcher import agent, dispatcher
    from bench.rig.module import module_bench
    from edge_agent.mounts import make_mount

    CALL = Call("compute_image_hash", {"image_path": "/images/large.jpg"})


COLUMNS: Columns = {
    "one": ("one, calls/s", ".1f"),
    "two": ("two, calls/s", ".1f"),
    "ratio": ("ratio", ".2f"),
}
SIZE = (1600, 1200)
Run = Callable[[], object]


def calls_a_second(run: Run, threads: int, seconds: float) -> float:
    """What this many threads get done that each call again and again."""
    ends = time.perf_counter() + seconds

    def work() -> int:
        done = 0
        while time.perf_counter() < ends:
            run()
            done += 1
        return done

    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(lambda _: work(), range(threads)))
    return done / (time.perf_counter() - begun)


def in_python() -> int:
    """Arithmetic that holds the interpreter's lock."""
    total = 0
    for number in range(1_000_000):
        total ^= number * 1_664_525
    return total


@contextmanager
def ways() -> Iterator[dict[str, tuple[Run, Run]]]:
    """Each way: the call where one may run at once, and where two may."""
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="cores-"))
        images = Path(scratch, "images")
        images.mkdir()
        draw(SIZE).save(images / "large.jpg")
        engine = stack.enter_context(
            module_bench("image-resize", CALL, [make_mount("/images", images)])
        )
        through = [_through(stack, Path(scratch, f"cache{n}"), images, slots=n) for n in (1, 2)]
        yield {
            "engine": (engine.call, engine.call),
            "agent": (through[0], through[1]),
            "python": (in_python, in_python),
        }


def _through(stack: ExitStack, cache: Path, images: Path, slots: int) -> Run:
    """The call through a dispatcher to an agent of its own."""
    served = stack.enter_context(dispatcher())
    more = ("--slots", str(slots), "--mount", f"/images={images}:ro")
    stack.enter_context(agent(served, cache, more=more))
    client = served.client()
    request = {"tool": CALL.tool, "arguments": dict(CALL.arguments)}

    def run() -> None:
        result = client.call(request)
        assert not result.get("isError"), result

    run()
    return run


def measure(seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Medians of calls a second, and the ratio of two to one."""
    times: dict[str, tuple[list[float], list[float]]] = {}
    with ways() as found:
        for _ in range(rounds):
            for name, runs in found.items():
                extra = 1 if name == "agent" else 0  # so that the next call waits at the slot
                for slots, run in enumerate(runs, start=1):
                    rate = calls_a_second(run, slots + extra, seconds)
                    times.setdefault(name, ([], []))[slots - 1].append(rate)
    rows = {}
    for name, (one, two) in times.items():
        rows[name] = {"one": statistics.median(one), "two": statistics.median(two)}
        rows[name]["ratio"] = rows[name]["two"] / rows[name]["one"]
    return rows


def main() -> None:
    """Measure and print a table, or JSON."""
    options = parser(__doc__, "bench.cores")
    options.add_argument("--seconds", type=float, default=3.0, help="of each measurement [3]")
    options.add_argument("--rounds", type=int, default=3, help="measurements of each [3]")
    chosen = options.parse_args()
    show(measure(chosen.seconds, chosen.rounds), COLUMNS, as_json=chosen.json)


if __name__ == "__main__":
    main()
