"""A server in a container of crun or podman; its root is made of this machine's own programs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.backends.launch import container
from edge_agent.backends.servers.servers import Servers
from edge_agent.backends.settings import ServerTable
from edge_agent.mounts import Mount
from edge_agent.tables import read
from tests.edge_agent.backends.conftest import PROGRAMS, Agent, is_alive, kill, wait_for
from tests.edge_agent.backends.launch.oci import make_image


@pytest.fixture
def rootfs(tmp_path):
    root = tmp_path / "root"
    for name in ("usr", "tmp", "proc", "dev"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    return root


def server(**keys):
    """A server as a configuration file has it."""
    return read(ServerTable, keys)


@pytest.fixture(params=["rootfs", "image"])
def boxed(request, rootfs, tmp_path):
    """The servers of an agent whose one server is in a container."""
    if request.param == "rootfs":
        keys = {"rootfs": str(rootfs)}
    else:
        # A store of its own, which needs no file system that can be laid over another.
        (tmp_path / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/store"\n'
            f'runroot = "{tmp_path}/run"\n'
        )
        env = {"CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf")}
        keys = {"image": make_image(tmp_path / "image"), "env": env}
    table = server(
        name="rude",
        command=[sys.executable, "-S", "/programs/rude_server.py"],
        limits={"open_files": 64},
        start_s=60,
        **keys,
    )
    lacking = container.missing(table) or cannot_run()
    if lacking:
        pytest.skip(f"container: {lacking}")
    (tmp_path / "data").mkdir()
    places = {"/usr", sys.prefix, sys.base_prefix}
    mounts = [Mount(path, path, readonly=True) for path in sorted(places)]
    mounts += [Mount("/programs", str(PROGRAMS), readonly=True)]
    one = Agent.__new__(Agent)
    one.changes = 0
    one.servers = Servers([table], tmp_path / "state", lambda: None, mounts)
    yield one
    one.servers.close()


def cannot_run():
    done = subprocess.run(
        ["unshare", "--mount", "true"], capture_output=True, text=True, check=False
    )
    return done.stderr.strip()


@pytest.mark.extended
def test_calls_limits_and_end(boxed):
    first, answer = boxed.call("rude", "echo", {"text": "from the box"}, backend="container")
    assert answer["content"][0]["text"] == "from the box"
    assert first.cold
    assert not boxed.call("rude", "echo", {}, backend="container")[0].cold
    assert boxed.text("rude", backend="container") == "1"  # a process space of its own
    opened = boxed.text("rude", arguments={"what": "open"}, backend="container")
    assert int(opened.partition(":")[0]) < 64
    inside = in_the_box()
    assert inside
    boxed.servers.close()
    assert wait_for(lambda: not any(map(is_alive, inside)))


@pytest.mark.extended
@pytest.mark.parametrize("whom", ["starter", "keeper"])
def test_nothing_is_left_of_a_container_whose_starter_is_killed(boxed, whom):
    boxed.call("rude", "echo", {}, backend="container")
    inside = in_the_box()
    child = boxed.servers._servers[0]._live.channel.child.pid
    parent = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    kill(child if whom == "starter" else parent, signal.SIGKILL)
    assert wait_for(lambda: not any(map(is_alive, inside)))
    assert boxed.text("rude", "echo", {"text": "again"}, backend="container") == "again"


def in_the_box():
    """The processes of this machine that run the program as containers name it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"/programs/rude_server.py" in line:
                found.append(int(entry.name))
    return found


def test_without_a_runtime_the_backend_is_not_reported(rootfs, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    table = server(name="boxed", rootfs=str(rootfs), command=["/bin/server"])
    image = server(name="pulled", image="docker.io/library/server")
    servers = Servers([table, image], tmp_path / "state", lambda: None)
    assert servers.backends == {}
    assert servers.reports() == ()
    assert "server boxed is left out: crun is not installed" in caplog.text
    assert "server pulled is left out: podman is not installed" in caplog.text
    servers.close()


def test_a_bundle_has_the_agents_mounts_and_no_rights(rootfs, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    table = server(
        name="boxed", rootfs=str(rootfs), command=["/bin/server"], env={"COLOUR": "green"}
    )
    bundles = container.Bundles()
    mounts = [Mount("/logs", str(tmp_path), readonly=True)]
    command = bundles.command_of(table, mounts)
    config = json.loads((Path(command.argv[-2]) / "config.json").read_text())
    bundles.close()
    assert config["root"] == {"path": str(rootfs), "readonly": True}
    assert config["process"]["capabilities"] == {}
    assert "network" in [one["type"] for one in config["linux"]["namespaces"]]
    logs = next(one for one in config["mounts"] if one["destination"] == "/logs")
    assert logs["source"] == str(tmp_path)
    assert "ro" in logs["options"]
    assert "COLOUR=green" in config["process"]["env"]
    assert "HOME=/home/somebody" not in config["process"]["env"]
    assert not Path(command.argv[-2]).exists()
