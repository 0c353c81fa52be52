"""An agent at a dispatcher: everything that goes over the stream, on real gRPC."""

import contextlib
import functools
import json
import signal
import threading
import time

import pytest

from edge_agent import agent
from edge_agent.attachment.outbox import Outbox
from edge_agent.board import speed
from edge_agent.calls.outcome import Outcome
from edge_agent.config.agent_config import load_config
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import ConfigError, TokenRefused
from protos.edge.v1 import edge_pb2
from tests import compiled
from tests.edge_agent.fake_dispatcher import TOKEN, FakeDispatcher
from tests.edge_agent.guests import modules
from tests.edge_agent.guests.modules import RESULT, echo, saying

DONE, REFUSED = edge_pb2.STATUS_DONE, edge_pb2.STATUS_REFUSED


class Session:
    """An agent in this process, attached to a dispatcher of the test."""

    def __init__(self, dispatcher, tmp_path, **flags):
        self.dispatcher = dispatcher
        if "state" not in flags and not (tmp_path / "state").exists():
            compiled.give(tmp_path / "state")
        given = {"dispatcher": dispatcher.address, "token": TOKEN, "name": "pi4", "slots": 2}
        given |= {"state": str(tmp_path / "state"), "memory_mib": 2048} | flags
        self.attachment, self.backend = agent.build(load_config(None, given, {}))
        self.ready = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.attachment.run(self.ready.set)
        except (TokenRefused, ConfigError) as error:
            self.error = error

    def attached(self):
        return self.dispatcher.next_agent()

    def stop(self, within_s=0.5):
        self.attachment.stop("the test is over", within_s)
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.backend.close()


@pytest.fixture(autouse=True)
def made_quickly(monkeypatch):
    """Modules are compiled in this process and the speed is measured in a moment."""
    monkeypatch.setattr(agent, "WasmEngine", functools.partial(WasmEngine, compiles_apart=False))
    monkeypatch.setattr(speed, "_SHARE_S", 0.001)


@pytest.fixture
def start(dispatcher, tmp_path):
    sessions = []

    def start(**flags):
        sessions.append(Session(dispatcher, tmp_path, **flags))
        return sessions[-1]

    yield start
    for session in sessions:
        session.stop()


@pytest.fixture
def offer(dispatcher):
    """Register a module at the dispatcher and make calls of it."""

    def make(module, call_id="c1", arguments=b"{}", **fields):
        dispatcher.modules[module.digest] = module.wasm
        limits = fields.pop("limits", edge_pb2.Limits(wall_ms=10_000))
        payload = fields.pop("payload", edge_pb2.Payload(inline=arguments))
        return edge_pb2.Call(
            id=call_id,
            server="server",
            tool="tool",
            backend="wasm",
            module=edge_pb2.Module(sha256=module.digest, size_bytes=len(module.wasm)),
            arguments=payload,
            limits=limits,
            **fields,
        )

    return make


# ---- registering ----------------------------------------------------------------------------


def test_agent_registers_with_what_it_is(start, tmp_path):
    (tmp_path / "logs").mkdir()
    mount = {"path": "/logs", "directory": str(tmp_path / "logs"), "readonly": True}
    session = start(
        mounts=[mount], tier="device", site="home", features=["camera"], labels={"room": "attic"}
    )
    register = session.attached().register
    report = register.capabilities
    assert register.node == "pi4"
    assert len(register.instance) >= 16
    assert report.isa in {"x86_64", "aarch64", "riscv64"}
    assert (report.slots, report.memory_mib, report.tier, report.site) == (
        2,
        2048,
        "device",
        "home",
    )
    assert report.speed > 1
    assert "camera" in report.features
    assert [(mount.path, mount.readonly) for mount in report.mounts] == [("/logs", True)]
    assert list(report.backends) == ["wasm"]
    assert report.engine == "wasmtime 50.0.1"
    assert dict(report.labels) == {"room": "attic"}
    assert str(tmp_path) not in str(register)
    assert 0 < register.load.memory_free_mib <= 2048


