"""Cross-builds Wasmtime's C library for riscv64, which nobody publishes.

In a chroot of Debian's unstable suite, the only one whose Rust is new enough. The crates are
pinned by Cargo.lock; the toolchain is what the suite has on the day.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasm_tools.building import debian
from wasm_tools.building.cargo import cargo_environment, cargo_flags, run
from wasm_tools.errors import BuildError

CRATE: Final = Path(__file__).parent / "libwasmtime"
TARGET: Final = "riscv64gc-unknown-linux-gnu"
_SOURCES: Final = ("Cargo.lock", "Cargo.toml", "lib.rs")
_SUITE: Final = "sid"
_PACKAGES: Final = (
    "ca-certificates",
    "cargo",
    "cmake",  # with which the C API writes its headers
    "gcc",
    "gcc-riscv64-linux-gnu",
    "libc6-dev",
    "libc6-dev-riscv64-cross",
    "rustc",
)
# Rust's standard library for riscv64 cannot be installed beside the other one, for both want
# the same libraries of LLVM. Its files are all that a build needs.
_STANDARD_LIBRARY: Final = (
    'cd "$1/var/tmp" && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" '
    "&& apt-get --quiet --quiet download libstd-rust-dev:riscv64 "
    '&& dpkg --extract libstd-rust-dev_*_riscv64.deb "$1" && rm libstd-rust-dev_*'
)
_OPTIONS: Final = (
    "--variant=minbase",
    "--architectures=amd64,riscv64",
    # The suite's index may be older than it says it stays valid, when a mirror lags.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    f"--customize-hook={_STANDARD_LIBRARY}",
)
# What every Linux has for riscv64; anything else would have to travel in the wheel.
_ALLOWED: Final = {"ld-linux-riscv64-lp64d.so.1", "libc.so.6", "libgcc_s.so.1", "libm.so.6"}
_LICENCES: Final = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|UNLICENSE)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Library:
    """``file`` with the functions that it exports, and what a wheel must say of it.

    ``glibc`` is the least version that it runs on; ``licences`` are the texts of the crates
    that it is made of.
    """

    file: Path
    symbols: frozenset[str]
    glibc: tuple[int, int]
    licences: str


def chroot() -> Path:
    """Where the toolchain lies or would be made."""
    return debian.cache_directory() / f"rust-{_SUITE}-{debian.key(_SUITE, *_PACKAGES, *_OPTIONS)}"


def made_of() -> str:
    """A name for all that decides what the library is, but the versions of the toolchain."""
    sources = [hashlib.sha256((CRATE / name).read_bytes()).hexdigest() for name in _SOURCES]
    return debian.key(*sources, _SUITE, *_PACKAGES)


def build(directory: Path) -> Library:
    """Build the library: about a quarter of an hour on two cores.

    What is left in ``directory`` by a build that was cut short is made use of.

    Raises:
        ToolchainError: no chroot can be made here.
        BuildError: the build failed, or its result would not run on a board.
    """
    place = _Place(debian.make(chroot(), _SUITE, _PACKAGES, _OPTIONS), directory)
    for name in _SOURCES:
        shutil.copy(CRATE / name, place.crate)
    place.run("cargo", "build", "--release", "--locked", "--target", TARGET, *cargo_flags())
    return _examine(place)


class _Place:
    """What a build sees inside the chroot, at fixed paths, and the chroot's programs."""

    def __init__(self, root: Path, directory: Path) -> None:
        self._root = root
        self.crate, self.target = directory / "crate", directory / "target"
        self.cargo_home = debian.cache_directory() / "cargo"
        for path in (self.crate, self.target, self.cargo_home):
            path.mkdir(parents=True, exist_ok=True)

    def run(self, *command: str) -> None:
        """Run a step of the build. Raises BuildError."""
        what = " ".join(command[:2])
        run(what, self._enter(command), cwd=Path("/"), environment=self._environment())

    def ask(self, *command: str) -> str:
        """Return what a program prints. Raises BuildError."""
        done = subprocess.run(
            self._enter(command),
            check=False,
            capture_output=True,
            text=True,
            env=self._environment(),
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise BuildError(f"{command[0]} failed: {last}")
        return done.stdout

    def _enter(self, command: tuple[str, ...]) -> list[str]:
        binds = {
            "/build/crate": self.crate,
            "/build/cargo": self.cargo_home,
            "/build/target": self.target,
        }
        return debian.enter(self._root, binds, command, "/build/crate")

    def _environment(self) -> dict[str, str]:
        linker = f"CARGO_TARGET_{TARGET.upper().replace('-', '_')}_LINKER"
        return cargo_environment() | {
            "PATH": "/usr/bin:/bin",
            "HOME": "/build",
            "LC_ALL": "C.UTF-8",
            "CARGO_HOME": "/build/cargo",
            "CARGO_TARGET_DIR": "/build/target",
            linker: "riscv64-linux-gnu-gcc",
        }


def _examine(place: _Place) -> Library:
    inside = f"/build/target/{TARGET}/release/libwasmtime_library.so"
    tools = "riscv64-linux-gnu-"
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", place.ask(f"{tools}readelf", "-d", inside)))
    if foreign := needed - _ALLOWED:
        raise BuildError(f"libwasmtime needs {', '.join(sorted(foreign))}: link it statically")
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", place.ask(f"{tools}readelf", "-V", inside))
    exported = place.ask(f"{tools}nm", "-D", "--defined-only", inside)
    return Library(
        file=place.target / TARGET / "release" / "libwasmtime_library.so",
        symbols=frozenset(line.split()[-1] for line in exported.splitlines() if line.strip()),
        glibc=max((int(major), int(minor)) for major, minor in versions),
        licences=_licences(place),
    )


def _licences(place: _Place) -> str:
    """Return the licence texts of every crate in the library, each text once."""
    tree = place.ask(
        *("cargo", "tree", "--locked", "--target", TARGET, "--edges", "normal", *cargo_flags()),
        *("--prefix", "none", "--format", "{p} {l}"),
    )
    owners: dict[str, set[str]] = {}
    for line in re.sub(r" \((\*|proc-macro)\)", "", tree).splitlines():
        name, version, *licence = line.split()
        for source in place.cargo_home.glob(f"registry/src/*/{name}-{version[1:]}"):
            for file in sorted(source.iterdir()):
                if file.is_file() and _LICENCES.match(file.name):
                    text = file.read_text(errors="replace").strip()
                    owners.setdefault(text, set()).add(f"{name} {version} ({' '.join(licence)})")
    parts = ("\n".join((*sorted(names), "", text)) for text, names in owners.items())
    return f"\n\n{'-' * 80}\n\n".join(sorted(parts))
