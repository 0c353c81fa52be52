"""The ``edge-agent`` command as users and supervisors start it: real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from edge_agent.cli import main
from edge_agent.engine.limits import MIB
from protos.edge.v1 import edge_pb2
from tests import compiled
from tests.edge_agent.fake_dispatcher import TOKEN
from tests.edge_agent.guests import modules
from tests.edge_agent.guests.modules import saying
from wasm_tools import manifest

COMMAND = [sys.executable, "-m", "edge_agent"]
LIST = b'{"jsonrpc":"2.0","id":"a","method":"tools/list"}'
CALL = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}'


# Runs the rest of its command line as Python would, and notes what was imported at the end.
NOTE_IMPORTS = """
import atexit, runpy, sys
place, sys.argv = sys.argv[1], sys.argv[4:]
def note():
    open(place, "w").write(" ".join({name.partition(".")[0] for name in sys.modules}))
atexit.register(note)
runpy.run_module("edge_agent", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def environment(tmp_path):
    """Of an agent with a cache of its own, which has its own code and nothing else."""
    compiled.give(tmp_path / "cache/sanderling/edge-agent")
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def run(environment):
    def run(*arguments, given=b"", timeout=60):
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=given,
            capture_output=True,
            env=environment,
            timeout=timeout,
            check=False,
        )

    return run


def assert_one_line(done, code, words):
    assert done.returncode == code, done.stderr
    text = done.stderr.decode()
    assert words in text
    assert len(text.strip().splitlines()) == 1
    assert "Traceback" not in text