def test_heartbeats_come_and_tell_the_load(start, offer):
    session = start(slots=1)
    attached = session.attached()
    for _ in range(2):
        attached.receive("heartbeat")
    attached.send(call=offer(modules.looping(), "busy"))
    attached.send(call=offer(modules.looping(), "waiting"))
    beat = attached.receive("heartbeat")
    while not (beat.running == 1 and beat.queued == 1):
        beat = attached.receive("heartbeat")
    assert beat.memory_free_mib <= 2048 - 256


def test_a_module_that_became_ready_is_told_once(start, offer):
    module = saying("x")
    attached = start().attached()
    attached.send(call=offer(module))
    told = []
    while not told:
        told += attached.receive("heartbeat").warm
    told += [digest for _ in range(4) for digest in attached.receive("heartbeat").warm]
    assert told == [module.digest]


def test_a_ping_is_answered_at_once_while_a_call_runs(start, offer):
    attached = start(slots=1).attached()
    attached.send(call=offer(modules.looping(), "busy"))
    for number in (1, 2):
        attached.send(ping=edge_pb2.Ping(number=number))
        assert attached.receive("pong").number == number


def test_wrong_token_ends_the_agent(start):
    session = start(token="wrong")
    session.thread.join(10)
    assert isinstance(session.error, TokenRefused)
    assert "token" in str(session.error)
    assert not session.ready.is_set()


# ---- calls ---------------------------------------------------------------------------------------


def test_call_is_answered(start, offer):
    attached = start().attached()
    attached.send(call=offer(saying("hello"), arguments=b'{"a":1}'))
    result, payload = attached.result()
    assert result.status == DONE
    assert json.loads(payload)["content"][0]["text"] == "hello"
    assert result.cold
    assert result.backend == "wasm"
    assert result.memory_peak_bytes == 4 * 65536
    assert result.timings.exec_ms > 0
    assert result.timings.start_ms > 0
    attached.send(call=offer(saying("hello"), "c2"))
    assert not attached.result("c2")[0].cold


def test_module_sees_the_call_as_it_was_made(start, offer):
    # A module that wraps the whole message into the text of its result would
    # need an encoder; this one puts it into the result as it is.
    head, tail = b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"got":', b"}}"
    wrapping = modules.module(
        f"""(memory.copy (i32.const {1024 + len(head)}) (local.get $ptr) (local.get $len))
        (memory.copy (i32.add (i32.const {1024 + len(head)}) (local.get $len))
                     (i32.const 512) (i32.const {len(tail)}))
        (i64.or (i64.const {modules.packed(1024, 0)})
                (i64.extend_i32_u (i32.add (local.get $len) (i32.const {len(head + tail)}))))""",
        data=head,
        extra='(data (i32.const 512) "}}")',
    )
    attached = start().attached()
    call = offer(wrapping, arguments=b'{"b" : 2.50}', meta=b'{"progressToken":7}')
    attached.send(call=call)
    result, payload = attached.result()
    assert result.status == DONE, result.message
    assert b'"arguments":{"b" : 2.50}' in payload
    assert json.loads(payload)["got"] == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "tool", "arguments": {"b": 2.5}, "_meta": {"progressToken": 7}},
    }


def test_large_payloads_go_in_chunks_both_ways(start, offer):
    module = modules.module(
        f"""(if (i32.lt_u (local.get $len) (i32.const 1000000)) (then unreachable))
        (i64.or (i64.shl (i64.extend_i32_u (i32.const {modules.HEAP})) (i64.const 32))
                (i64.extend_i32_u (local.get $len)))""",
        memory='(memory (export "memory") 80)',
    )
    text = "x" * 1_000_000
    arguments = json.dumps({"text": text}).encode()
    attached = start().attached()
    attached.send(call=offer(module, payload=edge_pb2.Payload(size_bytes=len(arguments))))
    for begin in range(0, len(arguments), 256 * 1024):
        part = arguments[begin : begin + 256 * 1024]
        attached.send(chunk=edge_pb2.Chunk(call_id="c1", data=part))
    # The module answers with the call itself: no result, so no MCP, but it came whole.
    assert attached.result()[0].status == edge_pb2.STATUS_PROTOCOL

    attached.send(call=offer(modules.long_answer(1_000_000), "c2"))
    result, payload = attached.result("c2")
    assert result.status == DONE, result.message
    assert not result.result.inline
    assert result.result.size_bytes == len(payload)
    assert json.loads(payload)["content"][0]["text"] == "y" * 1_000_000


