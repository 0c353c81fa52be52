"""Components that would take their agent's time or memory before or beside running."""

import subprocess
import sys
import threading
from functools import partial

import pytest

from edge_agent.config.directories import cache_directory
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code import compiler
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallCancelled, ModuleRejected, ModuleTrapped
from tests import compiled
from tests.edge_agent.engines import MESSAGE
from tests.edge_agent.guests import components
from tests.edge_agent.guests import hostile_components as hostile
from tests.edge_agent.guests.modules import Module
from tests.edge_agent.guests.neighbours import NEIGHBOUR, untouched


@pytest.fixture
def engine(tmp_path, request):
    """One that compiles as an agent does unless told otherwise, and has its own code."""
    compiled.give(tmp_path, also=NEIGHBOUR.wasm)
    apart = getattr(request, "param", True)
    engine = WasmEngine(cache_directory(tmp_path), concurrency=4, compiles_apart=apart)
    yield engine
    engine.close()


#: For what is about running, since a child that compiles takes a tenth of a second.
COMPILED_HERE = pytest.mark.parametrize("engine", [False], indirect=True, ids=["here"])


@pytest.fixture(autouse=True)
def others_are_untouched(engine):
    with untouched(engine):
        yield


def get(engine, module):
    return engine.modules.get(module.digest, lambda: module.wasm)


