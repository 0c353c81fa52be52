"""Agents as child processes: kept alive, told apart, stopped for good."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager

import pytest

from dispatcher.config import AgentConfig, load
from dispatcher.errors import ConfigError
from dispatcher.serving import supervisor as module
from dispatcher.serving.supervisor import Supervisor, command, module_cache
from tests.dispatcher.fake_app import until

SLEEP = "import time\nprint('here', file=sys.stderr, flush=True)\ntime.sleep(60)"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def supervise(monkeypatch, tmp_path):
    """Supervise one process that runs a script in the agent's place."""

    @asynccontextmanager
    async def start(script, names=("device",)):
        lines = []
        monkeypatch.setattr(
            module, "command", lambda *_: [sys.executable, "-c", f"import sys\n{script}"]
        )
        monkeypatch.setattr(module, "_BACKOFF_S", (0.05, 0.1))
        supervisor = Supervisor(
            [AgentConfig(name=name) for name in names],
            dispatcher="127.0.0.1:1",
            token="secret",
            state=tmp_path,
            say=lambda node, line: lines.append((node, line)),
        )
        supervisor.lines = lines
        supervisor.start()
        try:
            yield supervisor
        finally:
            await supervisor.stop()

    return start


async def test_what_an_agent_logs_comes_with_its_name(supervise):
    async with supervise(SLEEP, ("device", "edge")) as supervisor:
        await until(lambda: len(supervisor.lines) == 2)
    assert set(supervisor.lines) == {("device", "here"), ("edge", "here")}


async def test_a_dead_agent_is_started_again(supervise):
    async with supervise(SLEEP) as supervisor:
        await until(lambda: ("device", "here") in supervisor.lines)
        first = supervisor.pids()["device"]
        os.kill(first, 9)
        await until(lambda: supervisor.lines.count(("device", "here")) == 2)
        assert supervisor.pids()["device"] != first
    assert any("SIGKILL" in line for _, line in supervisor.lines)


async def test_an_agent_that_keeps_dying_is_not_started_in_a_hurry(supervise, monkeypatch):
    async with supervise("sys.exit(1)") as supervisor:
        monkeypatch.setattr(module, "_BACKOFF_S", (30, 60))
        await until(lambda: supervisor.lines)
        await asyncio.sleep(0.3)
        deaths = [line for _, line in supervisor.lines if "exit code 1" in line]
    assert 1 <= len(deaths) <= 7  # 0.05 s and then 0.1 s apart, at most


async def test_one_that_cannot_use_its_configuration_is_hopeless(supervise):
    script = "sys.exit(print('edge-agent: mounts: /x is no directory', file=sys.stderr) or 2)"
    async with supervise(script) as supervisor:
        with pytest.raises(ConfigError, match="agent device cannot start: mounts: /x"):
            async with asyncio.timeout(60):
                await supervisor.hopeless()
        assert not supervisor.pids()


async def test_one_that_cannot_even_start_is_hopeless(supervise, monkeypatch):
    async with supervise(SLEEP) as supervisor:
        await until(supervisor.pids)
        monkeypatch.setattr(module, "command", lambda *_: ["/nonexistent/python"])
        os.kill(supervisor.pids()["device"], 9)
        with pytest.raises(ConfigError, match="agent device cannot start"):
            async with asyncio.timeout(60):
                await supervisor.hopeless()


async def test_stop_leaves_nothing_behind(supervise):
    async with supervise(SLEEP, ("device", "edge", "cloud")) as supervisor:
        await until(lambda: len(supervisor.lines) == 3)
        pids = supervisor.pids().values()
        assert all(map(alive, pids))
        await supervisor.stop()
        assert not any(map(alive, pids))
        await supervisor.stop()


async def test_stop_is_stronger_than_a_stubborn_agent(supervise, monkeypatch):
    monkeypatch.setattr(module, "STOP_S", 0.3)
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
    async with supervise(stubborn) as supervisor:
        await until(lambda: supervisor.lines)
        [pid] = supervisor.pids().values()
        await supervisor.stop()
        assert not alive(pid)


async def test_the_token_goes_by_the_environment(supervise):
    script = "import os\nprint(os.environ['SANDERLING_TOKEN'], file=sys.stderr)\nsys.exit(2)"
    async with supervise(script) as supervisor:
        await until(lambda: supervisor.lines)
    assert supervisor.lines[0] == ("device", "secret")


async def test_a_line_without_end_does_not_stop_the_log(supervise):
    script = "sys.stderr.write('x' * 300_000 + '\\nafter\\n')\nsys.stderr.flush()\n" + SLEEP
    async with supervise(script) as supervisor:
        await until(lambda: ("device", "here") in supervisor.lines)
    assert ("device", "after") in supervisor.lines


