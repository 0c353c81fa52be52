"""Check the committed modules: against the manifest, against their own answers, against a rebuild."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wasm_tools.building.ask import list_tools
from wasm_tools.building.build import source_names, workspace_copy
from wasm_tools.building.toolchain import Choice, choose
from wasm_tools.errors import WasmToolsError
from wasm_tools.manifest import Artifact, Server, server, servers, tool_definitions, tools_path


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of one server found: nothing wrong when ``problems`` is empty."""

    server: str
    problems: tuple[str, ...]
    rebuilt: bool


def verify(
    names: Sequence[str] = (), *, rebuild: bool = False, toolchain: Choice = "auto"
) -> list[Finding]:
    """Check servers (none named: all).

    Size and SHA-256 of each file, and the recorded tools against the module's own answer;
    with ``rebuild`` also the bytes of a fresh build.

    Raises:
        UnknownServerError, ManifestError, ToolchainError, BuildError.
    """
    wanted = [server(name) for name in names] or list(servers())
    rebuilt = _rebuilt_digests(wanted, toolchain) if rebuild else {}
    findings = [
        Finding(entry.name, tuple(_problems(entry, rebuilt.get(entry.name))), entry.name in rebuilt)
        for entry in wanted
    ]
    if not names:
        listed = {entry.name for entry in wanted}
        findings += [
            Finding(name, ("has sources but no module: run `python -m wasm_tools build`",), False)
            for name in source_names()
            if name not in listed
        ]
    return findings


def _rebuilt_digests(wanted: Sequence[Server], toolchain: Choice) -> dict[str, dict[str, str]]:
    """The digests of fresh builds: server -> file -> SHA-256."""
    tools = choose(toolchain)
    digests: dict[str, dict[str, str]] = {}
    with workspace_copy() as workspace:
        for entry in wanted:
            built = {entry.file: tools.compile(workspace, entry.name)}
            if entry.component is not None:
                built[entry.component.file] = tools.component(workspace, entry.name)
            digests[entry.name] = {
                file: hashlib.sha256(data).hexdigest() for file, data in built.items()
            }
    return digests


def _problems(entry: Server, rebuilt: Mapping[str, str] | None) -> list[str]:
    if entry.component is None:
        return ["has no component: run `python -m wasm_tools build`"]
    artifacts = (entry.module, entry.component)
    problems: list[str] = []
    for artifact in artifacts:
        problems += _artifact_problems(artifact)
    if problems:
        return problems
    problems += _tools_problems(entry)
    for artifact in artifacts:
        found = rebuilt[artifact.file] if rebuilt is not None else artifact.sha256
        if found != artifact.sha256:
            problems.append(
                f"a rebuild of dist/{artifact.file} gives sha256 {found}, "
                f"the manifest says {artifact.sha256}"
            )
    return problems


def _artifact_problems(artifact: Artifact) -> list[str]:
    try:
        found = Artifact.of(artifact.path)
    except OSError as error:
        return [f"dist/{artifact.file} can't be read: {error.strerror}"]
    if found != artifact:
        return [
            f"dist/{artifact.file} is {found.size} bytes, {found.sha256}; manifest.json says {artifact.size}, {artifact.sha256}"
        ]
    return []


def _tools_problems(entry: Server) -> list[str]:
    try:
        answered = list_tools(entry.module.path)
        recorded = tool_definitions(entry.name)
    except WasmToolsError as error:
        return [str(error)]
    problems = []
    # As text, so that a change of order shows too: clients print what they get.
    if json.dumps(answered) != json.dumps(recorded):
        problems.append(
            f"dist/{tools_path(entry.name).name} is not what the module answers to tools/list"
        )
    if tuple(tool.get("name") for tool in answered) != entry.tools:
        problems.append("the tools in manifest.json are not those of the module")
    return problems
