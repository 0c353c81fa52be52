"""The machine under it misbehaves: a disk that is full or rotten, a clock that jumps."""

import asyncio
import shutil
import subprocess
import textwrap
import time
from contextlib import contextmanager, suppress

import httpx2
import pytest

from tests.chaos.house import BUILT_IN, Load, call
from tests.chaos.test_storm import works
from tests.integration.conftest import wait_for

#: One server is left for the agents to compile.
COLD_TIME = [name for name in BUILT_IN if name != "time"]


def ask(house, tool, arguments):
    async def run():
        async with httpx2.AsyncClient(timeout=60) as client:
            return await call(client, house.url, tool, arguments)

    return asyncio.run(run())


def tells_the_time(house):
    """A tool in Wasm: its module is fetched, compiled and kept, or not kept."""
    result = ask(house, "get_current_time", {"timezone": "UTC"})
    assert not result.get("isError"), result
    return "UTC" in result["content"][0]["text"]


def test_a_disk_that_fills_up_and_has_room_again(house):
    one = house(nodes=2, warm=COLD_TIME)
    one.start()
    one.write_at_most(0)
    load = Load(one)
    asyncio.run(load.run(100))
    assert load.failed == {}
    load.check()
    one.write_at_most(None)
    assert tells_the_time(one)
    later = Load(one)
    asyncio.run(later.run(50))
    assert later.failed == {}
    assert {process.poll() for process in one.processes.values()} == {None}
    one.kill("dispatcher")  # what it kept meanwhile is whole
    one.start_dispatcher()
    assert works(one), one.logs()


@contextmanager
def small_disk(folder, size_kib):
    folder.mkdir(parents=True)
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k,mode=700", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(argv, capture_output=True, check=False).returncode
    ):
        pytest.skip("cannot mount a small tmpfs here; needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.extended
def test_an_agent_whose_disk_was_always_full(house):
    one = house(nodes=1, warm=[])
    with small_disk(one.folder / "node0", 64):
        fill(one.folder / "node0/ballast")
        one.start()
        assert tells_the_time(one)
        assert tells_the_time(one)
        assert works(one), one.logs()
        one.stop()


@pytest.mark.extended
def test_a_dispatcher_whose_disk_is_full(house):
    one = house(nodes=1)
    with small_disk(one.folder / "state", 2048):
        one.start()
        ballast = one.folder / "state/ballast"
        fill(ballast)
        load = Load(one)
        asyncio.run(load.run(200))
        assert load.failed == {}
        ballast.unlink()
        one.kill("dispatcher")
        one.start_dispatcher()
        assert works(one), one.logs()
        one.stop()


def _flipped(data, rng):
    rotten = bytearray(data)
    for _ in range(16 if data else 0):
        rotten[rng.randrange(len(rotten))] ^= 1 << rng.randrange(8)
    return bytes(rotten)


HARMS = {
    "flipped": _flipped,
    "cut short": lambda data, _: data[: len(data) // 2],
    "empty": lambda *_: b"",
    "zeroed": lambda data, _: bytes(len(data)),
}


WIDER = {"cut short", "empty", "zeroed"}


@pytest.mark.parametrize(
    "how",
    [pytest.param(how, marks=[pytest.mark.extended] if how in WIDER else []) for how in HARMS],
)
def test_everything_that_was_kept_is_rotten(house, rng, how):
    one = house(nodes=1, warm=COLD_TIME)
    one.start()
    assert tells_the_time(one)
    assert works(one)
    one.stop()
    harmed = 0
    for place in ("node0", "state"):
        for path in sorted((one.folder / place).rglob("*")):
            if path.is_file() and "token" not in path.name:
                path.write_bytes(HARMS[how](path.read_bytes(), rng))
                harmed += 1
    assert harmed >= 3  # a compiled module, a catalogue, a database
    one.start()
    assert tells_the_time(one), one.logs()
    assert works(one), one.logs()


JUMPING = """
    import pathlib, time
    _time, _place = time.time, pathlib.Path({place!r})
    def jumped():
        try:
            return _time() + float(_place.read_text())
        except (OSError, ValueError):
            return _time()
    time.time = jumped
    time.time_ns = lambda: int(jumped() * 1e9)
"""


@pytest.mark.parametrize("days", [400, pytest.param(-400, marks=pytest.mark.extended)])
def test_the_clock_jumps(house, days):
    one = house(nodes=2)
    place = one.folder / "jump"
    hooks = one.folder / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "sitecustomize.py").write_text(textwrap.dedent(JUMPING.format(place=str(place))))
    one.env = {"PYTHONPATH": str(hooks)}
    one.start()
    load = Load(one)

    async def run():
        going = asyncio.create_task(load.run(100, ms=20, cancel_every=37))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(place.write_text, str(days * 86_400))
        await going

    asyncio.run(run())
    assert load.failed == {}
    load.check()
    assert load.cancelled
    assert set(one.attached()) == set(one.names)

    def jumped():
        seen = max(agent["last_seen"] for agent in one.agents())
        return abs(seen - time.time() - days * 86_400) < 3600

    assert wait_for(jumped)  # with the next heartbeat
    one.kill("dispatcher")
    one.start_dispatcher()
    assert wait_for(lambda: set(one.attached()) == set(one.names))
    assert works(one), one.logs()
