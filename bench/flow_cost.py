"""What labels that follow data cost: processor time of dispatcher and agent for a call of 4 KiB.

    python -m bench.flow_cost [--calls N] [--rounds N] [--json]

Two dispatchers with one agent each, alike but for ``policy.flow``, are asked in turns. Both have given
private texts before, so that there is something to look for. The calls:

    checked     a public call with 4 KiB of arguments, none of which is private
    read again  a private call that gives a file of 4 KiB that it has given before
    read anew   a private call that gives 4 KiB that nobody has seen
    small       a public call with hardly any arguments

The ratio is the least of the rounds of each, with ``flow = "content"`` over ``flow = "off"``.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.rig.command import Columns, Rows, parser, show
from bench.rig.optional import optional

with optional:
    import psutil

    from bench.end_to_end import RawClient
    from bench.rig.dispatcher import ready


COLUMNS: Columns = {
    "off_ms": ("off, ms", ".3f"),
    "content_ms": ("content, ms", ".3f"),
    "ratio": ("ratio", ".3f"),
}
KIB_4 = 4096
NEW_FILES = 40  # of a round: all of them fit into what is remembered closely
SEEN = 32  # private files that were given before
LETTERS = "aeioubdfgklmnprstvz"
CONFIG = """
[policy]
flow = "{flow}"
[[policy.rules]]
tools = ["filesystem.*"]
privacy = "node"
[[agents]]
name = "device"
mounts = [{{ path = "/data", directory = "{data}" }}]
"""


def text_of(seed: str) -> str:
    """4 KiB of a log, others for another seed."""
    drawn = random.Random(seed)
    lines = []
    while sum(map(len, lines)) < KIB_4:
        words = " ".join("".join(drawn.choices(LETTERS, k=6)) for _ in range(8))
        lines.append(f"2026-12-01T{drawn.randrange(24):02}:00:07Z {words}\n")
    return "".join(lines)[:KIB_4]


class Side:
    """One of the two: its processes, and how it is asked."""

    def __init__(self, url: str, pid: int, data: Path) -> None:
        whole = psutil.Process(pid)
        self._url, self._data = url, data
        self._processes = [whole, *whole.children(recursive=True)]

    def spent_ms(self) -> float:
        """Processor time of all its processes until now."""
        times = [
            int(path.read_text().split()[0])  # ns; the kernel's ticks of 10 ms are too coarse
            for one in self._processes
            for path in Path(f"/proc/{one.pid}/task").glob("*/schedstat")
        ]
        return sum(times) / 1e6

    def per_call_ms(self, clients: list[RawClient]) -> float:
        """Processor time of each of these calls, made one after the other."""
        before = self.spent_ms()
        for client in clients:
            answer = client.call()
            assert b'"isError":true' not in answer, answer[:500]
        return (self.spent_ms() - before) / len(clients)

    def calls(self, kind: str, count: int, seed: str) -> list[RawClient]:
        """Calls of a kind, ready to be made."""
        if kind == "small":
            return [RawClient(self._url)] * count
        if kind == "checked":
            client = RawClient(self._url, "parse_logs", {"log_content": text_of("public" + seed)})
            return [client] * count
        if kind == "read again":
            return [self.reading(f"seen{n % SEEN}") for n in range(count)]
        count = min(count, NEW_FILES)
        for n in range(count):
            (self._data / f"{seed}-{n}.log").write_text(text_of(f"{seed}-{n}"))
        return [self.reading(f"{seed}-{n}") for n in range(count)]

    def reading(self, name: str) -> RawClient:
        """A call that reads a file."""
        return RawClient(self._url, "read_text_file", {"path": f"/data/{name}.log"})


KINDS = ("checked", "read again", "read anew", "small")


@contextmanager
def sides() -> Iterator[dict[str, Side]]:
    """Both dispatchers, with some files given."""
    with tempfile.TemporaryDirectory(prefix="flow-") as scratch, ExitStack() as stack:
        found = {}
        for flow in ("off", "content"):
            data = Path(scratch) / flow
            data.mkdir()
            for n in range(SEEN):
                (data / f"seen{n}.log").write_text(text_of(f"seen{n}"))
            config = Path(scratch) / f"{flow}.toml"
            config.write_text(CONFIG.format(flow=flow, data=data))
            command = [sys.executable, "-P", "-m", "dispatcher", "up", "--config", str(config)]
            command += ["--state", str(Path(scratch) / f"state-{flow}"), "--port", "0"]
            process, line = stack.enter_context(ready(command))
            found[flow] = Side(line["mcp"], process.pid, data)
        yield found


def measured(calls: int, rounds: int) -> Rows:
    """Each kind of call, on both sides in turns."""
    with sides() as both:
        for side in both.values():
            for kind in KINDS:
                side.per_call_ms(side.calls(kind, max(calls // 4, SEEN), f"warm{kind[-1]}"))
        rows: Rows = {}
        for kind in KINDS:
            spent: dict[str, list[float]] = {flow: [] for flow in both}
            for turn in range(rounds):
                for flow, side in both.items():
                    ready_calls = side.calls(kind, calls, f"{turn}{kind[-1]}")
                    spent[flow].append(side.per_call_ms(ready_calls))
            off, content = min(spent["off"]), min(spent["content"])
            rows[kind] = {"off_ms": off, "content_ms": content, "ratio": content / off}
    return rows


def main() -> None:
    made = parser(__doc__, "bench.flow_cost")
    made.add_argument("--calls", type=int, default=400, metavar="N")
    made.add_argument("--rounds", type=int, default=7, metavar="N")
    chosen = made.parse_args()
    show(measured(chosen.calls, chosen.rounds), COLUMNS, first="call", as_json=chosen.json)


if __name__ == "__main__":
    main()
