"""``[[servers]]``: the tool servers that an agent runs by another backend than wasm."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge_agent.errors import ConfigError, ModuleUnavailable

#: What a server gets of the agent's environment unasked: where programs and the user's files are,
#: and how to write. The agent's token, and whatever else is there, is not among it.
PASSED: Final = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
)
_OWN_SECRETS: Final = "SANDERLING_"
_Word = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ServerLimits(_Table):
    """``limits``: of each process of a server, by the kernel (setrlimit). Absent: no limit.

    ``memory_mib`` bounds what it may write to (RLIMIT_DATA): address space that a runtime only
    reserves costs nothing, and runtimes reserve much. ``cpu_s`` counts over its whole life.
    """

    memory_mib: Annotated[int, Field(gt=0, le=1 << 20)] | None = None
    open_files: Annotated[int, Field(gt=0, le=1 << 20)] = 1024
    cpu_s: Annotated[int, Field(gt=0)] | None = None


class ServerTable(_Table):
    """One tool server.

    ``command`` makes it a process, ``url`` a remote one, ``image`` or ``rootfs`` a container (where
    ``command`` is what runs in it). Directories are absolute once the file was read. ``idle_s`` is
    how long it is kept without a call, ``start_s`` how long it may take to answer its first
    message. ``pass_env`` names variables of the agent that it gets beside :data:`PASSED`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    backend: Literal["process", "container", "remote"]
    command: list[_Word] = []
    env: dict[str, str] = Field(default={}, repr=False)
    pass_env: list[_Word] = []
    cwd: str = "/"
    url: str = ""
    bearer_env: str = ""
    bearer_file: str = ""
    image: str = ""
    rootfs: str = ""
    network: bool = False
    idle_s: Annotated[float, Field(ge=0, le=86_400, strict=False)] = 300.0
    start_s: Annotated[float, Field(gt=0, le=600, strict=False)] = 30.0
    limits: ServerLimits = ServerLimits()

    @model_validator(mode="before")
    @classmethod
    def _backend_by_its_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "backend" in data:
            return data
        if "url" in data:
            return {**data, "backend": "remote"}
        contained = "image" in data or "rootfs" in data
        return {**data, "backend": "container" if contained else "process"}

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError(f"{url!r} is no http or https URL")
        if parts.username or parts.password:
            raise ValueError("holds a password; name it by bearer_env or bearer_file instead")
        return url

    @model_validator(mode="after")
    def _whole(self) -> ServerTable:
        places = [key for key in ("url", "image", "rootfs") if getattr(self, key)]
        wanted = {
            "process": (not places and bool(self.command), "command, and no url, image or rootfs"),
            "remote": (places == ["url"] and not self.command, "url, and no command"),
            "container": (places in (["image"], ["rootfs"]), "either image or rootfs"),
        }
        fits, needs = wanted[self.backend]
        if not fits:
            raise ValueError(f"a {self.backend} server needs {needs}")
        if self.rootfs and not self.command:
            raise ValueError("a rootfs needs a command")
        if self.bearer_env and self.bearer_file:
            raise ValueError("give bearer_env or bearer_file, not both")
        own = [name for name in self.pass_env if name.startswith(_OWN_SECRETS)]
        if own:
            raise ValueError(f"pass_env: {own[0]} is the agent's own and not passed on")
        return self

    @property
    def digest(self) -> str:
        """What changes when anything of the configuration does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def environment(self, agents: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment that the server gets, of the agent's."""
        passed = {name: agents[name] for name in (*PASSED, *self.pass_env) if name in agents}
        return {**passed, **self.env}

    def bearer(self, agents: Mapping[str, str] = os.environ) -> str:
        """The secret that a remote server wants; "" where it wants none. Read anew each time.

        Raises:
            ModuleUnavailable: it is not where it should be.
        """
        if self.bearer_env:
            secret = agents.get(self.bearer_env, "").strip()
            place = f"the variable {self.bearer_env}"
        elif self.bearer_file:
            place = self.bearer_file
            try:
                secret = Path(place).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                secret = ""
        else:
            return ""
        if not secret or not secret.isprintable() or not secret.isascii():
            raise ModuleUnavailable(f"{self.name}: {place} holds no token; write it there")
        return secret


def check_servers(servers: Sequence[ServerTable]) -> tuple[ServerTable, ...]:
    """Refuse two servers of one name and backend.

    Raises:
        ConfigError: names the server.
    """
    seen: set[tuple[str, str]] = set()
    for server in servers:
        key = (server.name, server.backend)
        if key in seen:
            raise ConfigError(
                f"servers: two {server.backend} servers are called {server.name!r}; rename one"
            )
        seen.add(key)
    return tuple(servers)


def anchor(values: dict[str, Any], base: Path) -> None:
    """Make the relative paths of a file's ``[[servers]]`` absolute; wrong types are left alone."""
    servers = values.get("servers")
    for server in servers if isinstance(servers, list) else []:
        if not isinstance(server, dict):
            continue
        if isinstance(server.get("command"), list):
            server.setdefault("cwd", str(base))
        for key in ("cwd", "bearer_file", "rootfs"):
            if isinstance(server.get(key), str) and server[key]:
                server[key] = str(base / Path(server[key]).expanduser())
