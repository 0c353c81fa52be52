"""Debian in a directory: made once, and entered through a mount namespace of its own.

Such a directory lies in a cache outside the clone, under a name that tells what it is made
of. Whatever is mounted to work in it is gone with the process, however that ends.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from wasm_tools.errors import ToolchainError

# Files of the host that let programs inside reach a registry.
_SHARED_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs")


def cache_directory() -> Path:
    """SANDERLING_CACHE, else root's /var/cache/sanderling, else the user's cache directory."""
    if chosen := os.environ.get("SANDERLING_CACHE"):
        return Path(chosen).expanduser().resolve()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/cache/sanderling")
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sanderling"


def key(*made_of: str) -> str:
    """A name of 12 hexadecimal digits that changes with any of these texts."""
    return hashlib.sha256(" ".join(made_of).encode()).hexdigest()[:12]


def lacking(root: Path) -> str:
    """What stands in the way of making or entering `root` here; nothing: the empty text."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None:
        return "root on Linux with `unshare`"
    # A container's root may lack the right to mount.
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        return "the right to mount"
    if root.is_dir() or any(shutil.which(maker) for maker in ("mmdebstrap", "apt-get")):
        return ""
    return "mmdebstrap"


def make(root: Path, suite: str, packages: Sequence[str], options: Sequence[str]) -> Path:
    """Make `root` of these packages, unless it is there; return it.

    Args:
        root: the directory; it appears whole or not at all.
        suite: of Debian, such as "trixie".
        packages: what it holds, with all that they depend on.
        options: more arguments of mmdebstrap, such as the variant.

    Raises:
        ToolchainError: not root, or a package can't be had.
    """
    if root.is_dir():
        return root
    if missing := lacking(root):
        raise ToolchainError(f"making {root.name} needs {missing}")
    install("mmdebstrap")
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        included = f"--include={','.join(packages)}"
        # What mmdebstrap mounts meanwhile must not outlive it either.
        apart = ("unshare", "--mount", "--propagation", "private")
        quietly(
            [*apart, "mmdebstrap", "--quiet", *options, included, suite, str(partial)],
            f"making {root.name} of Debian's packages",
        )
        partial.chmod(0o755)
        settle(partial, root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root


def settle(partial: Path, whole: Path) -> None:
    """Give a finished directory its name, unless another process was faster."""
    try:
        partial.rename(whole)
    except OSError:
        if not whole.is_dir():
            raise


def enter(
    root: Path, binds: Mapping[str, Path], command: Sequence[str], directory: str = "/"
) -> list[str]:
    """The command line that runs `command` inside, with the host's way to its registries.

    Args:
        root: what :func:`make` made.
        binds: directories of the host by the path at which they are seen inside.
        command: runs in `directory` of the inside.
        directory: a path of the inside.
    """
    places = [part for inside, outside in binds.items() for part in (str(outside), inside)]
    script = _ENTER.format(binds=BIND_PAIRS, shared=" ".join(_SHARED_FILES))
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "enter"]
    return [*unshare, str(root), directory, *places, "--", *command]


#: Shell that binds pairs of an outer and an inner path, up to "--", beneath $root.
BIND_PAIRS = """\
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
shift"""
# $1 the root, $2 the directory, then the pairs; the rest is the command.
_ENTER = """
set -e
root=$1; directory=$2; shift 2
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
{binds}
mount --rbind /dev "$root/dev"
mount --bind /proc "$root/proc"
for file in {shared}; do
    if [ -d "$file" ]; then mkdir -p "$root$file"; elif [ -e "$file" ]; then touch "$root$file"; else continue; fi
    mount --bind "$file" "$root$file"
done
exec chroot "$root" sh -c 'cd "$0" && PATH=/usr/bin:/bin exec "$@"' "$directory" "$@"
"""


def install(program: str) -> None:
    """Install Debian's package of that name, unless the program is there."""
    if shutil.which(program) is None:
        quietly(["apt-get", "install", "--yes", "--quiet", program], f"installing {program}")


def quietly(command: Sequence[str], what: str) -> None:
    """Run a command without its output. Raises ToolchainError with the last line of it."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ToolchainError(f"{what} failed: {last}")
