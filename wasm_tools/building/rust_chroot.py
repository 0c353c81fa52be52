"""The canonical toolchain: Debian's Rust in a chroot, the same paths on every machine."""

import subprocess
from pathlib import Path

from wasm_tools.building import debian
from wasm_tools.building.cargo import cargo_environment, run
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


def directory() -> Path:
    """Where the chroot lies or would be made; its name changes with what it is made of."""
    return debian.cache_directory() / f"rust-{SUITE}-{debian.key(SUITE, *PACKAGES)}"


def possible() -> bool:
    """Whether a chroot can be entered here, and is there or can be made."""
    return not debian.lacking(directory())


def ensure() -> Path:
    """The chroot, made if it isn't there yet (about half a minute).

    Raises:
        ToolchainError: not root, or Debian's packages can't be had.
    """
    try:
        return debian.make(directory(), SUITE, PACKAGES, ["--variant=minbase"])
    except ToolchainError as error:
        raise ToolchainError(f"{error}; or build with --toolchain rustup instead") from None


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
        self.cargo_home = debian.cache_directory() / "cargo"
        for path in (self.target, self.cargo_home):
            path.mkdir(parents=True, exist_ok=True)

    def run(self, command: list[str], environment: dict[str, str]) -> None:
        """Run a command in /build/wasm_tools of the chroot. Raises BuildError."""
        inside = cargo_environment() | environment
        inside |= {"PATH": "/usr/bin:/bin", "HOME": "/build", "LC_ALL": "C.UTF-8"}
        inside |= {"CARGO_HOME": "/build/cargo", "CARGO_TARGET_DIR": "/build/target"}
        binds = {
            "/build/wasm_tools": self._workspace,
            "/build/cargo": self.cargo_home,
            "/build/target": self.target,
        }
        enter = debian.enter(self._root, binds, command, "/build/wasm_tools")
        run(" ".join(command[:2]), enter, cwd=Path("/"), environment=inside)
