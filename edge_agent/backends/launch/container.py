"""Servers in containers: a rootfs under crun, an image under podman.

A container is started as a process server is (its input and output are the server's), so all that
holds for those holds here too; beside it the server gets namespaces of its own, a read-only root,
and the agent's mounts under the paths by which tools name them.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from edge_agent.backends.launch.keeper_client import Command
from edge_agent.backends.settings import PASSED, ServerTable
from edge_agent.mounts import Mount

#: crun stops at a version 2 hierarchy beside version 1, and needs no group to run one process: the
#: hierarchy is hidden from it, in a mount namespace of its own.
_ENTER: Final = (
    "umount /sys/fs/cgroup/unified 2>/dev/null; "
    'exec crun --root "$1/state" --cgroup-manager=disabled run --bundle "$1" "$2"'
)
_UNIFIED: Final = "/sys/fs/cgroup/unified"
_HIDE_UNIFIED: Final = (
    *("unshare", "--mount", "sh", "-c"),
    f'umount {_UNIFIED} 2>/dev/null; exec "$@"',
    "enter",
)
_NAMESPACES: Final = ("pid", "ipc", "uts", "mount")
_OWN: Final = ("PATH", "HOME", "TMPDIR", "SHELL", "USER", "LOGNAME")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME_BYTES: Final = 4
_PROCESSES: Final = 32_768  # podman lowers its own limit to this, and can give no more


def missing(table: ServerTable) -> str:
    """Why this machine cannot run a server's container; "" where it can."""
    if table.image:
        return "" if shutil.which("podman") else "podman is not installed"
    for program in ("crun", "unshare"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "crun needs root"
    return "" if Path(table.rootfs).is_dir() else f"{table.rootfs} is no directory"


class Bundles:
    """The bundles of one agent's containers: folders that go with the agent."""

    def __init__(self) -> None:
        self._root = ""

    def command_of(self, table: ServerTable, mounts: Sequence[Mount]) -> Command:
        """What starts a server's container."""
        name = f"sanderling-{table.name}-{os.urandom(_NAME_BYTES).hex()}"
        environment = {key: value for key, value in os.environ.items() if key in PASSED}
        if table.image:
            argv = _podman(table, mounts, name)
            return Command(argv, {**environment, **table.environment()}, "/", ())
        self._root = self._root or tempfile.mkdtemp(prefix="sanderling-bundles-")
        bundle = Path(self._root) / name
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(_config(table, mounts)))
        argv = ["unshare", "--mount", "sh", "-c", _ENTER, "enter", str(bundle), name]
        return Command(argv, environment, "/", ())

    def close(self) -> None:
        """Remove them."""
        if self._root:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._root)


def _inside(table: ServerTable) -> dict[str, str]:
    """The environment in the container: what says where this machine's files are stays out."""
    given = {key: value for key, value in table.environment().items() if key not in _OWN}
    return {"PATH": _PATH, "HOME": "/tmp", **given, **table.env}  # noqa: S108 - in the container


def _podman(table: ServerTable, mounts: Sequence[Mount], name: str) -> list[str]:
    hybrid = os.geteuid() == 0 and Path(_UNIFIED).is_dir()
    argv = [*_HIDE_UNIFIED, "podman", "--cgroup-manager", "cgroupfs"] if hybrid else ["podman"]
    argv += ["run", "--rm", "--interactive", "--read-only", "--name", name]
    if shutil.which("catatonit"):
        argv.append("--init")
    argv += ["--network", "slirp4netns" if table.network else "none", "--pull", "missing"]
    if hybrid:
        argv += ["--cgroups", "disabled"]
    elif table.limits.memory_mib is not None:
        argv += ["--memory", f"{table.limits.memory_mib}m"]
    for limit in _ulimits(table, data=hybrid):
        argv += ["--ulimit", limit]
    for mount in mounts:
        argv += ["--volume", f"{mount.directory}:{mount.path}:{'ro' if mount.readonly else 'rw'}"]
    for key in (*table.pass_env, *table.env):
        argv += ["--env", key]  # by name: a command line is anyone's to read
    return [*argv, table.image, *table.command]


def _ulimits(table: ServerTable, *, data: bool) -> Iterator[str]:
    """The limits of a container's processes; all are named, since podman's own are over root's.

    ``data`` says that memory has to be bounded like this, for want of a cgroup.
    """
    limits = table.limits
    yield f"nofile={limits.open_files}:{limits.open_files}"
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    most = _PROCESSES if most == resource.RLIM_INFINITY else min(most, _PROCESSES)
    yield f"nproc={most}:{most}"
    yield "core=0:0"
    if limits.cpu_s is not None:
        yield f"cpu={limits.cpu_s}:{limits.cpu_s}"
    if data and limits.memory_mib is not None:
        yield f"data={limits.memory_mib << 20}:{limits.memory_mib << 20}"


def _config(table: ServerTable, mounts: Sequence[Mount]) -> dict[str, Any]:
    """The bundle's configuration, of the OCI runtime specification 1.0.2."""
    names = [*_NAMESPACES, *(() if table.network else ("network",))]
    return {
        "ociVersion": "1.0.2",
        "hostname": table.name,
        "root": {"path": table.rootfs, "readonly": True},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "cwd": "/",
            "args": table.command,
            "env": [f"{key}={value}" for key, value in _inside(table).items()],
            "noNewPrivileges": True,
            "capabilities": {},
            "rlimits": _rlimits(table),
        },
        "mounts": [
            _special("proc", "/proc"),
            _special("tmpfs", "/tmp", "nosuid", "nodev", "mode=1777"),  # noqa: S108
            _special("tmpfs", "/dev", "nosuid", "mode=755"),
            *(_bound(mount) for mount in mounts),
        ],
        "linux": {
            "namespaces": [{"type": name} for name in names],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/sysrq-trigger"],
        },
    }


def _rlimits(table: ServerTable) -> list[dict[str, Any]]:
    limits = table.limits
    found = [("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", limits.open_files)]
    if limits.memory_mib is not None:
        found.append(("RLIMIT_DATA", limits.memory_mib << 20))
    if limits.cpu_s is not None:
        found.append(("RLIMIT_CPU", limits.cpu_s))
    return [{"type": kind, "soft": value, "hard": value} for kind, value in found]


def _special(kind: str, path: str, *options: str) -> dict[str, Any]:
    return {"destination": path, "type": kind, "source": kind, "options": list(options)}


def _bound(mount: Mount) -> dict[str, Any]:
    mode = "ro" if mount.readonly else "rw"
    options = ["rbind", mode, "nosuid", "nodev"]
    return {
        "destination": mount.path,
        "type": "bind",
        "source": mount.directory,
        "options": options,
    }