#: Made where they are used: each takes a while, and every worker reads this file.
BOMBS = {
    "core modules": lambda: hostile.many_core_modules(5000),
    "sections": lambda: hostile.many_sections(300_000),
    "nested components": lambda: hostile.nested(2000),
    "nested components within bounds": lambda: hostile.nested(12),
    "a deep type": lambda: hostile.deep_type(50_000),
    "a doubling type": lambda: hostile.doubling_type(60),
    "imports": lambda: hostile.importing(50_000),
    "imports with long names": lambda: hostile.importing(500, letters=5000),
    "imports that could be linked": lambda: hostile.running_beside(1001),
    "nested blocks": lambda: hostile.nested_blocks(100_000),
    "a cut number": lambda: Module(hostile.component().wasm + b"\x01\xff\xff\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_component_that_is_a_bomb_is_refused_in_one_line(engine, name):
    with pytest.raises(ModuleRejected) as raised:
        get(engine, BOMBS[name]())
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    "bomb",
    [partial(hostile.tangled_function, 45_000), partial(hostile.nested_blocks, 400_000)],
    ids=["time", "memory"],
)
def test_compiling_a_component_is_bounded(engine, interpreter, bomb):
    """Under bounds that let a good one through: what goes over them ends the child alone."""
    interpreter("ulimit -t 3; ulimit -d 250000")
    with pytest.raises(ModuleRejected, match="build it smaller"):
        get(engine, bomb())
    assert get(engine, components.saying())


def test_a_module_that_was_refused_is_not_compiled_again(engine, monkeypatch):
    bomb = BOMBS["a deep type"]()
    with pytest.raises(ModuleRejected) as first:
        get(engine, bomb)
    monkeypatch.setattr(engine.modules, "_compile", pytest.fail)
    with pytest.raises(ModuleRejected) as second:
        engine.modules.get(bomb.digest, pytest.fail)
    assert str(second.value) == str(first.value)


def test_bytes_that_were_wrong_once_may_be_right_later(engine):
    module = components.saying()
    with pytest.raises(ModuleRejected, match="digest"):
        engine.modules.get(module.digest, lambda: b"others")
    assert get(engine, module)


def test_a_call_that_is_cancelled_does_not_wait_for_its_module(engine):
    module, running, fetched = components.saying(), CallState(), threading.Event()

    def slowly():
        fetched.wait()
        return module.wasm

    threading.Timer(0.1, running.stop, ["cancelled"]).start()
    with pytest.raises(CallCancelled):
        engine.modules.get(module.digest, slowly, running)
    fetched.set()
    loaded, _ = get(engine, module)  # the load went on for others
    assert b"hello" in engine.send(loaded, MESSAGE, CallState()).data


def test_an_agent_reads_nothing_of_a_component_itself(engine, monkeypatch):
    """Neither its bytes nor its types, nor the helpers' of its own: all is told by the child."""
    from wasmtime import component

    def never(*_):
        raise AssertionError("read in place")

    for name in ("memories_of", "plan_of", "check_module"):
        monkeypatch.setattr(compiler, name, never)
    monkeypatch.setattr(component.Component, "__init__", never)
    monkeypatch.setattr(component.Component, "type", property(never))
    loaded, _ = get(engine, components.saying())
    assert b"hello" in engine.send(loaded, MESSAGE, CallState()).data
    answer = engine.send(get(engine, components.built_in_for_http("time"))[0], MESSAGE, CallState())
    assert answer.data


@pytest.mark.parametrize("ending", ["-component", "-plan"])
@pytest.mark.parametrize("harm", ["flipped", "another's", "untagged"])
def test_what_is_kept_of_a_component_is_never_loaded_if_foreign(tmp_path, engine, ending, harm):
    mine, other = components.saying(), components.saying(then="(drop (i32.const 7))")
    for module in (mine, other):
        get(engine, module)
    (path,) = (cache_directory(tmp_path)).glob(f"*/{mine.digest}{ending}.cwasm")
    tag = path.with_suffix(".tag")
    if harm == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif harm == "another's":
        source = path.with_name(f"{other.digest}{ending}.cwasm")
        path.write_bytes(source.read_bytes())
        tag.write_bytes(source.with_suffix(".tag").read_bytes())
    else:
        tag.unlink()
    asked = []
    later = WasmEngine(cache_directory(tmp_path), 1)
    loaded, _ = later.modules.get(mine.digest, lambda: asked.append(1) or mine.wasm)
    assert asked
    assert b"hello" in later.send(loaded, MESSAGE, CallState()).data
    later.close()
    assert WasmEngine(cache_directory(tmp_path), 1).modules.get(mine.digest, pytest.fail)


def test_a_prepared_component_waits_on_disk(engine):
    module = components.saying()
    engine.modules.prepare(module.digest, lambda: module.wasm)
    assert module.digest not in engine.modules.loaded()
    assert module.digest in engine.modules.ready()
    assert engine.modules.get(module.digest, pytest.fail)[1]


PASSED = [
    ("string", 100_000_000, 2000),
    ("(list u8)", 3_000_000, 256),
    ("(list (list u8))", 1_000_000, 256),
    ("(list (list (list u8)))", 1_000_000, 256),
    ("(list string)", 1_000_000, 256),
    ("(list (option u8))", 1_000_000, 256),
    ("(list (tuple u8 string))", 500_000, 256),
]
CALLED = [
    ("a:b/c", "f"),  # not offered
    ("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration"),
    ("wasi:http/types@0.2.0", "http-error-code"),
]


@COMPILED_HERE
@pytest.mark.parametrize(("interface", "function"), CALLED)
@pytest.mark.parametrize(("kind", "count", "pages"), PASSED)
def test_what_is_passed_to_the_host_is_bounded(engine, interface, function, kind, count, pages):
    loaded, _ = get(engine, hostile.passing(kind, count, interface, function, pages))
    with pytest.raises(ModuleTrapped, match=r"not offered|too much|fuel"):
        engine.send(loaded, MESSAGE, CallState())


@COMPILED_HERE
@pytest.mark.parametrize("kind", ["string", "(list u8)", "(list (tuple u8 string))"])
def test_a_host_function_called_with_other_types_ends_its_own_call_only(engine, kind):
    module = hostile.passing(kind, 3, "wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration")
    loaded, _ = get(engine, module)
    with pytest.raises(ModuleTrapped, match="wrong types"):
        engine.send(loaded, MESSAGE, CallState())


@pytest.mark.parametrize("command", ["call", "serve", "inspect"])
def test_commands_compile_within_bounds_too(tmp_path, command):
    """The interpreter of the child is one that can do nothing: so nothing is compiled in place."""
    path = components.saying().write(tmp_path)
    code = (
        "import sys; from edge_agent.engine.code import compiler\n"
        "class Sys: executable = '/bin/false'; path = sys.path\n"
        "compiler.sys = Sys; compiler.compile_here = None\n"
        "from edge_agent.cli import main; main()"
    )
    arguments = [
        command,
        str(path),
        *(["t"] if command == "call" else []),
        "--state",
        str(tmp_path),
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "build it smaller" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_beside_a_module_is_run(tmp_path):
    """Commands are started where modules were downloaded to: what else lies there is no Python."""
    path = components.saying().write(tmp_path)
    for name in ("json.py", "wasmtime.py", "edge_agent.py", "subprocess.py"):
        (tmp_path / name).write_text("open('run', 'w').close()\n")
    arguments = ["inspect", str(path), "--state", str(tmp_path / "state")]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "edge_agent", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # The answer to every question is that of a tool's call, so it is told that it lists none.
    assert "Traceback" not in done.stderr
    assert "lists no tools" in done.stderr
    assert not (tmp_path / "run").exists()
