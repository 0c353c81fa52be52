"""A root file system per instruction set: Debian's Python with what an agent imports.

Made without running anything in it. The agent itself is not part of it: this checkout is
bound into it, so that what is tried is what is being written.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.board_images import wheel
from edge_agent.board_images.locks import locked
from wasm_tools.building import debian
from wasm_tools.errors import ToolchainError

SITE: Final = "/opt/agent"
_SUITE: Final = "trixie"
_PYTHON: Final = "3.13"  # of that suite
_NEWEST_GLIBC: Final = 41  # 2.41, of that suite
_OPTIONS: Final = (
    "--variant=extract",
    # The release alone: mirrors of the two suites beside it may be in the middle of a change.
    "--setup-hook=sed -i '/-updates\\|-security/d' \"$1/etc/apt/sources.list\"",
)
_PACKAGES: Final = ("base-files", "ca-certificates", "libstdc++6", "python3", "tzdata")


@dataclass(frozen=True, slots=True)
class BoardImage:
    """The root file system of a board: its instruction set, as Debian calls it, and its packages.

    ``locked`` come from PyPI, ``packaged`` from Debian, where PyPI has no wheel. The engine is
    either among the former or built here.
    """

    isa: str
    architecture: str
    locked: tuple[str, ...]
    packaged: tuple[str, ...] = ()
    builds_engine: bool = False

    @property
    def root(self) -> Path:
        """Where its file system lies or would be made."""
        built = wheel.made_of() if self.builds_engine else ""
        made_of = (_SUITE, *_OPTIONS, *_PACKAGES, *self.packaged, locked(*self.locked), built)
        return debian.cache_directory() / f"board-{self.isa}-{debian.key(*made_of)}"


BOARD_IMAGES: Final = {
    image.isa: image
    for image in (
        BoardImage(
            isa="aarch64",
            architecture="arm64",
            locked=(
                "click",
                "grpcio",
                "h11",
                "protobuf",
                "psutil",
                "typing-extensions",
                "wasmtime",
            ),
        ),
        BoardImage(
            isa="riscv64",
            architecture="riscv64",
            locked=("click", "h11", "protobuf"),
            packaged=("python3-grpcio", "python3-psutil"),
            builds_engine=True,
        ),
    )
}


def ensure(image: BoardImage) -> Path:
    """Return the image's directory, made if it isn't there yet.

    Raises:
        ToolchainError: not root, or a package can't be had.
        BuildError: the engine could not be built.
    """
    root = image.root
    if root.is_dir():
        return root
    engine = [str(wheel.ensure())] if image.builds_engine else []
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}.", dir=root.parent) as place:
        partial = Path(place) / "root"
        options = (*_OPTIONS, f"--architectures={image.architecture}")
        debian.make(partial, _SUITE, (*_PACKAGES, *image.packaged), options)
        wanted = Path(place) / "requirements.txt"
        wanted.write_text(locked(*image.locked))
        _install(image, partial, ["--require-hashes", f"--requirement={wanted}"])
        if engine:
            _install(image, partial, engine)
        debian.settle(partial, root)
    return root


def _install(image: BoardImage, root: Path, wanted: Sequence[str]) -> None:
    """Let pip choose and unpack wheels as it would on the board itself."""
    tags = (f"manylinux_2_{minor}_{image.isa}" for minor in range(_NEWEST_GLIBC, 16, -1))
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-compile", "--only-binary=:all:", "--implementation=cp"),
        *(f"--python-version={_PYTHON}", f"--abi=cp{_PYTHON.replace('.', '')}"),
        *("--abi=abi3", "--abi=none", f"--target={root}{SITE}"),
        *(f"--platform={tag}" for tag in (*tags, f"manylinux2014_{image.isa}")),
    ]
    done = subprocess.run([*command, *wanted], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ToolchainError(f"packages for {image.isa} cannot be had: {last}")
