"""Components that look for a way out: of their mounts, to a network, or of what they may hold."""

import json
from pathlib import Path

import pytest
import wasmtime

from edge_agent.engine.limits import MIB
from edge_agent.errors import (
    BadAnswer,
    CallTimeout,
    LimitExceeded,
    MemoryExceeded,
    ModuleRejected,
    ModuleTrapped,
)
from edge_agent.jsonrpc import make_call
from edge_agent.mounts import make_mount
from tests.edge_agent.engine.guest.test_hostile_modules import swapping
from tests.edge_agent.guests import components, socket_components
from tests.edge_agent.guests.modules import Module
from tests.edge_agent.guests.neighbours import untouched


@pytest.fixture(autouse=True)
def others_are_untouched(engine):
    with untouched(engine):
        yield


RUN_TO_THE_END = pytest.raises(BadAnswer, match="without an answer")


@pytest.mark.parametrize("address", [(127, 0, 0, 1), (169, 254, 169, 254), (0, 0, 0, 0)])
@pytest.mark.parametrize("operation", ["start-bind", "start-connect"])
def test_no_socket_reaches_anywhere(send, operation, address):
    with RUN_TO_THE_END:  # it traps where it is not denied
        send(socket_components.reaching(operation, address, 2))


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "example.org"])
def test_no_name_is_looked_up(send, name):
    with RUN_TO_THE_END:
        send(socket_components.looking_up(name))


def test_a_link_that_is_swapped_in_meanwhile_leads_nowhere(send, tmp_path):
    place, outside = tmp_path / "place", tmp_path / "outside"
    place.mkdir()
    outside.write_text("untouched")
    # It writes over whatever it opens, 2000 times; opening follows links.
    writing = components.using_files(
        """(loop $l
          (call $again)
          (if (i32.eqz (i32.load8_u (i32.const 3000))) (then
            (call $write (i32.load (i32.const 3004)) (i32.const 1024) (i32.const 1)
              (i64.const 0) (i32.const 3016))))
          (local.set $at (i64.add (local.get $at) (i64.const 1)))
          (br_if $l (i64.lt_u (local.get $at) (i64.const 2000))))""",
        flags=2,
        follow=1,
        name="file",
    )
    with swapping(place, outside), RUN_TO_THE_END:
        send(writing, mounts=[make_mount("/m", place)], wall_ms=60_000, open_files=10_000)
    assert outside.read_text() == "untouched"


def test_a_read_only_mount_stays_as_it_is(send, tmp_path):
    (tmp_path / "a").write_text("as it was")
    for create in (0, 1, 8):  # opened, created, emptied
        writing = components.using_files(
            """(if (i32.eqz (i32.load8_u (i32.const 3000))) (then
              (call $write (local.get $f) (i32.const 1024) (i32.const 1) (i64.const 0)
                (i32.const 3016))
              (if (i32.eqz (i32.load8_u (i32.const 3016))) (then unreachable))))""",
            flags=2,
            create=create,
        )
        with RUN_TO_THE_END:
            send(writing, mounts=[make_mount("/m", tmp_path, readonly=True)])
    assert (tmp_path / "a").read_text() == "as it was"


def test_what_a_component_holds_of_the_host_is_bounded(send):
    holding = components.writing("(loop $l (drop (call $stdout)) (br $l)) (i32.const 0)")
    with pytest.raises(ModuleTrapped, match="handle limit"):
        send(holding, wall_ms=60_000)


def test_waiting_counts_as_asking_the_host(send):
    for way, time in (("duration", "(i64.const 1)"), ("instant", "(i64.const 0)")):
        with pytest.raises(LimitExceeded, match=r"after 100 calls of the host; .* host_calls"):
            send(components.waiting(f"(call ${way} {time})"), host_calls=100)


def test_looking_at_the_clock_for_ever_ends_at_the_wall_time(send):
    with pytest.raises(CallTimeout):
        send(components.waiting("(call $now)", drops=False), wall_ms=300)


def test_a_flood_on_standard_error_ends_at_its_limit(send):
    flooding = components.dropping(
        "stderr",
        b"x" * 4000,
        """(local.set $s (call $stream))
        (loop $l (call $check (local.get $s) (i32.const 1024))
          (call $write (local.get $s) (i32.const 4096) (i32.const 4000) (i32.const 1024)) (br $l))
        (i32.const 0)""",
    )
    with pytest.raises(LimitExceeded, match=r"1048576 bytes on standard error; .* log_kib"):
        send(flooding, log_bytes=MIB, wall_ms=60_000)


