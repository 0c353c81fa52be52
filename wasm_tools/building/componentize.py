"""Components: the native program that wraps a core module as one, built once and kept."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from wasm_tools.building.debian import cache_directory

SOURCES = "componentize"
# Built into a component instead of what only an edge agent offers.
FEATURES = ("--features", "wasmmcp/component")
BUILD = ("cargo", "build", "--locked", "--release", "--manifest-path", f"{SOURCES}/Cargo.toml")


def program(workspace: Path, toolchain: str, build: Callable[[], Path]) -> Path:
    """The program, from the cache or built by ``build``, which says where it left it.

    It is kept by the digest of its sources and by what ``toolchain`` says of itself.
    """
    kept = cache_directory() / f"componentize-{_key(workspace, toolchain)}"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        built = build()
        # Beside its place and then renamed: two builds at once may both have made it.
        with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
            Path(shutil.copy(built, directory)).replace(kept)
    return kept


def _key(workspace: Path, toolchain: str) -> str:
    digest = hashlib.sha256(toolchain.encode())
    for file in sorted((workspace / SOURCES).rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