def test_the_command_line_names_the_node_and_not_the_token(tmp_path):
    agent = AgentConfig.model_validate(
        {
            "name": "pi4",
            "tier": "device",
            "mounts": [{"path": "/logs", "directory": str(tmp_path), "readonly": True}],
            "features": ["camera", "gpu"],
            "slots": 3,
            "memory_mib": 64,
        }
    )
    line = command(agent, "127.0.0.1:5", tmp_path / "cache")
    text = " ".join(line)
    assert "edge_agent run --name pi4 --dispatcher 127.0.0.1:5" in text
    assert "--tier device --site home" in text
    assert f"--mount /logs={tmp_path}:ro --feature camera --feature gpu" in text
    assert "--slots 3 --memory-mib 64" in text
    assert f"--parent-pid {os.getpid()}" in text


def test_an_agent_chooses_what_it_was_not_told(tmp_path):
    line = command(AgentConfig(name="a"), "127.0.0.1:5", tmp_path)
    assert not {"--slots", "--memory-mib", "--mount", "--feature", "--config"} & set(line)


async def test_labels_reach_the_agent(tmp_path):
    agent = AgentConfig(name="a", labels={"room": 'kit"chen', "ü": "\\"})
    supervisor = Supervisor([], dispatcher="", token="", state=tmp_path, say=print)
    path = supervisor._settings(agent)
    config = pytest.importorskip("edge_agent.config.agent_config")
    flags = {"name": "a", "dispatcher": "127.0.0.1:5", "token": "t"}
    assert config.load_config(path, flags, {}).labels == agent.labels


async def test_variables_of_modules_reach_the_agent(tmp_path):
    (tmp_path / "up.toml").write_text(
        """[[agents]]
        name = "a"
        [agents.env.summarize]
        SUMMARIZE_ENDPOINT = "http://127.0.0.1:81/v1/chat/completions"
        """
    )
    [agent] = load(tmp_path / "up.toml").agents
    supervisor = Supervisor([], dispatcher="", token="", state=tmp_path, say=print)
    path = supervisor._settings(agent)
    config = pytest.importorskip("edge_agent.config.agent_config")
    flags = {"name": "a", "dispatcher": "127.0.0.1:5", "token": "t"}
    assert config.load_config(path, flags, {}).env == agent.env
    assert agent.env["summarize"]["SUMMARIZE_ENDPOINT"].endswith(":81/v1/chat/completions")


async def test_limits_reach_the_agent(tmp_path):
    (tmp_path / "up.toml").write_text(
        """[[agents]]
        name = "a"
        limits = { wall_ms = 900, disk_mib = 2, open_files = 7 }
        """
    )
    [agent] = load(tmp_path / "up.toml").agents
    path = Supervisor([], dispatcher="", token="", state=tmp_path, say=print)._settings(agent)
    config = pytest.importorskip("edge_agent.config.agent_config")
    flags = {"name": "a", "dispatcher": "127.0.0.1:5", "token": "t"}
    limits = config.load_config(path, flags, {}).limits
    assert (limits.wall_ms, limits.disk_bytes, limits.open_files) == (900, 2 * 1024 * 1024, 7)


async def test_egress_reaches_the_agent(tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    (tmp_path / "up.toml").write_text(
        """[[agents]]
        name = "a"
        egress = ["https://*.example.org:443", { to = "http://127.0.0.1:81", tools = ["fetch"] }]
        egress_limits = { requests = 3, methods = ["GET"] }
        egress_audit = "audit.jsonl"
        secrets = [
            { to = "https://a.example.org:443", header = "X-Key", file = "key" },
            { to = "https://b.example.org:443", header = "Authorization", env = "KEY", prefix = "Bearer " },
        ]
        """
    )
    [agent] = load(tmp_path / "up.toml").agents
    supervisor = Supervisor([], dispatcher="", token="", state=tmp_path, say=print)
    path = supervisor._settings(agent)
    config = pytest.importorskip("edge_agent.config.agent_config")
    flags = {"name": "a", "dispatcher": "127.0.0.1:5", "token": "t"}
    egress = config.load_config(path, flags, {"KEY": "from a variable"}).egress
    assert [str(rule) for rule in egress.rules] == [
        "https://*.example.org:443",
        "http://127.0.0.1:81",
    ]
    assert egress.rules[1].tools == ("fetch",)
    assert (egress.limits.requests, egress.limits.methods) == (3, ("GET",))
    assert egress.audit == tmp_path / "audit.jsonl"
    assert [secret.value for secret in egress.secrets] == ["from a file", "from a variable"]
    assert "from a" not in path.read_text()


def test_modules_are_compiled_once_per_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert module_cache(tmp_path / "state") == tmp_path / "cache/sanderling/agents"
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert module_cache(tmp_path / "state") == tmp_path / "state/agents"
