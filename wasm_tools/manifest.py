"""manifest.json: which modules there are, how large, with which digest and tools."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ground.files import write_whole
from wasm_tools.errors import ManifestError, UnknownServerError

ROOT = Path(__file__).resolve().parent
MANIFEST = ROOT / "manifest.json"
DIST = ROOT / "dist"

_MEND = "run `python -m wasm_tools build`"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of ``dist``: its name, its size in bytes, its SHA-256 in hex."""

    file: str
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return DIST / self.file

    @classmethod
    def of(cls, path: Path) -> "Artifact":
        """Describe a file. Raises OSError when it can't be read."""
        data = path.read_bytes()
        return cls(path.name, len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class Server:
    """One tool server: its module, the names of its tools, and its component where built."""

    name: str
    version: str
    file: str
    size: int
    sha256: str
    tools: tuple[str, ...]
    component: Artifact | None = None

    @property
    def module(self) -> Artifact:
        """The core module."""
        return Artifact(self.file, self.size, self.sha256)

    def to_json(self) -> dict[str, Any]:
        """The entry of manifest.json."""
        entry: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "file": self.file,
            "size": self.size,
            "sha256": self.sha256,
            "tools": list(self.tools),
        }
        if self.component is not None:
            component = self.component
            entry["component"] = {
                "file": component.file,
                "size": component.size,
                "sha256": component.sha256,
            }
        return entry

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "Server":
        """Read an entry of manifest.json. Raises KeyError or TypeError on a wrong shape."""
        component = entry.get("component")
        return cls(
            name=entry["name"],
            version=entry["version"],
            file=entry["file"],
            size=entry["size"],
            sha256=entry["sha256"],
            tools=tuple(entry["tools"]),
            component=None if component is None else Artifact(**component),
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole file: the servers by name, and the toolchain that built them."""

    servers: tuple[Server, ...]
    toolchain: dict[str, str]

    def write(self, path: Path = MANIFEST) -> None:
        """Replace the file in one step, so that no reader meets half of it."""
        entries = [server.to_json() for server in sorted(self.servers, key=lambda s: s.name)]
        text = json.dumps({"toolchain": self.toolchain, "servers": entries}, indent=2) + "\n"
        write_whole(path, text.encode(), mode=0o644)


def load(path: Path = MANIFEST) -> Manifest:
    """Read manifest.json.

    Raises:
        ManifestError: the file is missing, no JSON, or of another shape.
    """
    try:
        written = json.loads(path.read_bytes())
        servers = tuple(Server.from_json(entry) for entry in written["servers"])
        return Manifest(servers, dict(written.get("toolchain", {})))
    except FileNotFoundError:
        raise ManifestError(f"{path} is missing: {_MEND}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"{path} is not a manifest ({error!r}): {_MEND}") from None


@cache
def _loaded() -> Manifest:
    return load()


def servers() -> tuple[Server, ...]:
    """Every built-in server, by name. Raises ManifestError."""
    return _loaded().servers


def server(name: str) -> Server:
    """The server of this name. Raises UnknownServerError, ManifestError."""
    for candidate in servers():
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in servers())
    raise UnknownServerError(f"there is no built-in server {name!r}; there are: {known}")


def module_path(name: str) -> Path:
    """Where the core module of a server lies. Raises UnknownServerError, ManifestError."""
    return server(name).module.path


def component_path(name: str) -> Path | None:
    """Where the component of a server lies, None where it has none."""
    component = server(name).component
    return None if component is None else component.path


def tools_path(name: str) -> Path:
    """Where the recorded answer of a module to ``tools/list`` lies."""
    return DIST / f"{name}.tools.json"


def tool_definitions(name: str) -> list[dict[str, Any]]:
    """The MCP definitions of a server's tools, as its module answers ``tools/list``.

    Read from a file beside the module, so that listing needs no Wasm engine.

    Raises:
        UnknownServerError: no such server.
        ManifestError: the file is missing or no list of tools.
    """
    path = tools_path(server(name).name)
    try:
        definitions = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} can't be read ({error}): {_MEND} {name}") from None
    if not isinstance(definitions, list):
        raise ManifestError(f"{path} is not a list of tools: {_MEND} {name}")
    return definitions
