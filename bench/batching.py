"""What holding calls that would stand in line gains, and that it costs an idle system nothing.

    python -m bench.batching [--runs N] [--live SECONDS] [--json]

Simulated: the same arrivals with and without (``dispatcher.batch_ms`` 1.5 and 0), the dispatcher's
own scheduler in both. Live: two dispatchers with agents of one slot side by side, asked in turns,
alone and by a crowd that mixes short and long calls. Ratios below 1: batches are faster.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    from bench.end_to_end import RawClient, started
    from bench.simulate.arrivals import poisson
    from bench.simulate.engine import Settings, Simulation
    from bench.simulate.world import world_of


BATCH_MS: Final = 1.5
NODES: Final = 40
CALLS: Final = 2500
CROWD: Final = 24

#: name -> calls per second, and the most of them that come at once
LOADS: Final = {
    "idle": (50.0, 1),
    "busy": (800.0, 20),
    "bursts on idle nodes": (100.0, 60),
    "crowded": (2000.0, 60),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """Latency with batches over latency without, of the mean and the median; its standard error."""

    mean: float
    error: float
    p50: float
    in_batches: float

    def line(self, name: str) -> str:
        share = "" if math.isnan(self.in_batches) else f"{100 * self.in_batches:.0f} %"
        return f"{name:<34}{self.mean:>8.3f} +- {self.error:.3f}{self.p50:>9.3f}{share:>9}"


def simulated(load: str, runs: int) -> Compared:
    """One load, over so many worlds."""
    rate, burst = LOADS[load]
    means, medians, held = [], [], 0
    for seed in range(runs):
        without, _ = _run(seed, rate, burst, 0.0)
        with_, in_batches = _run(seed, rate, burst, BATCH_MS)
        means.append(statistics.mean(with_) / statistics.mean(without))
        medians.append(statistics.median(with_) / statistics.median(without))
        held += in_batches
    return _compared(means, medians, held / (runs * CALLS))


def _run(seed: int, rate: float, burst: int, batch_ms: float) -> tuple[list[float], int]:
    world = world_of(NODES, random.Random(f"world {seed}"))
    arrivals = poisson(world, CALLS, rate, burst, random.Random(f"arrivals {seed}"))
    settings = Settings(batch_ms=batch_ms)
    run = Simulation(world, arrivals, settings, random.Random(f"events {seed}"))
    run.run()
    assert not run.checker.violations
    return run.latency_ms, run.dispatcher.held


def _compared(means: list[float], medians: list[float], in_batches: float) -> Compared:
    error = statistics.stdev(means) / len(means) ** 0.5 if len(means) > 1 else 0.0
    return Compared(statistics.mean(means), error, statistics.mean(medians), in_batches)


# ---- live

LOG: Final = "\n".join(
    f"2026-11-24T10:{n // 60 % 60:02}:{n % 60:02}Z ERROR worker {n} lost its lease"
    for n in range(3000)
)
SHORT: Final = ("get_current_time", {"timezone": "UTC"})
LONG: Final = ("parse_logs", {"log_content": LOG})


@contextmanager
def dispatchers() -> Iterator[dict[float, str]]:
    """``batch_ms`` -> MCP URL of a dispatcher with two agents of one slot."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {}
        for batch_ms in (0.0, BATCH_MS):
            config = folder / f"{batch_ms}.toml"
            agents = "".join(
                f'[[agents]]\nname = "{name}"\nslots = 1\n' for name in ("device", "edge")
            )
            config.write_text(
                f'[dispatcher]\nbatch_ms = {batch_ms}\nstate = "{batch_ms}"\n{agents}'
            )
            up = ("-m", "dispatcher", "up", "--config", str(config), "--port", "0")
            urls[batch_ms] = stack.enter_context(started(*up))
        yield urls


def live(seconds: float) -> dict[str, Compared]:
    """The two dispatchers in turns: one caller alone, then a crowd."""
    found = {}
    with dispatchers() as urls, ThreadPoolExecutor(CROWD) as pool:
        clients = {
            batch: [RawClient(url, *(LONG if n % 2 else SHORT)) for n in range(CROWD)]
            for batch, url in urls.items()
        }
        for name, count in (("alone", 1), ("crowd", CROWD)):
            times: dict[float, list[float]] = {batch: [] for batch in urls}
            means, medians = [], []
            ends = time.monotonic() + seconds
            while time.monotonic() < ends or len(means) < 3:
                for batch in urls:
                    times[batch] = list(pool.map(_timed, clients[batch][:count]))
                pairs = times[BATCH_MS], times[0.0]
                means.append(_ratio(statistics.mean, *pairs))
                medians.append(_ratio(statistics.median, *pairs))
            found[name] = _compared(means[1:], medians[1:], math.nan)  # the first warms up
        for client in (one for some in clients.values() for one in some):
            client.close()
    return found


def _timed(client: RawClient) -> float:
    """Ten calls in a row; ms of one on average."""
    began = time.perf_counter()
    for _ in range(10):
        client.call()
    return (time.perf_counter() - began) * 100


def _ratio(of, one: list[float], other: list[float]) -> float:
    return float(of(one) / of(other))


def main() -> None:
    options = parser(__doc__, "bench.batching")
    options.add_argument("--runs", type=int, default=8, help="worlds per load (8)")
    options.add_argument(
        "--live", type=float, default=15.0, help="seconds per live case (15; 0: none)"
    )
    chosen = options.parse_args()
    figures = {f"simulated, {load}": simulated(load, chosen.runs) for load in LOADS}
    if chosen.live:
        figures |= {f"live, {name}": found for name, found in live(chosen.live).items()}
    if chosen.json:
        print(json.dumps({name: one.mean for name, one in figures.items()}))
        return
    print(f"{'with / without batches':<34}{'mean':>8} {'':>9}{'p50':>6}{'held':>9}")
    for name, one in figures.items():
        print(one.line(name))


if __name__ == "__main__":
    main()