def test_memories_and_tables_that_start_over_the_limits_are_named(send):
    with pytest.raises(MemoryExceeded, match="memory_mib"):
        send(components.running("(i32.const 0)", "(memory $m 2000)"), memory_mib=64)
    with pytest.raises(LimitExceeded, match="table_elements"):
        send(components.running("(i32.const 0)", "(table 101 funcref)"), table_elements=100)
    with pytest.raises(ModuleRejected, match="tables"):
        send(components.running("(i32.const 0)", "(table 1 funcref)" * 101))


PROPOSALS = {
    "threads": "(core module (memory 1 2 shared))",
    "64 bits": "(core module (memory i64 1))",
    "garbage collection": "(core module (type (struct (field i32))))",
    "exceptions": "(core module (tag (param i32)) (func (throw 0 (i32.const 1))))",
    "stack switching": "(core module (type $f (func)) (type (cont $f)))",
    "asynchronous functions": """(core module $a (func (export "f")))
      (core instance $a (instantiate $a))
      (func (canon lift (core func $a "f") async))""",
    "asynchronous streams": "(type (stream u8)) (core func (canon stream.new 0))",
    "tasks": "(core func (canon task.cancel))",
    "error contexts": "(type error-context)",
    "values": '(import "v" (value u8))',
    "nested modules as imports": '(import "m" (core module))',
    "components as imports": '(import "c" (component))',
    "functions as imports": '(import "f" (func))',
}


@pytest.mark.parametrize("name", PROPOSALS)
def test_what_components_do_without_is_refused(send, name):
    plain = """(core module $m (func (export "run") (result i32) (i32.const 0)))
      (core instance $i (instantiate $m))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $x (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $x))"""
    with RUN_TO_THE_END:
        send(Module(bytes(wasmtime.wat2wasm(f"(component {plain})"))))
    with pytest.raises(ModuleRejected):
        send(Module(bytes(wasmtime.wat2wasm(f"(component {PROPOSALS[name]} {plain})"))))


OTHER_TYPES = {
    "a parameter": '(param "p" u32) (result (result))',
    "no result": "",
    "a number": "(result u32)",
    "a result of something": "(result (result u32))",
    "an error of something": "(result (result (error u32)))",
    "a list": "(result (list u8))",
}


@pytest.mark.parametrize("interface", ["wasi:cli/run", "wasi:http/incoming-handler"])
@pytest.mark.parametrize("name", OTHER_TYPES)
def test_an_entry_of_another_type_is_refused(send, name, interface):
    """It is called as one of the interface's type: what came back would be anything."""
    kind, function = OTHER_TYPES[name], "run" if "run" in interface else "handle"
    parameter = "(param i32)" if "param" in kind else ""
    result = "(result i32)" if "result" in kind else ""
    wat = f"""(component
      (core module $m (memory (export "memory") 1)
        (func (export "f") {parameter} {result} {"(i32.const 0)" if result else ""}))
      (core instance $i (instantiate $m))
      (alias core export $i "memory" (core memory $mem))
      (func $f {kind} (canon lift (core func $i "f") (memory $mem)))
      (instance $x (export "{function}" (func $f)))
      (export "{interface}@0.2.0" (instance $x)))"""
    with pytest.raises(ModuleRejected, match="of another type"):
        send(Module(bytes(wasmtime.wat2wasm(wat))))


def test_a_component_with_mounts_is_answered_while_the_engine_writes(send, tmp_path):
    """The one that only reads is never taken for the one that writes."""
    (tmp_path / "b").write_text("little")
    mounts = [make_mount("/m", tmp_path)]
    read = make_call("read_text_file", b'{"path": "/m/b"}')
    for _ in range(3):
        with pytest.raises(LimitExceeded, match="disk_mib"):
            send(components.filling_disk(), mounts=mounts, disk_bytes=4 * MIB)
        answer = send(components.built_in("filesystem"), read, mounts=mounts, disk_bytes=MIB).data
        assert json.loads(answer)["result"]["content"][0]["text"] == "little"
    assert Path(tmp_path / "a").stat().st_size >= 4 * MIB
