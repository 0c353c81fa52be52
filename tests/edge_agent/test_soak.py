"""Many calls leave nothing behind: no thread, no descriptor, no memory.

The extended ones make 100,000 calls, the others enough to see what grows with each.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import MIB, Limits
from edge_agent.errors import CallFailed
from edge_agent.memory import give_back
from edge_agent.mounts import Mount
from protos.edge.v1 import edge_pb2
from tests.edge_agent.fake_dispatcher import TOKEN
from tests.edge_agent.guests import modules
from tests.edge_agent.guests.modules import saying

MANY = pytest.mark.parametrize(
    "calls",
    [4_000, pytest.param(100_000, marks=[pytest.mark.extended, pytest.mark.timeout(3600)])],
)
#: Of the engine's and the interpreter's own caches. 4,000 calls that leave 1 KiB each are seen.
SLACK_BYTES = 3 * MIB
#: The engine and gRPC have pools of threads that end after a while without work.
SPARE_THREADS = 3
WARM_UP = 500


class Held:
    """What a process holds now."""

    def __init__(self, pid):
        process = psutil.Process(pid)
        self.threads = process.num_threads()
        self.descriptors = process.num_fds()
        self.resident_bytes = process.memory_info().rss

    def assert_no_more_than(self, before):
        assert self.threads <= before.threads + SPARE_THREADS
        assert self.descriptors <= before.descriptors
        assert self.resident_bytes <= before.resident_bytes + SLACK_BYTES


@MANY
def test_the_engine(engine, tmp_path, calls):
    mounts = [Mount("/data", str(tmp_path))]
    kinds = [
        (saying("hello"), Limits()),
        (modules.trapping(), Limits()),
        (modules.looping(), Limits(wall_ms=1)),
        (modules.shouting("words"), Limits()),
        (modules.memory_bomb(), Limits(memory_mib=2)),
        (modules.exiting(3), Limits()),
    ]
    loaded = [
        (engine.modules.get(kind.digest, lambda wasm=kind.wasm: wasm)[0], limits)
        for kind, limits in kinds
    ]

    def call(number):
        # Every tenth ends badly, each kind in its turn.
        module, limits = loaded[number // 10 % len(loaded)] if number % 10 == 0 else loaded[0]
        running = CallState(limits, mounts)
        if number % 100 == 50:
            engine.cancel(running)
        try:
            engine.send(module, b"{}", running)
        except CallFailed:
            return 1
        return 0

    _on_two_threads(call, WARM_UP)
    before = Held(os.getpid())
    _on_two_threads(call, calls)
    Held(os.getpid()).assert_no_more_than(before)
    assert sum(call(number) for number in range(600)) >= 40  # they really do end badly


def _on_two_threads(call, calls):
    halves = [
        threading.Thread(target=lambda: [call(number) for number in range(calls // 2)])
        for _ in range(2)
    ]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
    give_back()


@MANY
def test_an_agent(dispatcher, tmp_path, calls):
    module = saying("hello")
    dispatcher.modules[module.digest] = module.wasm
    looping = modules.looping()
    dispatcher.modules[looping.digest] = looping.wasm
    options = ["--dispatcher", dispatcher.address, "--name", "pi4", "--slots", "2"]
    options += ["--state", str(tmp_path / "state")]
    with subprocess.Popen(
        [sys.executable, "-m", "edge_agent", "run", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "SANDERLING_TOKEN": TOKEN},
    ) as process:
        try:
            assert json.loads(process.stdout.readline())["ready"]
            attached = dispatcher.next_agent()
            _run_calls(attached, module, looping, range(WARM_UP))
            before = Held(process.pid)
            _run_calls(attached, module, looping, range(WARM_UP, WARM_UP + calls))
            Held(process.pid).assert_no_more_than(before)
            assert Path(f"/proc/{process.pid}").exists()
        finally:
            process.terminate()


def _run_calls(attached, module, looping, numbers, in_flight=20):
    """Send calls, of which one in a hundred is cancelled, and acknowledge every result."""
    waiting = set()
    for number in numbers:
        cancelled = number % 100 == 50
        call_id = f"c{number}"
        attached.send(
            call=edge_pb2.Call(
                id=call_id,
                server="s",
                tool="t",
                module=edge_pb2.Module(sha256=(looping if cancelled else module).digest),
                arguments=edge_pb2.Payload(inline=b'{"a": 1}'),
            )
        )
        waiting.add(call_id)
        if cancelled:
            attached.send(cancel=edge_pb2.Cancel(call_id=call_id, reason="for the test"))
        while len(waiting) >= in_flight:
            _take(attached, waiting)
    while waiting:
        _take(attached, waiting)


def _take(attached, waiting):
    result, _ = attached.result()
    number = int(result.call_id[1:])
    wanted = edge_pb2.STATUS_CANCELLED if number % 100 == 50 else edge_pb2.STATUS_DONE
    assert result.status == wanted, result
    waiting.remove(result.call_id)
    attached.send(ack=edge_pb2.Ack(call_ids=[result.call_id]))