def test_small_message_passes_a_large_payload():
    outbox = Outbox()
    large = Outcome("large", b"x" * (3 * 256 * 1024 + 1))
    outbox.put(large)
    messages = [next(outbox), next(outbox)]
    outbox.put(Outcome("small", b"{}"))
    outbox.put(Outcome("also large", b"y" * 256 * 1024 * 2))
    outbox.close()
    messages += list(outbox)
    names = [
        message.result.call_id or f"{message.chunk.call_id}: {len(message.chunk.data)}"
        for message in messages
    ]
    assert names[:4] == ["large", "large: 262144", "large: 262144", "small"]
    assert sorted(names[4:]) == sorted(
        ["also large", "large: 262144", "large: 1", "also large: 262144", "also large: 262144"]
    )
    assert names.index("also large") < names.index("also large: 262144")


def test_more_bytes_than_announced_are_refused(start, offer):
    attached = start().attached()
    attached.send(call=offer(saying("x"), payload=edge_pb2.Payload(size_bytes=5)))
    attached.send(chunk=edge_pb2.Chunk(call_id="c1", data=b"123456"))
    result, _ = attached.result()
    assert result.status == REFUSED
    assert "announced" in result.message


def test_arguments_over_the_bound_are_refused_at_once(start, offer):
    attached = start().attached()
    attached.send(call=offer(saying("x"), payload=edge_pb2.Payload(size_bytes=1 << 30)))
    attached.send(chunk=edge_pb2.Chunk(call_id="c1", data=b"123456"))
    result, _ = attached.result()
    assert result.status == REFUSED
    attached.send(call=offer(saying("x"), "c2"))
    assert attached.result("c2")[0].status == DONE


@pytest.mark.parametrize(
    ("module", "limits", "status"),
    [
        (modules.looping(), edge_pb2.Limits(wall_ms=50), "STATUS_TIMEOUT"),
        (modules.memory_bomb(), edge_pb2.Limits(memory_mib=4), "STATUS_MEMORY"),
        (modules.huge_answer(9_000_000), edge_pb2.Limits(output_bytes=1000), "STATUS_OUTPUT"),
        (
            modules.saying("x", extra="(table 9 funcref)"),
            edge_pb2.Limits(table_elements=8),
            "STATUS_LIMIT",
        ),
        (modules.trapping(), edge_pb2.Limits(), "STATUS_TRAP"),
        (modules.answering(b"garbage"), edge_pb2.Limits(), "STATUS_PROTOCOL"),
        (modules.forged_answer(-1 & 0xFFFF_FFFF, 5), edge_pb2.Limits(), "STATUS_PROTOCOL"),
        (modules.Module(b"no wasm at all"), edge_pb2.Limits(), "STATUS_UNAVAILABLE"),
    ],
)
def test_each_end_has_its_status_and_the_next_call_works(start, offer, module, limits, status):
    attached = start().attached()
    attached.send(call=offer(module, "bad", limits=limits))
    result, payload = attached.result("bad")
    assert edge_pb2.Status.Name(result.status) == status
    assert result.message
    assert "\n" not in result.message
    assert not payload
    attached.send(call=offer(saying("hello"), "good"))
    assert attached.result("good")[0].status == DONE


