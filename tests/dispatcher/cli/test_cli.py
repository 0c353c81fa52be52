"""The command line: what it takes, and one line with the mend for what it does not."""

import re
import stat
import subprocess
import sys

import pytest

from dispatcher.cli import cli, main
from dispatcher.cli.common import json_object, load_config, parse_mount
from dispatcher.errors import ConfigError

COMMANDS = [
    "up",
    "dispatcher",
    "mcp",
    "call",
    "tools",
    "agents",
    "servers",
    "explain",
    "top",
    "policy",
    "token",
    "demo",
]


@pytest.fixture
def sanderling(monkeypatch, capsys):
    """Run the command in this process: (exit code, stdout, stderr)."""

    def run(*argv):
        monkeypatch.setattr(sys, "argv", ["sanderling", *map(str, argv)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def test_the_commands_are_those_of_the_contract():
    assert sorted(cli.commands) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_by_example(sanderling, command):
    code, out, _ = sanderling(command, "--help")
    assert code == 0
    if command != "demo":
        assert "Examples:\n  sanderling " in out


def test_help_shows_no_markup(sanderling):
    code, out, _ = sanderling("--help")
    assert code == 0
    assert "\\b" not in out
    assert "Examples:\n  sanderling up\n" in out


def test_without_a_command_it_helps_and_fails(sanderling):
    code, _, err = sanderling()
    assert code == 2
    assert "Commands:" in err


def test_help_is_quick_to_import():
    heavy = {"mcp", "grpc", "numpy", "pydantic", "rich", "ortools", "starlette", "httpx2"}
    probe = "import sys, dispatcher.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], stdout=-1, text=True, check=True)
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["nosuch"], "nosuch"),
        (["up", "--port", "70000"], "--port"),
        (["up", "--port", "x"], "--port"),
        (["up", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
        (["up", "--mount", "logs=."], "--mount 'logs=.'"),
        (["up", "--mount", "/logs"], "PATH=DIRECTORY"),
        (["up", "--mount", "/logs=/nonexistent"], "/nonexistent is no directory"),
        (["up", "--agents", "a,,b"], "--agents"),
        (["up", "--agents", "A B"], "'A B' is no node name"),
        (["up", "--agents", "a,a"], "'a'"),
        (["call"], "TOOL"),
        (["call", "x", "--args", "{"], "--args: no JSON"),
        (["call", "x", "--args", "[]"], "--args: must be a JSON object"),
        (["call", "x", "--args", "@/nonexistent"], "/nonexistent"),
        (["call", "x", "--requirements", "3"], "--requirements: must be"),
        (["call", "x", "--args", "-", "--requirements", "-"], "standard input"),
        (["call", "x", "--url", "ftp://x"], "--url"),
        (["call", "x", "--url", "http://x", "--mount", "/a=."], "leave out the URL"),
        (["explain", "x", "--mount", "/a=/nonexistent"], "/nonexistent"),
        (["mcp", "--url", "http://127.0.0.1:1", "--agents", "a"], "of no use with a URL"),
        (["top", "--every", "0"], "--every"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(sanderling, argv, named):
    code, out, err = sanderling(*argv)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("sanderling: ")
    assert named in err


def test_an_unreachable_dispatcher_is_one_line_and_exit_1(sanderling):
    for argv in (["tools"], ["agents"], ["call", "x"], ["explain", "x"], ["top", "--once"]):
        code, out, err = sanderling(*argv, "--url", "http://127.0.0.1:1/mcp")
        assert (code, out) == (1, "")
        assert re.fullmatch(r"sanderling: no dispatcher answers at .*\n", err)


def test_what_nobody_foresaw_is_one_line_too(sanderling, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("dispatcher.cli.client.DispatcherClient.tools", fail)
    code, _, err = sanderling("tools", "--url", "http://127.0.0.1:1")
    assert code == 1
    assert err == "sanderling: unexpected ZeroDivisionError: two lines\n"


def test_a_file_of_the_token_is_for_its_owner_alone(tmp_path):
    target, printed = tmp_path / "pi4.token", tmp_path / "token"
    command = [sys.executable, "-m", "dispatcher", "token", "--state", str(tmp_path / "state")]
    with printed.open("wb") as out:
        printed.chmod(0o644)
        subprocess.run(command, stdout=out, check=True)
    subprocess.run([*command, "--file", str(target)], check=True)
    assert printed.read_bytes() == target.read_bytes() != b""
    kept = tmp_path / "state" / "token"
    assert kept.read_text() == target.read_text().strip()
    for one in (printed, target, kept):
        assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert "*" in (tmp_path / "state" / ".gitignore").read_text().splitlines()


def test_the_join_token_is_made_and_kept(sanderling, tmp_path, monkeypatch):
    monkeypatch.delenv("SANDERLING_TOKEN", raising=False)
    _, first, _ = sanderling("token", "--state", tmp_path)
    _, again, _ = sanderling("token", "--state", tmp_path)
    _, client, _ = sanderling("token", "--client", "--state", tmp_path)
    assert first == again == (tmp_path / "token").read_text().strip() + "\n"
    assert client.strip()
    assert client != first


def test_json_arguments_come_from_a_file_or_standard_input(tmp_path, monkeypatch):
    path = tmp_path / "args.json"
    path.write_text('{"n": 36893488147419103232}')
    assert json_object(f"@{path}", "--args") == {"n": 2**65}
    with path.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert json_object("-", "--args") == {"n": 2**65}


def test_mounts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").mkdir()
    assert parse_mount("/x=a=b:ro") == {
        "path": "/x",
        "directory": str(tmp_path / "a=b"),
        "readonly": True,
    }
    assert parse_mount("/x=.")["directory"] == str(tmp_path)
    with pytest.raises(ConfigError):
        parse_mount("/x=:ro")


CONFIG = """
[dispatcher]
port = 7001
[[agents]]
name = "pi4"
tier = "device"
slots = 2
mounts = [{ path = "/data", directory = "." }, { path = "/logs", directory = "." }]
[[agents]]
name = "nuc"
"""


def loaded(tmp_path, **more):
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return load_config(path, None, more.pop("listen", {}), **more)


def names_of(config):
    return [agent.name for agent in config.agents]


def test_without_a_word_there_are_three_agents(tmp_path):
    config = load_config(None, tmp_path, {})
    assert [(a.name, a.tier, a.site) for a in config.agents] == [
        ("device", "device", "home"),
        ("edge", "edge", "home"),
        ("cloud", "cloud", "cloud"),
    ]
    assert config.dispatcher.state == tmp_path


def test_agents_of_the_file_are_kept_and_the_flag_chooses_among_them(tmp_path):
    assert names_of(loaded(tmp_path)) == ["pi4", "nuc"]
    config = loaded(tmp_path, names="cloud, pi4")
    assert names_of(config) == ["cloud", "pi4"]
    assert config.agents[1].slots == 2


def test_mounts_of_the_flag_go_to_the_first_agent_and_replace_their_like(tmp_path):
    (tmp_path / "mine").mkdir()
    config = loaded(tmp_path, mounts=(f"/logs={tmp_path / 'mine'}:ro", f"/more={tmp_path}"))
    first, second = config.agents
    assert [(m.path, m.readonly) for m in first.mounts] == [
        ("/data", False),
        ("/logs", True),
        ("/more", False),
    ]
    assert first.mounts[1].directory == tmp_path / "mine"
    assert not second.mounts


def test_flags_go_before_the_file(tmp_path):
    assert loaded(tmp_path).dispatcher.port == 7001
    config = loaded(tmp_path, listen={"port": 0, "grpc_port": None, "host": None})
    assert config.dispatcher.port == 0


def test_python_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", "--version"], stdout=-1, text=True, check=True
    )
    assert re.fullmatch(r"sanderling \S+\n", done.stdout)