def await_handler(pid, number):
    """Wait until a process handles a signal: before, it would end by it."""
    mask = 1 << (number - 1)
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        status = Path(f"/proc/{pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) & mask:
            return
        time.sleep(0.05)
    raise TimeoutError(f"process {pid} never handled signal {number}")


# ---- call ---------------------------------------------------------------------------------


def test_call_prints_the_result(run, tmp_path):
    done = run("call", saying("hello").write(tmp_path), "tool", "--args", '{"a": 1}')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["content"][0]["text"] == "hello"


@pytest.mark.parametrize(
    "answer",
    [
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no such tool"}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}',
    ],
)
def test_call_exits_1_for_an_error_result(run, tmp_path, answer):
    done = run("call", modules.answering(answer).write(tmp_path), "tool")
    assert done.returncode == 1
    assert json.loads(done.stdout)["isError"] is True


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (modules.looping(), ["--wall-ms", "100"], "100 ms"),
        (modules.memory_bomb(), ["--memory-mib", "4"], "of its 4 MiB"),
        (
            saying("x", extra="(table 9 funcref)"),
            ["--limit", "table_elements=8"],
            "raise table_elements",
        ),
        (modules.overflowing(), [], "stack overflow"),
        (modules.trapping(), [], "trapped"),
        (modules.answering(b"garbage"), [], "not JSON"),
        (modules.Module(b"hello"), [], "not a WebAssembly module"),
        (modules.module(imports='(import "env" "f" (func))'), [], "env.f"),
    ],
)
def test_failed_call_is_one_line(run, tmp_path, module, options, words):
    assert_one_line(run("call", module.write(tmp_path), "tool", *options), 1, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["call"], "MODULE"),
        (["call", "absent.wasm", "t"], "absent.wasm"),
        (["call", "MODULE", "t", "--args", "[1"], "--args"),
        (["call", "MODULE", "t", "--args", "[]"], "JSON object"),
        (["call", "MODULE", "t", "--mount", "x=."], "absolute"),
        (["call", "MODULE", "t", "--mount", "/x=.", "--mount", "/x=/"], "mounted twice"),
        (["call", "MODULE", "t", "--allow-egress", "example.org"], "SCHEME://HOST:PORT"),
        (["call", "MODULE", "t", "--env", "NAME"], "NAME=VALUE"),
        (["serve", "MODULE", "--env", "API_KEY=abc"], "use [[secrets]]"),
        (["call", "MODULE", "t", "--wall-ms", "0"], "--wall-ms"),
        (["call", "MODULE", "t", "--limit", "files=3"], "NAME=NUMBER"),
        (["serve", "MODULE", "--limit", "open_files=0"], "from 1 to"),
        (["fly"], "fly"),
        (["run"], "--dispatcher"),
        (["run", "--dispatcher", "a:1"], "token"),
        (["run", "--config", "absent.toml"], "absent.toml"),
    ],
)
def test_usage_error_is_one_line_and_exits_2(monkeypatch, capfd, tmp_path, arguments, words):
    module = str(saying("x").write(tmp_path))
    given = [module if argument == "MODULE" else argument for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["edge-agent", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr().err.encode()
    assert_one_line(subprocess.CompletedProcess(given, ended.value.code, stderr=said), 2, words)


def test_a_process_tells_a_usage_error_in_one_line_too(run):
    assert_one_line(run("fly"), 2, "fly")


def test_help_shows_examples(run):
    for command in ("call", "serve", "run", "capabilities"):
        done = run(command, "--help")
        assert done.returncode == 0
        assert b"Examples:" in done.stdout
        assert f"edge-agent {command}".encode() in done.stdout


def test_call_needs_no_grpc(environment, tmp_path):
    module = saying("x").write(tmp_path)
    code = (
        "import sys; from edge_agent.cli import cli\n"
        f"cli.main(['call', {str(module)!r}, 't'], standalone_mode=False)\n"
        "print(sorted({'grpc', 'google.protobuf', 'pydantic', 'psutil'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert done.stdout.decode().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "lack",
    [
        "sys.modules['wasmtime'] = None",
        "import platform; platform.machine = lambda: 'mips64'",  # as PyPI's wheel has it there
    ],
)
def test_without_an_engine_one_line_tells_what_to_install(lack):
    code = f"import sys; {lack}; sys.argv = ['edge-agent', 'capabilities']\n"
    code += "from edge_agent.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "wasmtime" in line
    assert "docs/boards.md" in line


def test_capabilities_are_json(run):
    done = run("capabilities", "--tier", "device", "--feature", "camera", "--slots", 3)
    report = json.loads(done.stdout)
    assert report["slots"] == 3
    assert report["tier"] == "device"
    assert "camera" in report["features"]
    assert report["backends"] == ["wasm"]
    assert report["speed"] > 1
    assert report["memory_mib"] > 0


# ---- serve --------------------------------------------------------------------------------------


def test_serve_answers_line_by_line(run, tmp_path):
    echo = modules.echo()
    done = run("serve", echo.write(tmp_path), given=LIST + b"\n\n" + CALL)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted([LIST, CALL])


def test_serve_gives_one_line_even_where_the_module_does_not(run, tmp_path):
    module = modules.answering(b'{\n"jsonrpc":"2.0",\r\n"id":7,"result":{}}')
    done = run("serve", module.write(tmp_path), given=CALL)
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["id"] == 7


def test_serve_is_silent_where_the_module_is(run, tmp_path):
    done = run("serve", modules.module().write(tmp_path), given=LIST + b"\n")
    assert (done.returncode, done.stdout) == (0, b"")


def test_serve_turns_a_stopped_request_into_an_error_and_goes_on(run, tmp_path):
    path = modules.trapping_once_in_a_while().write(tmp_path)
    trapping_call = CALL.replace(b'"t"', b'"t!"')
    trapping_list = LIST.replace(b"list", b"li!t")
    done = run("serve", path, given=b"\n".join([trapping_call, trapping_list, CALL]))
    assert done.returncode == 0
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    by_id = [answer for answer in map(json.loads, done.stdout.splitlines()) if answer["id"] == 7]
    assert [answer["result"].get("isError", False) for answer in by_id] == [True]
    assert "trapped" in by_id[0]["result"]["content"][0]["text"]
    assert answers["a"]["error"]["code"] == -32603
    assert "trapped" in answers["a"]["error"]["message"]
    assert answers[1]["result"]["content"][0]["text"] == "fine"  # the module's own id


def test_serve_keeps_to_its_wall_time(run, tmp_path):
    done = run("serve", modules.looping().write(tmp_path), "--wall-ms", 100, given=CALL)
    result = json.loads(done.stdout)["result"]
    assert result["isError"]
    assert "100 ms" in result["content"][0]["text"]


@pytest.mark.parametrize("way", ["-", "@"])
def test_arguments_come_from_a_file_or_standard_input(run, tmp_path, way):
    arguments = b'{"timezone": "Asia/Kolkata"}'
    (tmp_path / "request.json").write_bytes(b"\xef\xbb\xbf" + arguments)
    given = "-" if way == "-" else f"@{tmp_path / 'request.json'}"
    module = manifest.module_path("time")
    done = run("call", module, "get_current_time", "--args", given, given=arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Asia/Kolkata" in done.stdout


@pytest.mark.parametrize(
    ("given", "piped", "said"),
    [
        ("@none.json", b"", b"none.json: no such file"),
        ("@/", b"", b"is a directory"),
        ("-", b"\xff", b"standard input: no UTF-8"),
        ("-", b"", b"write a JSON object"),
        ("-", b"[1]", b"not a JSON object"),
        ("-", b"[" * 100_000, b"--args"),
    ],
)
def test_arguments_that_cannot_be_read_are_told_in_a_line(run, tmp_path, given, piped, said):
    done = run("call", modules.echo().write(tmp_path), "t", "--args", given, given=piped)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("pause_s", [0, 0.5], ids=["before it starts", "while it runs"])
def test_serve_ends_a_cancelled_request_without_an_answer(pause_s, environment, tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "serve", modules.looping_on_a_mark().write(tmp_path), "--wall-ms", "600000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    process.stdin.write(CALL.replace(b'"t"', b'"t!"') + b"\n")
    process.stdin.flush()
    time.sleep(pause_s)
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    # Without the cancelling the process would wait ten minutes for its last answer.
    out, _ = process.communicate(json.dumps(cancel).encode() + b"\n", timeout=60)
    assert (process.returncode, out) == (0, b"")


def test_serve_ends_on_sigterm(environment, tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "serve", str(modules.looping().write(tmp_path))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    process.stdin.write(CALL + b"\n")
    process.stdin.flush()
    await_handler(process.pid, signal.SIGTERM)
    process.terminate()
    assert process.wait(60) == 0


# ---- run -----------------------------------------------------------------------------------------


@pytest.fixture
def started(dispatcher, environment):
    processes = []

    def start(*options, token=TOKEN, wrapper=()):
        process = subprocess.Popen(
            [*wrapper, *COMMAND, "run", "--dispatcher", dispatcher.address, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "SANDERLING_TOKEN": token},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_run_says_when_it_is_ready_and_drains_on_sigterm(started, dispatcher):
    process = started("--name", "pi4")
    ready = json.loads(process.stdout.readline())
    assert ready == {"ready": True, "node": "pi4", "dispatcher": dispatcher.address}
    attached = dispatcher.next_agent()
    slow = modules.sleeping(1)
    dispatcher.modules[slow.digest] = slow.wasm
    attached.send(call=edge_pb2.Call(id="c1", tool="t", module=edge_pb2.Module(sha256=slow.digest)))
    while attached.receive("heartbeat").running == 0:
        pass
    process.send_signal(signal.SIGTERM)
    assert attached.result("c1")[0].status == edge_pb2.STATUS_DONE
    assert process.wait(60) == 0
    assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_after_it_was_stopped_and_continued(started, dispatcher, number):
    process = started("--name", "pi4")
    process.stdout.readline()
    for pause_s in (0.1, 1.3):  # shorter and longer than it looks at its parent
        process.send_signal(signal.SIGSTOP)
        time.sleep(pause_s)
        process.send_signal(signal.SIGCONT)
    attached = dispatcher.next_agent()
    attached.receive("heartbeat")  # it goes on
    process.send_signal(number)
    assert process.wait(60) == 0
    assert b"Traceback" not in process.stderr.read()


def test_a_thread_that_dies_ends_the_program_with_a_line():
    program = """
import logging, time
from edge_agent.threads import start_essential
logging.basicConfig(format="%(message)s")
def die():
    raise LookupError("where")
start_essential(die, "signals")
time.sleep(60)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=50, check=False
    )
    assert done.returncode == 1
    first, second = done.stderr.decode().splitlines()
    assert first == "thread signals failed unexpectedly: LookupError('where')"
    assert "the agent ends" in second


def test_any_other_thread_that_dies_leaves_a_line_and_no_traceback():
    program = """
import logging, threading
from edge_agent.threads import tell_of_ends
logging.basicConfig(format="%(message)s")
tell_of_ends()
def die():
    raise LookupError("where")
thread = threading.Thread(target=die, name="news")
thread.start()
thread.join()
threading.Thread(target=exit).start()  # which is no error
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=50, check=False
    )
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "thread news failed unexpectedly: LookupError('where')"
    ]


def run_idle(started, dispatcher, tmp_path, wrapper=()):
    """An agent that has every built-in server compiled and waits; the largest itself."""
    servers = manifest.servers()
    largest = max(servers, key=lambda server: server.size)
    compiled.give(tmp_path / "state", *(one.name for one in servers if one is not largest))
    for server in servers:
        dispatcher.modules[server.sha256] = server.module.path.read_bytes()
        dispatcher.prefetch.append(
            edge_pb2.Module(sha256=server.sha256, size_bytes=server.module.size)
        )
    process = started("--name", "idle", "--state", tmp_path / "state", wrapper=wrapper)
    assert process.stdout.readline()
    attached, ready = dispatcher.next_agent(), set()
    while len(ready) < len(servers):
        ready |= set(attached.receive("heartbeat").warm)
    return process, attached


#: Of other packages. Each more costs memory on every board, so a new one is a decision.
IMPORTED = {
    "click",
    "cython_runtime",
    "google",
    "grpc",
    "psutil",
    "typing_extensions",  # grpc's
    "wasmtime",
}
#: gRPC imports them where they are installed, which is where code is generated.
DEVELOPMENT = {"grpc_tools"}
OWN = {"edge_agent", "ground", "protos"}


def test_an_idle_agent_has_imported_these_and_nothing_else(started, dispatcher, tmp_path):
    names = tmp_path / "names"
    wrapper = [sys.executable, "-c", NOTE_IMPORTS, str(names)]
    process, _ = run_idle(started, dispatcher, tmp_path, wrapper)
    process.terminate()
    assert process.wait(60) == 0
    found = set(names.read_text().split())
    assert found >= OWN
    foreign = {
        name for name in found - sys.stdlib_module_names - OWN - DEVELOPMENT if name[0] != "_"
    }
    assert foreign == IMPORTED


def test_an_idle_agent_with_every_server_is_small(started, dispatcher, tmp_path):
    process, attached = run_idle(started, dispatcher, tmp_path)
    attached.receive("heartbeat")
    assert psutil.Process(process.pid).memory_info().rss <= 60 * MIB


def test_run_with_a_refused_token_exits_2_in_one_line(started):
    process = started("--name", "pi4", token="wrong")
    out, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == b""
    assert b"refused the token" in error
    assert b"Traceback" not in error


def test_run_survives_a_call_that_hangs_on_the_way_out(started, dispatcher):
    process = started("--name", "pi4")
    attached = dispatcher.next_agent()
    hostile = modules.looping()
    dispatcher.modules[hostile.digest] = hostile.wasm
    attached.send(
        call=edge_pb2.Call(id="c1", tool="t", module=edge_pb2.Module(sha256=hostile.digest))
    )
    while attached.receive("heartbeat").running == 0:
        pass
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert attached.result("c1")[0].status == edge_pb2.STATUS_CANCELLED
    assert process.wait(60) == 0
    assert time.monotonic() - begun >= 2  # it was given its time


def test_agent_dies_with_its_parent(dispatcher, environment):
    # A parent that starts an agent and is killed without a word.
    parent_code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([*sys.argv[1:], '--parent-pid', str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [*COMMAND, "run", "--dispatcher", dispatcher.address, "--name", "orphan"]
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code, *command],
        stdout=subprocess.PIPE,
        env={**environment, "SANDERLING_TOKEN": TOKEN},
    )
    child = psutil.Process(int(parent.stdout.readline()))
    dispatcher.next_agent()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert child.wait(60) in (0, None)


def test_agent_whose_parent_is_gone_already_does_not_stay(started):
    process = started("--name", "late", "--parent-pid", "999999999")
    assert process.wait(60) == 0


def test_run_reads_a_configuration_file(started, dispatcher, tmp_path):
    (tmp_path / "data").mkdir()
    config = tmp_path / "agent.toml"
    config.write_text(
        'name = "from-file"\nsite = "home"\nmounts = [{ path = "/d", directory = "data" }]\n'
    )
    started("--config", config, "--site", "office")
    register = dispatcher.next_agent().register
    assert register.node == "from-file"
    assert register.capabilities.site == "office"
    assert [mount.path for mount in register.capabilities.mounts] == ["/d"]