def test_agent_never_goes_over_its_own_limits(start, offer):
    attached = start(limits={"wall_ms": 100, "memory_mib": 2}).attached()
    attached.send(call=offer(modules.looping(), limits=edge_pb2.Limits(wall_ms=3_600_000)))
    assert attached.result()[0].status == edge_pb2.STATUS_TIMEOUT
    greedy = modules.memory_bomb()
    attached.send(call=offer(greedy, "c2", limits=edge_pb2.Limits(memory_mib=4096)))
    result, _ = attached.result("c2")
    assert result.status == edge_pb2.STATUS_MEMORY
    assert "2 MiB" in result.message


def test_unknown_module_is_unavailable(start, offer, dispatcher):
    attached = start().attached()
    call = offer(saying("x"))
    dispatcher.modules.clear()
    attached.send(call=call)
    result, _ = attached.result()
    assert result.status == edge_pb2.STATUS_UNAVAILABLE
    assert "nobody registered" in result.message


# ---- what this node refuses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": ["/logs/../etc/passwd"]}, "data:"),
        ({"data": ["/logs2/a"]}, "data:"),
        ({"label": edge_pb2.Label(privacy="node", origin="other")}, "privacy:"),
        ({"label": edge_pb2.Label(privacy="site", site="office")}, "privacy:"),
        ({"label": edge_pb2.Label(privacy="secret")}, "privacy"),
    ],
)
def test_call_against_the_rules_of_this_node_is_refused(start, offer, tmp_path, fields, words):
    (tmp_path / "logs").mkdir()
    mount = {"path": "/logs", "directory": str(tmp_path / "logs")}
    attached = start(site="home", mounts=[mount]).attached()
    attached.send(call=offer(saying("x"), **fields))
    result, _ = attached.result()
    assert result.status == REFUSED
    assert result.reason == words.rstrip(":")
    assert words in result.message
    allowed = {
        "data": ["/logs/a", "/logs"],
        "label": edge_pb2.Label(privacy="node", origin="pi4", site="home"),
    }
    attached.send(call=offer(saying("x"), "c2", **allowed))
    assert attached.result("c2")[0].status == DONE


def test_own_policy_and_unknown_backend_are_refused(start, offer):
    attached = start(policy={"deny": ["server.tool"]}).attached()
    attached.send(call=offer(saying("x")))
    denied, _ = attached.result()
    assert denied.reason == "deny"
    assert "policy denies" in denied.message
    call = offer(saying("x"), "c2")
    call.tool, call.backend = "other", "container"
    attached.send(call=call)
    result, _ = attached.result("c2")
    assert (result.status, result.reason) == (REFUSED, "backend")
    assert "container" in result.message


def test_full_queue_refuses(start, offer):
    attached = start(slots=1).attached()
    for number in range(1 + 64 + 3):
        attached.send(call=offer(modules.looping(), f"c{number}"))
    refused = {(result.call_id, result.reason) for result, _ in (attached.result() for _ in "abc")}
    assert refused == {(f"c{number}", "capacity") for number in (65, 66, 67)}


# ---- once and only once ----------------------------------------------------------------------------------


@pytest.fixture
def counted(tmp_path, offer):
    """A call whose every run adds a byte to a file that only the test sees grow."""
    directory = tmp_path / "counter"
    directory.mkdir()
    answer = (RESULT % "counted").encode()
    wasi = '(import "wasi_snapshot_preview1" '
    module = modules.module(
        f"""(drop (call $open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 4)
              (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 1) (i32.const 600)))
        (i32.store (i32.const 608) (i32.const 512))
        (i32.store (i32.const 612) (i32.const 1))
        (drop (call $write (i32.load (i32.const 600)) (i32.const 608) (i32.const 1)
                           (i32.const 620)))
        (i64.const {modules.packed(1024, len(answer))})""",
        imports=wasi
        + '"path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))'
        + wasi
        + '"fd_write" (func $write (param i32 i32 i32 i32) (result i32)))',
        extra='(data (i32.const 512) "runs")',
        data=answer,
    )
    mount = {"path": "/counter", "directory": str(directory)}

    def runs():
        path = directory / "runs"
        return path.stat().st_size if path.exists() else 0

    return (lambda call_id: offer(module, call_id)), [mount], runs


