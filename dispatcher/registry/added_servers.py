"""Tool servers that an operator added: kept in the state directory, known again after a restart.

    STATE/tools/NAME.json        what the server is: {"name", "version", "sha256", "size", "tools"}
    STATE/tools/SHA256.wasm      its module

A module is looked at before it comes here (``edge-agent inspect``, in a process of its own);
nothing in this process runs or parses it.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dispatcher.errors import ConfigError, RequestError
from dispatcher.registry.artifacts import Artifact
from dispatcher.registry.foreign import sound
from dispatcher.registry.tools import ServerEntry
from ground.files import write_whole
from protos.contract import LARGEST_MODULE_BYTES

SERVER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DIRECTORY: Final = "tools"
log = logging.getLogger("sanderling.registry")


@dataclass(frozen=True, slots=True)
class Upload:
    """A tool server that is to be added. ``tools`` are its MCP tool objects."""

    name: str
    version: str
    wasm: bytes
    tools: list[dict[str, Any]]

    @property
    def sha256(self) -> str:
        """The digest of the module."""
        return hashlib.sha256(self.wasm).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The body of ``POST /api/tools/add``."""
        return {
            "name": self.name,
            "version": self.version,
            "sha256": self.sha256,
            "module": base64.b64encode(self.wasm).decode(),
            "tools": self.tools,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Upload:
        """Read such a body.

        Raises:
            RequestError: names the field that is wrong.
        """
        try:
            wasm = base64.b64decode(body.get("module", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise RequestError("module: must be base64") from None
        try:
            told = sound([body.get("name", ""), body.get("version", ""), body.get("tools") or []])
        except ValueError:
            raise RequestError("tools: nest too deep") from None
        name, version, tools = told
        upload = cls(str(name), str(version), wasm, tools)
        if body.get("sha256") != upload.sha256:
            raise RequestError("module: its bytes do not have the digest that was given")
        check(upload)
        return upload


def check(upload: Upload) -> None:
    """Refuse what could not be registered.

    Raises:
        RequestError: names what is wrong and the mend.
    """
    if not SERVER_NAME.fullmatch(upload.name):
        raise RequestError(
            f"name {upload.name!r}: write a-z, 0-9, '_' and '-', 63 at most; give one with --name"
        )
    if not upload.wasm or len(upload.wasm) > LARGEST_MODULE_BYTES:
        raise RequestError(f"module: must be 1 to {LARGEST_MODULE_BYTES} bytes")
    well_formed = isinstance(upload.tools, list) and all(
        isinstance(tool, dict) and isinstance(tool.get("name"), str) for tool in upload.tools
    )
    if not well_formed or not upload.tools:
        raise RequestError("tools: must be MCP tool objects, each with a name")


class AddedServers:
    """The added servers of a state directory."""

    def __init__(self, state: Path) -> None:
        self._directory = state / _DIRECTORY

    def servers(self) -> list[ServerEntry]:
        """All that are there; one whose files cannot be read is left out, with a warning."""
        found = []
        for file in sorted(self._directory.glob("*.json")):
            try:
                found.append(self._read(file))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("added tools: %s is left out: %s", file.name, error)
        return found

    def names(self) -> set[str]:
        """The names of all that are there, readable or not."""
        return {file.stem for file in self._directory.glob("*.json")}

    def stamp(self) -> dict[str, int]:
        """What tells whether something changed: when each was written, in ns, by its name."""
        found = {}
        for file in self._directory.glob("*.json"):
            with suppress(OSError):
                found[file.stem] = file.stat().st_mtime_ns
        return found

    def add(self, upload: Upload) -> ServerEntry:
        """Keep a server; one of the same name is replaced.

        Raises:
            ConfigError: the directory cannot be written.
        """
        entry = {
            "name": upload.name,
            "version": upload.version,
            "sha256": upload.sha256,
            "size": len(upload.wasm),
            "tools": upload.tools,
        }
        file = self._directory / f"{upload.name}.json"
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._alone():
                write_whole(self._directory / f"{upload.sha256}.wasm", upload.wasm, durable=True)
                text = json.dumps(entry, ensure_ascii=False, indent=1)
                write_whole(file, text.encode(), durable=True)
                self._sweep()
                return self._read(file)
        except OSError as error:
            raise ConfigError(
                f"{self._directory}: {error.strerror}; name another --state"
            ) from None

    def remove(self, name: str) -> bool:
        """Forget a server; return whether it was there.

        Raises:
            ConfigError: the directory cannot be written.
        """
        if not SERVER_NAME.fullmatch(name):
            return False
        try:
            with self._alone():
                (self._directory / f"{name}.json").unlink()
                self._sweep()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(
                f"{self._directory}: {error.strerror}; name another --state"
            ) from None
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from sweeping meanwhile: commands write here as well."""
        lock = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self, file: Path) -> ServerEntry:
        entry = json.loads(file.read_bytes())
        module = self._directory / f"{entry['sha256']}.wasm"
        size = module.stat().st_size
        if size != entry["size"] or not re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]):
            raise ValueError("its module is not the one that was added; add it again")
        if not isinstance(entry["tools"], list) or not SERVER_NAME.fullmatch(entry["name"]):
            raise ValueError("its name or its tools are none; add it again")
        return ServerEntry(
            name=entry["name"],
            version=entry["version"],
            artifact=Artifact(entry["sha256"], module, size),
            definitions=entry["tools"],
        )

    def _sweep(self) -> None:
        """Delete modules that no server has any more."""
        needed = set()
        for file in self._directory.glob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                needed.add(json.loads(file.read_bytes())["sha256"])
        for module in self._directory.glob("*.wasm"):
            if module.stem not in needed:
                module.unlink(missing_ok=True)
