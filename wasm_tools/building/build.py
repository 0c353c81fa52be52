"""Build the modules from the Rust workspace of this package."""

import json
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ground.files import write_whole
from wasm_tools.building.ask import list_tools
from wasm_tools.building.toolchain import Choice, Toolchain, choose
from wasm_tools.errors import ManifestError, UnknownServerError
from wasm_tools.manifest import (
    DIST,
    MANIFEST,
    ROOT,
    Artifact,
    Manifest,
    Server,
    load,
    tools_path,
)

_SOURCES = ("Cargo.toml", "Cargo.lock", "componentize", "sdk", "python-values", "servers")


def source_names() -> list[str]:
    """The servers that have sources: the crates under ``servers`` that the workspace takes in."""
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    excluded = {ROOT / path for path in workspace.get("exclude", [])}
    crates = (ROOT / "servers").glob("*/Cargo.toml")
    return sorted(crate.parent.name for crate in crates if crate.parent not in excluded)


def build(names: Sequence[str] = (), toolchain: Choice = "auto") -> list[Server]:
    """Build servers (none named: all) into ``dist``, with their tool lists, and record them.

    Raises:
        UnknownServerError: no sources of that name.
        ToolchainError, BuildError: see ``wasm_tools.building.toolchain``.
        AnswerError: a module does not answer ``tools/list``.
    """
    wanted = _checked(names)
    tools = choose(toolchain)
    DIST.mkdir(exist_ok=True)
    with workspace_copy() as workspace:
        built = [_build_one(name, tools, workspace) for name in wanted]
    _record(built, tools)
    return built


def _checked(names: Sequence[str]) -> list[str]:
    known = source_names()
    for name in names:
        if name not in known:
            raise UnknownServerError(
                f"there are no sources of a server {name!r}; there are: {', '.join(known)}"
            )
    return list(names) or known


@contextmanager
def workspace_copy() -> Iterator[Path]:
    """A copy of the sources in a directory of its own, which goes away with the build."""
    with tempfile.TemporaryDirectory(prefix="sanderling-build-") as directory:
        workspace = Path(directory) / "wasm_tools"
        workspace.mkdir()
        for name in _SOURCES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, workspace / name, ignore=shutil.ignore_patterns("target"))
            elif source.is_file():
                shutil.copy(source, workspace / name)
        yield workspace


def _build_one(name: str, toolchain: Toolchain, workspace: Path) -> Server:
    module = DIST / f"{name}.wasm"
    write_whole(module, toolchain.compile(workspace, name), mode=0o644)
    definitions = list_tools(module)
    text = json.dumps(definitions, indent=2, ensure_ascii=False) + "\n"
    write_whole(tools_path(name), text.encode(), mode=0o644)
    component = DIST / f"{name}.component.wasm"
    write_whole(component, toolchain.component(workspace, name), mode=0o644)
    artifact = Artifact.of(module)
    return Server(
        name=name,
        version=_version(name),
        file=artifact.file,
        size=artifact.size,
        sha256=artifact.sha256,
        tools=tuple(definition["name"] for definition in definitions),
        component=Artifact.of(component),
    )


def _version(name: str) -> str:
    manifest = tomllib.loads((ROOT / "servers" / name / "Cargo.toml").read_text())
    return str(manifest["package"]["version"])


def _record(built: list[Server], toolchain: Toolchain) -> None:
    try:
        known = load().servers
    except ManifestError:
        if MANIFEST.exists():
            raise
        known = ()
    names = {server.name for server in built} | (set(_missing(known)))
    kept = tuple(server for server in known if server.name not in names)
    Manifest((*kept, *built), toolchain.describe()).write()


def _missing(known: tuple[Server, ...]) -> list[str]:
    """Servers of the manifest whose sources are gone."""
    sources = source_names()
    return [server.name for server in known if server.name not in sources]
