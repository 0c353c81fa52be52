"""``[[servers]]``: the tool servers that an agent runs by another backend than wasm."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from edge_agent.backends.headers import check_headers, check_names, read_headers
from edge_agent.errors import ConfigError, ModuleUnavailable
from edge_agent.tables import matching, not_empty, within
from ground.addresses import is_loopback

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
_PATHS: Final = ("cwd", "bearer_file", "headers_file", "client_secret_file", "rootfs")
_AUTHORIZED: Final = "authorization"
_OWN_SECRETS: Final = "SANDERLING_"
_Word = Annotated[str, not_empty]
_Name = Annotated[
    str, matching("[a-z0-9][a-z0-9_-]{0,62}", "write 1 to 63 of a-z, 0-9, '_' and '-'")
]
_MANY: Final = 1 << 20
#: Calls of a server that run at once, where it does not say: by backend.
SLOTS: Final[Mapping[str, int]] = {"process": 16, "container": 16, "remote": 64}


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError(f"{url!r} is no http or https URL")
    if parts.username or parts.password:
        raise ValueError("holds a password; name it by bearer_env or bearer_file instead")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """``limits``: of each process of a server, by the kernel (setrlimit). Absent: no limit.

    ``memory_mib`` bounds what it may write to (RLIMIT_DATA): address space that a runtime only
    reserves costs nothing, and runtimes reserve much. ``cpu_s`` counts over its whole life.
    """

    memory_mib: Annotated[int, within(1, _MANY)] | None = None
    open_files: Annotated[int, within(1, _MANY)] = 1024
    cpu_s: Annotated[int, within(1)] | None = None


@dataclass(frozen=True, slots=True)
class OAuthTable:
    """``oauth``: how a remote server's tokens are had (RFC 6749, 8414, 8628, 8707, 9728).

    With ``client_secret_env`` or ``client_secret_file`` the agent asks for them by itself ("client
    credentials"); else it uses what ``edge-agent login`` left. What is not named here the server
    tells.
    """

    client_id: str = ""
    client_secret_env: str = ""
    client_secret_file: str = ""
    scope: str = ""
    token_url: Annotated[str, _check_url] = ""
    device_url: Annotated[str, _check_url] = ""
    issuer: Annotated[str, _check_url] = ""
    resource: Annotated[str, _check_url] = ""

    def __post_init__(self) -> None:
        """Check the keys together.

        Raises:
            ValueError: they do not fit.
        """
        if self.client_secret_env and self.client_secret_file:
            raise ValueError("give client_secret_env or client_secret_file, not both")
        if self.by_itself and not self.client_id:
            raise ValueError("a client secret needs a client_id")
        for url in (self.token_url, self.device_url, self.issuer):
            check_safe(url)

    @property
    def by_itself(self) -> bool:
        """Whether tokens are had without a person."""
        return bool(self.client_secret_env or self.client_secret_file)

    def secret(self, agents: Mapping[str, str] = os.environ) -> str:
        """The client's secret, read anew each time; "" where there is none to be found."""
        return secret_at(self.client_secret_env, self.client_secret_file, agents)


def check_safe(url: str) -> None:
    """Refuse a URL by which secrets would travel in the open.

    Raises:
        ValueError: it is http, and leaves this machine.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{url!r} must be https, since secrets are sent there")


def secret_at(variable: str, file: str, agents: Mapping[str, str] = os.environ) -> str:
    """A secret of the environment or a file; "" where it is not, or is no plain text."""
    secret = agents.get(variable, "") if variable else ""
    if file:
        try:
            secret = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            secret = ""
    secret = secret.strip()
    return secret if secret.isprintable() and secret.isascii() else ""


@dataclass(frozen=True, slots=True)
class ServerTable:
    """One tool server.

    ``command`` makes it a process, ``url`` a remote one, ``image`` or ``rootfs`` a container (where
    ``command`` is what runs in it). Directories are absolute once the file was read. ``idle_s`` is
    how long it is kept without a call, ``start_s`` how long it may take to answer its first
    message. ``headers`` are sent to a remote one with every request, as are those of ``headers_env``
    (their values are in the agent's variables) and of ``headers_file``. ``pass_env`` names variables
    of the agent that it gets beside :data:`PASSED`. ``asks``
    is what it may ask of the MCP client. ``state`` "session" gives each MCP session a server of its
    own, "shared" never does; without either, those sessions get one that can be asked, once the
    server has asked. ``slots`` are its calls that run at once (:data:`SLOTS`). ``catalogue_kib`` and
    ``catalogue_pages`` bound what is taken of its lists. ``validate`` is who
    checks arguments against its tools' schemas; absent: the server.
    """

    name: _Name
    backend: Literal["process", "container", "remote"]
    command: list[_Word] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict, repr=False)
    pass_env: list[_Word] = field(default_factory=list)
    cwd: str = "/"
    url: Annotated[str, _check_url] = ""
    bearer_env: str = ""
    bearer_file: str = ""
    headers: Annotated[dict[str, str], check_headers] = field(default_factory=dict, repr=False)
    headers_env: Annotated[dict[str, _Word], check_names] = field(default_factory=dict)
    headers_file: str = ""
    oauth: OAuthTable | None = None
    image: str = ""
    rootfs: str = ""
    network: bool = False
    idle_s: Annotated[float, within(0, 86_400)] = 300.0
    start_s: Annotated[float, within(0.001, 600)] = 30.0
    asks: list[Literal["sampling", "elicitation", "roots"]] = field(
        default_factory=lambda: ["sampling", "elicitation", "roots"]
    )
    state: Literal["", "session", "shared"] = ""
    slots: Annotated[int, within(1, 256)] | None = None
    catalogue_kib: Annotated[int, within(1, 16_384)] = 4096
    catalogue_pages: Annotated[int, within(1, 100_000)] = 1000
    validate: Literal["", "strict", "coerce", "server"] = ""
    limits: ServerLimits = field(default_factory=ServerLimits)

    @staticmethod
    def prepare(data: Any) -> Any:
        """Tell the backend from the keys, where it is not named."""
        if not isinstance(data, Mapping) or "backend" in data:
            return data
        if "url" in data:
            return {**data, "backend": "remote"}
        contained = "image" in data or "rootfs" in data
        return {**data, "backend": "container" if contained else "process"}

    def __post_init__(self) -> None:
        """Check the keys together.

        Raises:
            ValueError: they do not fit.
        """
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
        if self.backend != "remote" and (self.headers or self.headers_env or self.headers_file):
            raise ValueError("headers are for remote servers; give others env")
        ways = [self.bearer_env, self.bearer_file, self.oauth]
        named = [name for name in (*self.headers, *self.headers_env) if name.lower() == _AUTHORIZED]
        if sum(1 for way in (*ways, *named) if way) > 1:
            raise ValueError(
                "give one of bearer_env, bearer_file, oauth and a header Authorization"
            )
        if self.oauth is not None:
            check_safe(self.url)
        own = [name for name in self.pass_env if name.startswith(_OWN_SECRETS)]
        if own:
            raise ValueError(f"pass_env: {own[0]} is the agent's own and not passed on")

    @property
    def calls_at_once(self) -> int:
        """How many of its calls run at once; those of one session each have a server of it."""
        return self.slots or SLOTS["remote" if self.state == "session" else self.backend]

    @property
    def digest(self) -> str:
        """What changes when anything of the configuration does."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()

    def environment(self, agents: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment that the server gets, of the agent's."""
        passed = {name: agents[name] for name in (*PASSED, *self.pass_env) if name in agents}
        return {**passed, **self.env}

    def bearer(self, agents: Mapping[str, str] = os.environ) -> str:
        """The secret that a remote server wants; "" where it wants none. Read anew each time.

        Raises:
            ModuleUnavailable: it is not where it should be.
        """
        if not self.bearer_env and not self.bearer_file:
            return ""
        secret = secret_at(self.bearer_env, self.bearer_file, agents)
        if not secret:
            place = f"the variable {self.bearer_env}" if self.bearer_env else self.bearer_file
            raise ModuleUnavailable(f"{self.name}: {place} holds no token; write it there")
        return secret

    def secret_headers(self, agents: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The headers that a remote server wants beside its token. Read anew each time.

        Raises:
            ModuleUnavailable: they are not where they should be.
        """
        found = dict(self.headers)
        for name, variable in self.headers_env.items():
            found[name] = secret_at(variable, "", agents)
            if not found[name]:
                raise ModuleUnavailable(
                    f"{self.name}: the variable {variable} holds no value of {name}; set it"
                )
        if self.headers_file:
            try:
                found |= read_headers(self.headers_file)
            except ValueError as error:
                raise ModuleUnavailable(f"{self.name}: {self.headers_file}: {error}") from None
        return found


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
        oauth = server.get("oauth")
        tables = [server, *([oauth] if isinstance(oauth, dict) else [])]
        for table, key in itertools.product(tables, _PATHS):
            if isinstance(table.get(key), str) and table[key]:
                table[key] = str(base / Path(table[key]).expanduser())
