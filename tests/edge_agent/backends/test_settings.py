"""``[[servers]]`` in an agent's file."""

import pytest

from edge_agent.config.agent_config import load_config
from edge_agent.errors import ConfigError

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
