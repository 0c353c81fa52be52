"""Components: `wasi:cli/run`, `wasi:http/incoming-handler`, and what hostile ones get."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.sections import memories_of
from edge_agent.engine.component import files, own_thread
from edge_agent.engine.limits import MIB, Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import (
    BadAnswer,
    CallCancelled,
    CallFailed,
    CallTimeout,
    LimitExceeded,
    ModuleRejected,
    ModuleTrapped,
    OutputTooLarge,
)
from edge_agent.jsonrpc import make_call
from edge_agent.mounts import Mount, make_mount
from tests import compiled
from tests.edge_agent.guests import components, hostile_files
from tests.edge_agent.guests.hostile_files import numbers
from tests.edge_agent.guests.modules import RESULT, Module
from tests.edge_agent.serving.web.client import MODERN_META

MESSAGE = make_call("t", b"{}")
UTC = make_call("get_current_time", b'{"timezone": "UTC"}')
KINDS = pytest.mark.parametrize(
    "made", [components.built_in, components.built_in_for_http], ids=["run", "http"]
)


@pytest.fixture
def engine():
    """One that finds what was compiled for another test, by any worker."""
    engine = WasmEngine(compiled.AGENTS, concurrency=4, compiles_apart=False)
    yield engine
    engine.close()


def text(answer):
    return json.loads(answer.data)["result"]["content"][0]["text"]


@KINDS
def test_a_component_answers(send, made):
    assert json.loads(text(send(made("time"), UTC)))["timezone"] == "UTC"


@KINDS
def test_both_eras_reach_a_component(send, made):
    params = {"_meta": MODERN_META, "name": "get_current_time", "arguments": {"timezone": "UTC"}}
    message = {"jsonrpc": "2.0", "id": "ä", "method": "tools/call", "params": params}
    answer = json.loads(send(made("time"), json.dumps(message).encode()).data)
    assert answer["id"] == "ä"
    assert answer["result"]["resultType"] == "complete"
    message = {"jsonrpc": "2.0", "id": 5, "method": "tools/nothing", "params": {}}
    answer = json.loads(send(made("time"), json.dumps(message).encode()).data)
    assert answer["error"]["code"] == -32601


@KINDS
def test_a_component_sees_its_mounts_and_no_more(send, made, tmp_path):
    (tmp_path / "a.txt").write_text("in a mount")
    mount = make_mount("/data", tmp_path)
    module = made("filesystem")
    read = make_call("read_text_file", b'{"path": "/data/a.txt"}')
    assert text(send(module, read, mounts=[mount])) == "in a mount"
    outside = json.loads(send(module, make_call("read_text_file", b'{"path": "/etc/passwd"}')).data)
    assert outside["result"]["isError"] is True


@KINDS
def test_components_run_side_by_side(send, made):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: text(send(made("time"), UTC)), range(24)))
    assert all(json.loads(one)["timezone"] == "UTC" for one in answers)


def test_a_component_is_compiled_once_and_kept(tmp_path):
    module = components.saying()
    for source in (lambda: module.wasm, pytest.fail):
        engine = WasmEngine(tmp_path / "kept", concurrency=1)
        loaded, _ = engine.modules.get(module.digest, source)
        assert text(engine.send(loaded, MESSAGE, CallState())) == "hello"
        engine.close()


def test_an_agent_without_components_makes_no_engine_for_them():
    code = (
        "import sys; from edge_agent.engine.runtime import WasmEngine; WasmEngine(None, 1)\n"
        "print('wasmtime.component' in sys.modules, 'edge_agent.engine.component.runner' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


@pytest.mark.parametrize(
    ("module", "error"),
    [
        (components.running("(i32.const 0)"), BadAnswer),
        (components.running("unreachable"), ModuleTrapped),
        (components.running("(loop $l (br $l)) (i32.const 0)"), CallTimeout),
        (components.running("(i32.const 0)", "(func $s (loop $l (br $l))) (start $s)"), CallTimeout),
        (components.running("(call $f)", "(func $f (result i32) (i32.add (call $f) (i32.const 1)))"), ModuleTrapped),
        (components.sleeping(3600), CallTimeout),
        (components.flooding(), OutputTooLarge),
        (components.saying(b"no JSON\n"), BadAnswer),
        (components.hoarding(4), CallFailed),
    ],
)  # fmt: skip
def test_a_hostile_component_is_contained_and_the_next_call_works(send, module, error):
    wall_ms = 300 if error is CallTimeout else 1000
    with pytest.raises(error):
        send(module, wall_ms=wall_ms, output_bytes=65536, memory_mib=64)
    assert text(send(components.saying())) == "hello"


def test_what_is_written_to_a_stream_that_is_dropped_at_once_arrives(send):
    answer = (RESULT % ("long " * 10_000)).encode() + b"\n"
    whole, last_words = (
        components.dropping("stdout", answer),
        components.dropping("stderr", b"so it ends", "unreachable"),
    )
    for _ in range(50):
        assert send(whole).data == answer.strip()
        with pytest.raises(ModuleTrapped, match="so it ends"):
            send(last_words)


def pipes():
    return {name for name in open_files() if name.startswith("pipe:")}


def test_no_stream_of_a_component_stays_open(engine, send, tmp_path):
    send(components.saying())
    before = pipes()
    for _ in range(50):
        send(components.saying())
        with pytest.raises(ModuleTrapped):
            send(components.running("unreachable"))
        with pytest.raises(CallFailed, match="cannot be opened"):
            send(components.saying(), mounts=[Mount("/m", str(tmp_path / "gone"))])
    assert pipes() == before


def test_the_answer_counts_whatever_comes_after_it(send):
    for then in ("unreachable", "(loop $l (br $l))"):
        assert text(send(components.saying(then=then))) == "hello"


def test_the_memories_of_a_component_share_its_limit(send):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    module = components.hoarding(4)
    assert memories_of(module.wasm) == 4
    before = resident()
    with pytest.raises(CallFailed):
        send(module, memory_mib=64)
    assert resident() - before < 80 * MIB
    with pytest.raises(ModuleRejected, match="memories"):
        send(components.hoarding(9))


def test_a_looping_component_is_cancelled_and_others_go_on(engine, send):
    module = components.running("(loop $l (br $l)) (i32.const 0)")
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    running = CallState(Limits(wall_ms=60_000))
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(engine.send, loaded, MESSAGE, running)
        threading.Timer(0.2, engine.cancel, [running]).start()
        while not outcome.done():
            assert text(send(components.saying())) == "hello"
            time.sleep(0.01)
        with pytest.raises(CallFailed):
            outcome.result()


def test_a_component_that_opens_files_without_end_is_ended(send, tmp_path):
    (tmp_path / "a").write_text("x")
    mounts = [make_mount("/m", tmp_path)]
    with pytest.raises(LimitExceeded, match=r"more than 50 open files; .* raise open_files"):
        send(components.opening_files(), mounts=mounts, open_files=50)
    assert str(tmp_path / "a") not in open_files()
    assert text(send(components.saying(), mounts=mounts)) == "hello"


def open_files():
    found = set()
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them is gone already
            found.add(str(number.readlink()))
    return found


def test_a_component_beside_one_that_opens_files_goes_on(engine, send, tmp_path):
    (tmp_path / "a").write_text("x")
    mounts = [make_mount("/m", tmp_path)]
    module = components.opening_files()
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    running = CallState(Limits(wall_ms=60_000, open_files=200), mounts)
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(engine.send, loaded, MESSAGE, running)
        while not outcome.done():
            assert text(send(components.saying(), mounts=mounts)) == "hello"
        with pytest.raises(LimitExceeded):
            outcome.result()


def test_a_component_ends_where_its_disk_is_nearly_full(send, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "nearly_full", lambda _: True)
    looping = components.running("(loop $l (br $l)) (i32.const 0)")
    with pytest.raises(LimitExceeded, match="disk behind /m is nearly full"):
        send(looping, mounts=[make_mount("/m", tmp_path)])
    with pytest.raises(CallTimeout):  # it could write nothing
        send(looping, mounts=[make_mount("/m", tmp_path, readonly=True)], wall_ms=500)


def size_of(place):
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


@pytest.mark.parametrize("at_once", [4096, 65_536, MIB])
def test_a_component_that_writes_without_end_is_ended(send, tmp_path, at_once):
    mounts = [make_mount("/m", tmp_path)]
    with pytest.raises(LimitExceeded, match=r"after 8388608 bytes written .* raise disk_mib"):
        send(components.filling_disk(at_once), mounts=mounts, disk_bytes=8 * MIB)
    # Within milliseconds, in which a fast disk takes a multiple; but it is not left to go on.
    assert 8 * MIB <= size_of(tmp_path) < 1024 * MIB
    assert text(send(components.saying(), mounts=mounts)) == "hello"


def test_what_a_component_may_write_it_writes(send, tmp_path):
    mounts = [make_mount("/m", tmp_path)]
    for _ in range(3):  # each call has the limit anew
        arguments = {"path": "/m/a", "content": "x" * (6 * MIB)}
        message = make_call("write_file", json.dumps(arguments).encode())
        answer = json.loads(
            send(components.built_in("filesystem"), message, mounts=mounts, disk_bytes=8 * MIB).data
        )
        assert not answer["result"].get("isError")
    assert size_of(tmp_path) == 6 * MIB


def test_components_beside_one_that_fills_the_disk_go_on(engine, send, tmp_path):
    """One of them is asleep and others write a little, all with less than they may."""
    mounts = [make_mount("/m", tmp_path)]
    module = components.filling_disk()
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    message = make_call("write_file", b'{"path": "/m/b", "content": "little"}')
    running = CallState(Limits(wall_ms=60_000, disk_bytes=64 * MIB), mounts)
    with ThreadPoolExecutor(2) as pool:
        asleep = pool.submit(
            send, components.sleeping(0.3), mounts=mounts, disk_bytes=64 * MIB, wall_ms=10_000
        )
        outcome = pool.submit(engine.send, loaded, MESSAGE, running)
        while not outcome.done():
            answer = send(components.built_in("filesystem"), message, mounts=mounts).data
            assert not json.loads(answer)["result"].get("isError")
        with pytest.raises(LimitExceeded, match="disk_mib"):
            outcome.result()
        with pytest.raises(BadAnswer, match="without an answer"):
            asleep.result()


def test_what_a_core_module_writes_is_not_put_down_to_a_component(engine, send, tmp_path):
    mounts = [make_mount("/m", tmp_path)]
    with ThreadPoolExecutor(1) as pool:
        sleeper = components.sleeping(1)
        outcome = pool.submit(send, sleeper, mounts=mounts, disk_bytes=MIB, wall_ms=10_000)
        while not outcome.done():
            written, *_ = numbers(
                send(hostile_files.writing(65_536), mounts=mounts, disk_bytes=32 * MIB)
            )
            assert written == 32 * MIB // 65_536
        with pytest.raises(BadAnswer, match="without an answer"):
            outcome.result()


def asleep():
    return [thread for thread in threading.enumerate() if thread.name == "component"]


def test_a_cancelled_call_does_not_wait_for_its_component_to_wake(engine, send):
    module = components.sleeping(3600)
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    running = CallState(Limits(wall_ms=4000))
    threading.Timer(0.5, engine.cancel, [running]).start()
    with pytest.raises(CallCancelled):
        engine.send(loaded, MESSAGE, running)
    assert asleep()  # it will end when it wakes
    assert text(send(components.saying())) == "hello"
    while asleep():
        time.sleep(0.05)


def test_only_so_many_sleeping_components_are_left_behind(engine, monkeypatch):
    monkeypatch.setattr(own_thread, "MOST_LEFT", 0)
    module = components.sleeping(3600)
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    running = CallState(Limits(wall_ms=1000))
    threading.Timer(0.2, engine.cancel, [running]).start()
    with pytest.raises(CallCancelled):
        engine.send(loaded, MESSAGE, running)
    assert engine._own_threads._left == 0


@pytest.mark.parametrize(
    ("wasm", "words"),
    [
        (b"\0asm\x0d\0\x01\0", "exports neither"),
        (b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\x0f", "not a valid component"),
        (b"\0asm\x0d\0\x01\0\x63\x00", "not a valid component"),
        (b"\0asm\x07\0\x01\0", "not a WebAssembly module"),
    ],
)
def test_what_is_no_tool_server_is_refused(send, wasm, words):
    with pytest.raises(ModuleRejected, match=words):
        send(Module(wasm))


PYTHON_SERVER = """
import json
import sys

class Run:
    def run(self):
        for line in sys.stdin:
            message = json.loads(line)
            if "id" not in message:
                continue
            text = "hello from Python " + sys.version.split()[0]
            result = {"content": [{"type": "text", "text": text}]}
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            print(json.dumps(answer), flush=True)
"""
WORLD = """
package local:server;
package wasi:cli@0.2.0 { interface run { run: func() -> result; } }
world server { export wasi:cli/run@0.2.0; }
"""


@pytest.mark.extended
def test_a_python_server_of_componentize_py_runs(send, tmp_path, componentize_py):
    (tmp_path / "wit").mkdir()
    (tmp_path / "wit/world.wit").write_text(WORLD)
    (tmp_path / "app.py").write_text(PYTHON_SERVER)
    command = [componentize_py, "-d", "wit", "-w", "server", "componentize", "app", "-o", "a.wasm"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=110, capture_output=True)
    module = Module((tmp_path / "a.wasm").read_bytes())
    assert text(send(module)).startswith("hello from Python 3")
    with pytest.raises(CallFailed, match="memory"):
        send(module, memory_mib=8)
