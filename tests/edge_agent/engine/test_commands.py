"""Core modules with nothing but ``_start``: any program that speaks MCP over stdio."""

import json
import subprocess
import sys
import threading

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client

from edge_agent.engine.call_state import CallState
from edge_agent.engine.conversation import Conversation
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import (
    BadAnswer,
    CallCancelled,
    CallTimeout,
    ModuleRejected,
    ModuleTrapped,
    OutputTooLarge,
)
from edge_agent.jsonrpc import make_call
from edge_agent.mounts import make_mount
from tests import compiled
from tests.edge_agent.guests import programs
from tests.edge_agent.guests.modules import Module
from tests.edge_agent.serving.web.client import AGENT, call

MESSAGE = make_call("t", b"{}")


def text(answer):
    return json.loads(answer.data)["result"]["content"][0]["text"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_program_is_served_to_the_mcp_client(tmp_path, mode):
    program = programs.built_in("time")
    compiled.give(tmp_path / "state", also=program.wasm)
    line = [*AGENT, "serve", str(program.write(tmp_path)), "--state", str(tmp_path / "state")]
    server = StdioServerParameters(command=line[0], args=line[1:])
    async with Client(server, mode=mode) as client:
        assert len((await client.list_tools()).tools) == 2
        result = await client.call_tool("get_current_time", {"timezone": "UTC"})
        assert json.loads(result.content[0].text)["timezone"] == "UTC"


def test_a_program_sees_its_mounts_and_no_more(tmp_path, send):
    (tmp_path / "a.txt").write_text("in a mount")
    mount = make_mount("/data", tmp_path)
    module = programs.built_in("filesystem")
    inside = make_call("read_text_file", b'{"path": "/data/a.txt"}')
    assert text(send(module, inside, mounts=[mount])) == "in a mount"
    outside = json.loads(send(module, make_call("read_text_file", b'{"path": "/etc/passwd"}')).data)
    assert outside["result"]["isError"] is True


@pytest.mark.parametrize(
    "module",
    [
        programs.saying(),
        programs.saying_byte_by_byte(),
        programs.saying(programs.ANSWER.rstrip()),
        programs.saying(b"starting ...\n{}\n[1]\n\xff\n" + programs.ANSWER),
        programs.saying(b'{"jsonrpc":"2.0","id":2,"result":{}}\n' + programs.ANSWER),
        programs.saying(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n' + programs.ANSWER),
        programs.saying(then="(call $exit (i32.const 3))"),
        programs.saying(then="unreachable"),
        programs.saying(then="(loop $l (br $l))"),
    ],
)
def test_the_line_with_the_id_is_the_answer_whatever_else_happens(send, module):
    assert text(send(module)) == "hello"


def test_a_program_is_compiled_once_and_kept(tmp_path):
    module = programs.saying()
    for source in (lambda: module.wasm, pytest.fail):
        engine = WasmEngine(tmp_path / "kept", concurrency=1)
        loaded, _ = engine.modules.get(module.digest, source)
        assert text(engine.send(loaded, MESSAGE, CallState())) == "hello"
        engine.close()


def test_a_notification_starts_nothing(send):
    note = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    assert send(programs.trapping(), note).data == b""


def test_what_a_program_reads_is_a_whole_session():
    lines = Conversation(b'{"jsonrpc":"2.0","id":1,\n"method":"tools/list"}').input.splitlines()
    methods = [json.loads(line)["method"] for line in lines]
    assert methods == ["initialize", "notifications/initialized", "tools/list"]
    hello = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'
    assert Conversation(hello).input == hello + b"\n"


def test_an_echo_is_no_answer(send):
    with pytest.raises(BadAnswer):
        send(programs.echoing())


@pytest.mark.parametrize(
    ("module", "error"),
    [
        (programs.saying(b"no JSON\n"), BadAnswer),
        (programs.exiting(0), BadAnswer),
        (programs.exiting(7), ModuleTrapped),
        (programs.trapping(), ModuleTrapped),
        (programs.looping(), CallTimeout),
        (programs.flooding(), OutputTooLarge),
        (programs.flooding(b"x\n" * 2048), OutputTooLarge),
        (programs.flooding(b'{"id":1}\n' * 400), OutputTooLarge),
        (
            programs.saying(b'{"jsonrpc":"2.0","id":1,"result":"' + b"y" * 90_000 + b'"}\n'),
            OutputTooLarge,
        ),
    ],
)
def test_a_hostile_program_is_contained_and_the_next_call_works(send, module, error):
    wall_ms = 1000 if error is CallTimeout else 4000
    with pytest.raises(error):
        send(module, wall_ms=wall_ms, output_bytes=65536)
    assert text(send(programs.saying())) == "hello"


def test_thousands_of_descriptors_go_with_their_call(send, tmp_path):
    (tmp_path / "a").write_text("")
    mount = make_mount("/data", tmp_path)
    for _ in range(3):
        assert text(send(programs.opening("a", 3000), mounts=[mount])) == "hello"
    assert (tmp_path / "a").open().close() is None  # the agent itself can open files


def test_a_looping_program_is_cancelled(engine):
    module = programs.looping()
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    running = CallState(Limits(wall_ms=60_000))
    threading.Timer(0.2, engine.cancel, [running]).start()
    with pytest.raises(CallCancelled):
        engine.send(loaded, MESSAGE, running)


def test_a_program_with_other_imports_is_refused(send):
    module = programs.program("", imports='(import "env" "system" (func))')
    with pytest.raises(ModuleRejected, match=r"env\.system"):
        send(module)


GO = """
package main

import ("bufio"; "encoding/json"; "fmt"; "os")

func main() {
    lines := bufio.NewScanner(os.Stdin)
    for lines.Scan() {
        var m struct { Id any; Method string }
        json.Unmarshal(lines.Bytes(), &m)
        result := map[string]any{}
        switch m.Method {
        case "initialize":
            result = map[string]any{"protocolVersion": "2025-06-18", "capabilities":
                map[string]any{}, "serverInfo": map[string]any{"name": "go", "version": "1"}}
        case "tools/call":
            text := map[string]any{"type": "text", "text": "hello from Go"}
            result = map[string]any{"content": []any{text}}
        case "notifications/initialized":
            continue
        }
        answer, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": m.Id, "result": result})
        fmt.Println(string(answer))
    }
}
"""


@pytest.mark.extended
def test_a_go_program_is_a_tool_server(send, tmp_path):
    import os
    import shutil

    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    (tmp_path / "main.go").write_text(GO)
    subprocess.run(
        ["go", "build", "-o", "server.wasm", "main.go"],
        cwd=tmp_path,
        env={**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "GOFLAGS": "-mod=mod"},
        check=True,
        timeout=110,
    )
    module = Module((tmp_path / "server.wasm").read_bytes())
    assert text(send(module)) == "hello from Go"


def test_call_and_serve_take_programs(tmp_path):
    program = programs.built_in("time")
    module = program.write(tmp_path)
    for state in (tmp_path / "sanderling/edge-agent", tmp_path / "state"):
        compiled.give(state, also=program.wasm)
    arguments = json.dumps({"timezone": "UTC"})
    done = subprocess.run(
        [*AGENT, "call", str(module), "get_current_time", "--args", arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"XDG_CACHE_HOME": str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    assert json.loads(done.stdout)["content"]
    done = subprocess.run(
        [*AGENT, "serve", str(module), "--state", str(tmp_path / "state")],
        input=json.dumps(call("get_current_time", {"timezone": "UTC"})) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["result"]["content"]