def test_repeated_id_is_answered_from_the_record(start, counted):
    call, mounts, runs = counted
    attached = start(mounts=mounts).attached()
    for acknowledged in (False, True):
        attached.send(call=call("c1"))
        _, first = attached.result("c1")
        if acknowledged:
            attached.send(ack=edge_pb2.Ack(call_ids=["c1"]))
        attached.send(call=call("c1"))
        result, second = attached.result("c1")
        assert result.status == DONE
        assert first == second
        assert runs() == 1
    attached.send(call=call("c2"))
    attached.result("c2")
    assert runs() == 2


def test_repeated_id_joins_the_running_call(start, offer):
    attached = start().attached()
    slow = modules.sleeping(0.3)
    attached.send(call=offer(slow))
    attached.send(call=offer(slow))
    assert attached.result()[0].status == DONE
    attached.send(call=offer(saying("x"), "after"))
    assert attached.result()[0].call_id == "after"


def test_refused_call_may_come_again(start, offer):
    attached = start(site="home").attached()
    elsewhere = edge_pb2.Label(privacy="site", site="office")
    attached.send(call=offer(saying("x"), label=elsewhere))
    assert attached.result()[0].status == REFUSED
    attached.send(call=offer(saying("x")))
    assert attached.result()[0].status == DONE


# ---- cancelling -----------------------------------------------------------------------------------------------


def test_running_call_is_cancelled(start, offer):
    attached = start().attached()
    attached.send(call=offer(modules.looping(), limits=edge_pb2.Limits(wall_ms=60_000)))
    attached.send(call=offer(saying("x"), "marker"))
    attached.result("marker")
    attached.send(cancel=edge_pb2.Cancel(call_id="c1", reason="the client is gone"))
    assert attached.result("c1")[0].status == edge_pb2.STATUS_CANCELLED


def test_waiting_call_is_cancelled_without_running(start, counted, offer):
    call, mounts, runs = counted
    attached = start(slots=1, mounts=mounts).attached()
    attached.send(call=offer(modules.looping(), "busy", limits=edge_pb2.Limits(wall_ms=60_000)))
    attached.send(call=call("waiting"))
    attached.send(cancel=edge_pb2.Cancel(call_id="waiting"))
    assert attached.result("waiting")[0].status == edge_pb2.STATUS_CANCELLED
    attached.send(cancel=edge_pb2.Cancel(call_id="busy"))
    attached.result("busy")
    attached.send(call=call("next"))
    attached.result("next")
    assert runs() == 1


# ---- modules --------------------------------------------------------------------------------------------------------


def test_prefetched_module_is_warm_before_its_first_call(start, offer, dispatcher):
    module = saying("prefetched")
    dispatcher.modules[module.digest] = module.wasm
    dispatcher.prefetch = [edge_pb2.Module(sha256=module.digest, size_bytes=len(module.wasm))]
    attached = start().attached()
    while module.digest not in attached.receive("heartbeat").warm:
        pass
    attached.send(call=offer(module))
    assert attached.result()[0].status == DONE
    assert len(dispatcher.fetches) == 1


def test_cut_fetch_goes_on_where_it_ended(start, offer, dispatcher):
    module = saying("z" * 20_000)
    dispatcher.cut_after_bytes = 10_000
    attached = start().attached()
    attached.send(call=offer(module))
    assert attached.result()[0].status == DONE
    assert [offset for _, offset in dispatcher.fetches] == [0, 9 * 1024]


def test_module_of_the_wrong_size_or_bytes_is_refused(start, offer, dispatcher):
    attached = start().attached()
    call = offer(saying("x"))
    call.module.size_bytes -= 1
    attached.send(call=call)
    result, _ = attached.result()
    assert result.status == edge_pb2.STATUS_UNAVAILABLE
    assert "larger" in result.message
    call = offer(saying("x"), "c2")
    dispatcher.modules[call.module.sha256] = bytes(call.module.size_bytes)
    attached.send(call=call)
    result, _ = attached.result("c2")
    assert result.status == edge_pb2.STATUS_UNAVAILABLE
    assert "digest" in result.message


