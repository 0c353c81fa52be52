"""The same server in a container: crun over the host's own files, so nothing is pulled.

The container has namespaces of its own (process, IPC, host name, mount, network) and a
read-only root. Mounting the host's root there saves building an image, and is kinder to the
container than an image would be: its files are warm in the page cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

# crun stops at a version 2 hierarchy that stands beside version 1, so it is hidden from it.
# The copy of the root leaves out what is mounted in it; the configuration adds what is needed.
ENTER = """
umount /sys/fs/cgroup/unified 2>/dev/null
mount --bind / "$1/root"
exec crun --cgroup-manager=disabled run --bundle "$1" "$2.$$"
"""


@contextlib.contextmanager
def container(command: Sequence[str]) -> Iterator[list[str]]:
    """A command line that runs ``command`` in a container."""
    directory = Path(tempfile.mkdtemp(prefix="bundle-"))
    name = f"bench-{uuid.uuid4().hex[:12]}"
    try:
        (directory / "root").mkdir()
        (directory / "config.json").write_text(json.dumps(_config(command, directory / "root")))
        yield ["unshare", "--mount", "sh", "-c", ENTER, "enter", str(directory), name]
    finally:
        _delete(name)
        shutil.rmtree(directory)


def missing() -> str:
    """Why no container can be run here; empty where one can."""
    if shutil.which("crun") is None:
        return "there is no crun"
    if os.geteuid() != 0:
        return "crun over the host's files needs root"
    with container(["/bin/true"]) as command:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    said = done.stderr.strip().splitlines() or ["no message"]
    return "" if done.returncode == 0 else f"crun fails here: {said[-1]}"


def _delete(name: str) -> None:
    """End and forget every run of this container, however its starter ended."""
    listed = subprocess.run(
        ["crun", "list", "--quiet"], check=False, capture_output=True, text=True
    )
    for run in listed.stdout.split():
        if run.startswith(name):
            subprocess.run(["crun", "delete", "--force", run], check=False, capture_output=True)


def _config(command: Sequence[str], root: Path) -> dict[str, object]:
    """The bundle's configuration, of the OCI runtime specification 1.0.2."""
    places = {sys.prefix, sys.base_prefix, str(Path.cwd())}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": list(command),
            "env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONTZPATH="],
            "cwd": str(Path.cwd()),
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},  # noqa: S108
            *(
                {"destination": place, "type": "bind", "source": place, "options": ["rbind", "ro"]}
                for place in sorted(places)
            ),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]
        },
    }
