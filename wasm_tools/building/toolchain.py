"""Rust toolchains for Wasm: the canonical one in a Debian chroot, and rustup's.

The committed modules are built by the canonical one, so that everyone who builds them
gets the same bytes. rustup's builds the same sources to slightly other bytes, which is
good enough for developing.
"""

import json
import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from wasm_tools.building import componentize, rust_chroot
from wasm_tools.building.cargo import cargo_environment, cargo_flags, registry_remaps, remaps, run
from wasm_tools.errors import ToolchainError

TARGET = "wasm32-wasip1"
Choice = Literal["auto", "debian", "rustup"]

# What wasm-opt may read and write: what rustc emits for the target, and the engine has.
_FEATURES = tuple(
    f"--enable-{feature}"
    for feature in (
        "bulk-memory",
        "multivalue",
        "mutable-globals",
        "nontrapping-float-to-int",
        "reference-types",
        "sign-ext",
        "simd",
    )
)


class Toolchain(Protocol):
    """Something that compiles one server of a workspace."""

    def describe(self) -> dict[str, str]:
        """What manifest.json records of it."""
        ...

    def compile(self, workspace: Path, server: str) -> bytes:
        """The module of one server. Raises BuildError."""
        ...

    def component(self, workspace: Path, server: str) -> bytes:
        """The component of one server, from the same sources. Raises BuildError."""
        ...


@dataclass(frozen=True, slots=True)
class Debian:
    """rustc of the pinned Debian release, in a chroot, always at the same paths."""

    root: Path

    def describe(self) -> dict[str, str]:
        """Release and package versions: they alone decide the bytes."""
        return {
            "target": TARGET,
            "distribution": rust_chroot.SUITE_NAME,
            **rust_chroot.versions(self.root),
        }

    def compile(self, workspace: Path, server: str) -> bytes:
        """Build in the chroot, whose paths are the same everywhere."""
        return self._build(rust_chroot.Workplace(self.root, workspace), workspace, server)

    def component(self, workspace: Path, server: str) -> bytes:
        """Build as a component, and wrap it by a program that is built in the chroot too."""
        place = rust_chroot.Workplace(self.root, workspace)
        core = workspace / f"{server}.core.wasm"
        core.write_bytes(self._build(place, workspace, server, *componentize.FEATURES))

        def build() -> Path:
            place.run([*componentize.BUILD, *cargo_flags()], {})
            return place.target / "release" / "componentize"

        # It is linked to the chroot's C library, so it runs there, in the place of the sources.
        kept = componentize.program(workspace, json.dumps(self.describe()), build)
        shutil.copy(kept, workspace / "wrap")
        place.run(["./wrap", core.name, "component.wasm"], {})
        return (workspace / "component.wasm").read_bytes()

    def _build(
        self, place: rust_chroot.Workplace, workspace: Path, server: str, *features: str
    ) -> bytes:
        # The names of the crates' directories are known once they are there.
        place.run(["cargo", "fetch", "--locked", "--target", TARGET, *cargo_flags()], {})
        flags = [
            "-Clinker=wasm-ld",
            *remaps({"/build/wasm_tools": "/src"}),
            *registry_remaps(place.cargo_home, Path("/build/cargo")),
        ]
        command = [*_cargo_build(workspace, server), *features]
        place.run(command, {"RUSTFLAGS": " ".join(flags)})
        inside = f"/build/target/{TARGET}/release/{server}.wasm"
        place.run(["wasm-opt", _effort(workspace, server), *_FEATURES, inside, "-o", inside], {})
        return _module(place.target, server)


@dataclass(frozen=True, slots=True)
class Rustup:
    """The toolchain that rustup has installed, with its Wasm target."""

    def describe(self) -> dict[str, str]:
        """The version of rustc."""
        version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
        return {"target": TARGET, "distribution": "rustup", "rustc": version.stdout.strip()}

    def compile(self, workspace: Path, server: str) -> bytes:
        """Build in a directory beside the copied sources."""
        return self._build(workspace, server)

    def component(self, workspace: Path, server: str) -> bytes:
        """Build as a component, and wrap it by a program that is built here too."""
        core, wrapped = workspace / f"{server}.core.wasm", workspace / "component.wasm"
        core.write_bytes(self._build(workspace, server, *componentize.FEATURES))
        environment = os.environ | cargo_environment()
        target = workspace.parent / "target"

        def build() -> Path:
            inside = environment | {"CARGO_TARGET_DIR": str(target)}
            run("cargo build", list(componentize.BUILD), cwd=workspace, environment=inside)
            return target / "release" / "componentize"

        kept = componentize.program(workspace, json.dumps(self.describe()), build)
        command = [str(kept), str(core), str(wrapped)]
        run("componentize", command, cwd=workspace, environment=environment)
        return wrapped.read_bytes()

    def _build(self, workspace: Path, server: str, *features: str) -> bytes:
        target = workspace.parent / "target"
        home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
        flags = [*remaps({str(workspace): "/src"}), *registry_remaps(home, home)]
        environment = cargo_environment() | {
            "CARGO_TARGET_DIR": str(target),
            "RUSTFLAGS": " ".join(flags),
        }
        run(
            "cargo build",
            [*_cargo_build(workspace, server), *features],
            cwd=workspace,
            environment=os.environ | environment,
        )
        return _module(target, server)


def choose(choice: Choice) -> Toolchain:
    """The toolchain to build with, made ready.

    ``auto`` takes the canonical one where it is or can be made (as root on Linux), else rustup's.

    Raises:
        ToolchainError: there is none, with what to install.
    """
    if choice == "rustup" or (choice == "auto" and not rust_chroot.possible()):
        if _rustup_has_target():
            return Rustup()
        raise ToolchainError(
            f"no Rust toolchain for {TARGET}: run `rustup target add {TARGET}`, "
            "or build as root on Linux, which makes a Debian chroot"
        )
    return Debian(rust_chroot.ensure())


def _rustup_has_target() -> bool:
    if shutil.which("rustc") is None or shutil.which("cargo") is None:
        return False
    found = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", TARGET],
        check=False,
        capture_output=True,
        text=True,
    )
    return found.returncode == 0 and Path(found.stdout.strip()).is_dir()


def _cargo_build(workspace: Path, server: str) -> list[str]:
    # One server at a time: building several together would unify the features of what
    # they depend on, and so change the bytes of each.
    return [
        "cargo",
        "build",
        "--locked",
        "--release",
        "--target",
        TARGET,
        "-p",
        server,
        *_profile(workspace, server),
        *cargo_flags(),
    ]


def _profile(workspace: Path, server: str) -> list[str]:
    """Flags for what a server's Cargo.toml wants other than the workspace's profile."""
    level = _opt_level(workspace, server)
    return [] if level is None else ["--config", f"profile.release.opt-level={json.dumps(level)}"]


def _effort(workspace: Path, server: str) -> str:
    """How wasm-opt weighs speed against size: as rustc did."""
    return "-Os" if _opt_level(workspace, server) is None else "-O3"


def _opt_level(workspace: Path, server: str) -> int | str | None:
    """``[package.metadata.wasm-tools] opt-level``, of servers whose work is worth the bytes.

    cargo itself takes profiles from the workspace alone.
    """
    manifest = tomllib.loads((workspace / "servers" / server / "Cargo.toml").read_text())
    wanted = manifest["package"].get("metadata", {}).get("wasm-tools", {})
    level: int | str | None = wanted.get("opt-level")
    return level


def _module(target: Path, server: str) -> bytes:
    return (target / TARGET / "release" / f"{server}.wasm").read_bytes()
