"""``[[servers]]`` in an agent's file."""

import pytest

from edge_agent.backends.settings import ServerTable
from edge_agent.config.agent_config import load_config
from edge_agent.errors import ConfigError, ModuleUnavailable
from edge_agent.tables import TableError, read

GIVEN = {"dispatcher": "127.0.0.1:1", "token": "t", "name": "pi4"}


def load(tmp_path, text):
    file = tmp_path / "agent.toml"
    file.write_text(text)
    return load_config(file, GIVEN, {}).servers


def test_the_backend_follows_from_what_is_named(tmp_path):
    servers = load(
        tmp_path,
        """
        [[servers]]
        name = "time"
        command = ["mcp-server-time"]
        idle_s = 60
        limits = { memory_mib = 512 }
        [[servers]]
        name = "far"
        url = "https://example.org/mcp"
        bearer_file = "far.token"
        [[servers]]
        name = "boxed"
        rootfs = "rootfs"
        command = ["/bin/server"]
        """,
    )
    assert [one.backend for one in servers] == ["process", "remote", "container"]
    assert servers[0].cwd == str(tmp_path)
    assert servers[0].idle_s == 60
    assert servers[1].bearer_file == str(tmp_path / "far.token")
    assert servers[2].rootfs == str(tmp_path / "rootfs")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "a"\ncomand = ["x"]', "comand: unknown key"),
        ('name = "a"', "a process server needs command"),
        ('name = "a"\nbackend = "remote"\ncommand = ["x"]', "a remote server needs url"),
        ('name = "A b"\ncommand = ["x"]', "name"),
        ('name = "a"\nurl = "ftp://example.org"', "no http or https URL"),
        ('name = "a"\nurl = "http://me:pw@example.org"', "holds a password"),
        ('name = "a"\ncommand = ["x"]\nlimits = { memory = 1 }', "limits.memory: unknown key"),
        ('name = "a"\ncommand = ["x"]\npass_env = ["SANDERLING_TOKEN"]', "not passed on"),
        ('name = "a"\nrootfs = "r"', "a rootfs needs a command"),
        (
            'name = "a"\ncommand = ["x"]\n[[servers]]\nname = "a"\ncommand = ["y"]',
            "two process servers are called 'a'",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        load(tmp_path, f"[[servers]]\n{text}")


def test_one_name_may_have_two_backends(tmp_path):
    servers = load(
        tmp_path,
        '[[servers]]\nname = "a"\ncommand = ["x"]\n[[servers]]\nname = "a"\nurl = "http://b/"',
    )
    assert {one.backend for one in servers} == {"process", "remote"}


FAR = {"name": "far", "url": "https://far.example/mcp"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"headers": {"Host": "x"}}, "Host is set by the agent itself"),
        ({"headers": {"mcp-session-id": "x"}}, "mcp-session-id is set by the agent itself"),
        ({"headers": {"X Y": "x"}}, "'X Y' is no name of a header"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "x-a is given twice"),
        ({"headers": {"X-A": "s3cret\r\nX-B: 1"}}, "X-A: its value is not one line"),
        ({"headers": {"X-A": "s3crét"}}, "X-A: its value is not one line"),
        ({"headers_env": {"Content-Length": "V"}}, "Content-Length is set by the agent itself"),
        ({"headers": {"Authorization": "x"}, "bearer_env": "T"}, "give one of bearer_env"),
        ({"oauth": {}, "bearer_file": "t"}, "give one of bearer_env"),
        ({"oauth": {"client_secret_env": "S"}}, "needs a client_id"),
        (
            {"oauth": {"client_id": "a", "client_secret_env": "S", "client_secret_file": "f"}},
            "both",
        ),
        ({"oauth": {"token_url": "ftp://x/y"}}, "is no http or https URL"),
    ],
)
def test_headers_that_cannot_be(more, says):
    with pytest.raises(TableError) as caught:
        read(ServerTable, {**FAR, **more})
    assert says in str(caught.value)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"X-A": "1", "X-B": "two: 2"}',
        'X-A = "1"\n"X-B" = "two: 2"\n',
        "# mine\nX-A: 1\n\nX-B: two: 2\n",
    ],
)
def test_files_of_headers(tmp_path, text):
    file = tmp_path / "headers"
    file.write_text(text)
    table = read(ServerTable, {**FAR, "headers": {"X-C": "s3cret"}, "headers_file": str(file)})
    assert table.secret_headers({}) == {"X-A": "1", "X-B": "two: 2", "X-C": "s3cret"}
    assert "s3cret" not in repr(table)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no header"),
        ("just words", "a line that is not Name: value"),
        ('{"X-A": 1}', "every value must be a text"),
        ("{", "neither JSON, TOML nor lines"),
        ("Host: x", "Host is set by the agent itself"),
        ("X-A: 1\nX-A: 2", "X-A is given twice"),
        (None, "no such file"),
    ],
)
def test_files_that_hold_none(tmp_path, text, says):
    file = tmp_path / "headers"
    if text is not None:
        file.write_text(text)
    table = read(ServerTable, {**FAR, "headers_file": str(file)})
    with pytest.raises(ModuleUnavailable, match=says):
        table.secret_headers({})


def test_a_header_of_a_variable_that_is_not_set_is_named():
    table = read(ServerTable, {**FAR, "headers_env": {"X-A": "KEY"}})
    assert table.secret_headers({"KEY": " v \n"}) == {"X-A": "v"}
    with pytest.raises(ModuleUnavailable, match="the variable KEY holds no value of X-A; set it"):
        table.secret_headers({})


def test_headers_are_for_remote_servers():
    with pytest.raises(TableError, match="headers are for remote servers; give others env"):
        read(ServerTable, {"name": "near", "command": ["x"], "headers": {"X-A": "1"}})
