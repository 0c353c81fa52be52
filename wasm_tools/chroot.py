"""The canonical toolchain: Debian's Rust in a chroot, the same paths on every machine.

The chroot lies in a cache outside the clone, in a directory named after what it is made
of. Builds enter it through a private mount namespace, so no mount outlives a build,
however that ends.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from wasm_tools.cargo import cargo_environment, run
from wasm_tools.errors import ToolchainError

SUITE = "trixie"
SUITE_NAME = "Debian 13 (trixie)"
PACKAGES = (
    "binaryen",
    "ca-certificates",
    "cargo",
    "gcc",
    "libc6-dev",
    "libstd-rust-dev-wasm32",
    "lld",
    "rustc",
)

# The packages whose versions decide the bytes of a module.
_RECORDED = {
    "rustc": "rustc",
    "libstd": "libstd-rust-dev-wasm32",
    "lld": "lld-19",
    "binaryen": "binaryen",
}

# Files of the host that let cargo reach its registry from inside.
_SHARED_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs")


def cache_directory() -> Path:
    """SANDERLING_CACHE, else root's /var/cache/sanderling, else the user's cache directory."""
    if chosen := os.environ.get("SANDERLING_CACHE"):
        return Path(chosen).expanduser().resolve()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/cache/sanderling")
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sanderling"


def directory() -> Path:
    """Where the chroot lies or would be made; its name changes with what it is made of."""
    made_of = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    return cache_directory() / f"rust-{SUITE}-{made_of}"


def possible() -> bool:
    """Whether a chroot can be entered here, and is there or can be made."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    # A container's root may lack the right to mount.
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        return False
    makers = ("mmdebstrap", "apt-get")
    return directory().is_dir() or any(shutil.which(maker) for maker in makers)


def ensure() -> Path:
    """The chroot, made if it isn't there yet (about half a minute).

    Raises:
        ToolchainError: not root, or Debian's packages can't be had.
    """
    root = directory()
    if root.is_dir():
        return root
    if not possible():
        raise ToolchainError(
            "the Debian chroot needs root on Linux with `unshare` and apt: "
            "build with --toolchain rustup instead"
        )
    if shutil.which("mmdebstrap") is None:
        _install("mmdebstrap")
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        _quietly(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(PACKAGES)}",
                SUITE,
                str(partial),
            ],
            "making the Debian chroot",
        )
        partial.chmod(0o755)
        partial.rename(root)
    finally:
        if partial.exists():
            shutil.rmtree(partial, ignore_errors=True)
    return root


def versions(root: Path) -> dict[str, str]:
    """The versions of the packages that decide a module's bytes."""
    found = {}
    for name, package in _RECORDED.items():
        query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f=${Version}", package]
        done = subprocess.run(query, check=False, capture_output=True, text=True)
        found[name] = done.stdout.strip() or "unknown"
    return found


class Workplace:
    """What a build sees inside the chroot, at fixed paths.

    ``/build/wasm_tools`` holds a copy of the sources, ``/build/cargo`` the crates (kept in
    the cache), ``/build/target`` what is built.
    """

    def __init__(self, root: Path, workspace: Path) -> None:
        self._root = root
        self._workspace = workspace
        self.target = workspace.parent / "target"
        self.cargo_home = cache_directory() / "cargo"
        for path in (self.target, self.cargo_home):
            path.mkdir(parents=True, exist_ok=True)

    def run(self, command: list[str], environment: dict[str, str]) -> None:
        """Run a command in /build/wasm_tools of the chroot. Raises BuildError."""
        inside = cargo_environment() | environment
        inside |= {"PATH": "/usr/bin:/bin", "HOME": "/build", "LC_ALL": "C.UTF-8"}
        inside |= {"CARGO_HOME": "/build/cargo", "CARGO_TARGET_DIR": "/build/target"}
        script = _ENTER.format(shared=" ".join(_SHARED_FILES))
        places = [str(path) for path in (self._root, self._workspace, self.cargo_home, self.target)]
        enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "enter"]
        run(" ".join(command[:2]), [*enter, *places, *command], cwd=Path("/"), environment=inside)


# $1 the chroot, $2 the sources, $3 cargo's home, $4 the target; the rest is the command.
_ENTER = """
set -e
root=$1; sources=$2; cargo=$3; target=$4; shift 4
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$root/build/wasm_tools" "$root/build/cargo" "$root/build/target"
mount --bind "$sources" "$root/build/wasm_tools"
mount --bind "$cargo" "$root/build/cargo"
mount --bind "$target" "$root/build/target"
mount --rbind /dev "$root/dev"
mount --bind /proc "$root/proc"
for file in {shared}; do
    if [ -d "$file" ]; then mkdir -p "$root$file"; elif [ -e "$file" ]; then touch "$root$file"; else continue; fi
    mount --bind "$file" "$root$file"
done
exec chroot "$root" sh -c 'cd /build/wasm_tools && PATH=/usr/bin:/bin exec "$@"' run "$@"
"""


def _install(package: str) -> None:
    _quietly(["apt-get", "install", "--yes", "--quiet", package], f"installing {package}")


def _quietly(command: list[str], what: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ToolchainError(f"{what} failed: {last}; or build with --toolchain rustup")