# ---- reconnecting --------------------------------------------------------------------------------------------------------


def test_agent_comes_back_and_gives_what_was_not_acknowledged(start, counted):
    call, mounts, runs = counted
    session = start(mounts=mounts)
    first = session.attached()
    first.send(call=call("kept"))
    first.result("kept")
    first.send(call=call("acknowledged"))
    first.result("acknowledged")
    first.send(ack=edge_pb2.Ack(call_ids=["acknowledged"]))
    first.send(call=call("marker"))
    first.result("marker")
    first.send(ack=edge_pb2.Ack(call_ids=["marker"]))
    first.receive("heartbeat")
    first.end()
    second = session.attached()
    assert second.register.instance == first.register.instance
    result, payload = second.result()
    assert result.call_id == "kept"
    assert b"counted" in payload
    second.send(call=call("kept"))
    assert second.result()[0].call_id == "kept"
    assert runs() == 3


def test_call_that_runs_while_the_stream_breaks_is_answered_on_the_next(start, offer):
    session = start()
    first = session.attached()
    first.send(call=offer(modules.sleeping(1)))
    first.receive("heartbeat")
    first.end()
    result, payload = session.attached().result("c1")
    assert result.status == DONE
    assert b"slept" in payload


def test_agent_waits_for_a_dispatcher_that_is_down(start, dispatcher, offer):
    session = start()
    session.attached()
    port = dispatcher.port
    dispatcher.stop()
    time.sleep(0.5)
    again = FakeDispatcher(port=port)
    with contextlib.ExitStack() as stack:
        stack.callback(again.stop)
        module = saying("back")
        again.modules[module.digest] = module.wasm
        attached = again.next_agent()
        attached.send(call=offer(module))
        assert attached.result()[0].status == DONE
        session.stop()


def test_call_cut_off_in_its_chunks_may_come_again(start, offer):
    session = start()
    first = session.attached()
    call = offer(echo(), payload=edge_pb2.Payload(size_bytes=10))
    first.send(call=call)
    first.send(chunk=edge_pb2.Chunk(call_id="c1", data=b"12345"))
    first.send(call=offer(saying("x"), "marker"))
    first.result("marker")
    first.end()
    second = session.attached()
    second.send(call=offer(saying("whole"), "c1"))
    result, payload = second.result("c1")
    assert result.status == DONE
    assert b"whole" in payload


# ---- draining --------------------------------------------------------------------------------------------------------------


def test_drain_finishes_what_runs_and_ends(start, offer):
    session = start()
    attached = session.attached()
    attached.send(call=offer(modules.sleeping(0.3)))
    attached.send(call=offer(saying("x"), "marker"))
    attached.result("marker")
    attached.send(drain=edge_pb2.Drain(reason="moving"))
    assert attached.receive("draining").reason == "moving"
    attached.send(call=offer(saying("x"), "late"))
    assert attached.result("late")[0].status == REFUSED
    assert attached.result("c1")[0].status == DONE
    attached.send(ack=edge_pb2.Ack(call_ids=["c1", "marker"]))
    attached.receive("")
    session.thread.join(10)
    assert not session.thread.is_alive()


def test_stop_cancels_what_does_not_finish(start, offer):
    session = start()
    attached = session.attached()
    attached.send(call=offer(modules.looping(), limits=edge_pb2.Limits(wall_ms=60_000)))
    attached.send(call=offer(saying("x"), "marker"))
    attached.result("marker")
    session.stop(within_s=0.2)
    assert attached.result("c1")[0].status == edge_pb2.STATUS_CANCELLED


def test_signals_stay_as_they_are_for_the_embedding_process():
    # build() alone must not block signals; only run_agent, which owns its process, does.
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
