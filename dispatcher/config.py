"""The dispatcher's configuration: one TOML file, every key optional.

Precedence: overrides (the command line) over the file over the defaults here. Paths in the file
are relative to the folder of the file, others to the working directory.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dispatcher import schedulers
from dispatcher.errors import ConfigError
from dispatcher.exploring import SHARE
from dispatcher.paths import tool_path

PrivacyName = Literal["public", "site", "node"]
NODE_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
EGRESS_RULE = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._*-]+):[0-9]{1,5}")
SELECTOR_KINDS = ("tier", "site", "node", "isa", "state")

NodeName = Annotated[str, Field(pattern=NODE_NAME)]
Port = Annotated[int, Field(ge=0, le=65535)]
Word = Annotated[str, Field(min_length=1)]
#: What a caller may give as TOML or as an override: a string, or a path already.
DirectoryPath = Annotated[Path, Field(strict=False)]


def default_state() -> Path:
    """Where the state lives when nobody says: ``$XDG_STATE_HOME/sanderling``."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "sanderling"


def selector(value: str) -> str:
    """Check one "kind:value" selector.

    Raises:
        ValueError: the kind is unknown or the value is empty.
    """
    kind, colon, name = value.partition(":")
    if not colon or kind not in SELECTOR_KINDS or not name:
        kinds = ", ".join(f"{known}:NAME" for known in SELECTOR_KINDS)
        raise ValueError(f"{value!r} is no selector; write one of {kinds}")
    return value


def egress_rule(value: str) -> str:
    """Check the form of SCHEME://HOST:PORT; the agent checks the rest.

    Raises:
        ValueError: it has another form.
    """
    if not EGRESS_RULE.fullmatch(value):
        raise ValueError(f"{value!r}: write SCHEME://HOST:PORT, as in https://example.org:443")
    return value


EgressRule = Annotated[str, AfterValidator(egress_rule)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LimitsConfig(_Table):
    """The most that a call may take. Absent: the agent's own limits."""

    wall_ms: Annotated[int, Field(ge=1, le=86_400_000)] | None = None
    memory_mib: Annotated[int, Field(ge=1, le=65_536)] | None = None
    output_mib: Annotated[int, Field(ge=1, le=1024)] | None = None
    log_kib: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    table_elements: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    open_files: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    disk_mib: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    host_calls: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None


class Narrowing(_Table):
    """What narrows a placement: a caller's requirements, and part of hints and rules."""

    privacy: PrivacyName | None = None
    allow: list[str] | None = None
    deny: list[str] = []
    requires: list[Word] = []
    backend: list[Word] | None = None

    @field_validator("allow", "deny")
    @classmethod
    def _selectors(cls, values: list[str] | None) -> list[str] | None:
        return None if values is None else [selector(value) for value in values]


class HintConfig(Narrowing):
    """A tool's own ``_meta["dev.sanderling/hint"]``.

    ``egress`` is where its HTTP requests may go at most, of what its node permits.
    """

    limits: LimitsConfig = LimitsConfig()
    egress: list[EgressRule] | None = None


class RuleConfig(HintConfig):
    """One ``[[policy.rules]]``: for the tools that match any glob, or for all."""

    tools: list[Word] | None = None


class PolicyConfig(_Table):
    """``[policy]``: the privacy of every tool, and the rules that narrow it."""

    privacy: PrivacyName = "public"
    rules: list[RuleConfig] = []


class MountConfig(_Table):
    """A directory of an agent's machine, under the path that tools see."""

    path: str
    directory: DirectoryPath
    readonly: bool = False

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not value.startswith("/") or "\0" in value:
            raise ValueError(f"{value!r} must be absolute, as tools see it, for example /logs")
        return tool_path(value)


class EgressConfig(_Table):
    """One entry of an agent's ``egress``: a rule, for some tools only or (a string) for all."""

    to: EgressRule
    tools: list[Word] | None = None


def _as_table(value: Any) -> Any:
    return {"to": value} if isinstance(value, str) else value


class EgressLimitsConfig(_Table):
    """Bounds of the HTTP requests of an agent's tools. Absent: the agent's own."""

    response_kib: Annotated[int, Field(gt=0, le=65_536)] | None = None
    request_kib: Annotated[int, Field(gt=0, le=4096)] | None = None
    total_ms: Annotated[int, Field(gt=0)] | None = None
    connect_ms: Annotated[int, Field(gt=0)] | None = None
    redirects: Annotated[int, Field(ge=0, le=50)] | None = None
    requests: Annotated[int, Field(gt=0, le=10_000)] | None = None
    methods: list[Word] | None = None


class SecretConfig(_Table):
    """A header that an agent adds to its tools' requests; the value is elsewhere."""

    to: EgressRule
    header: Word
    env: Word | None = None
    file: DirectoryPath | None = None
    prefix: str = ""
    tools: list[Word] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> SecretConfig:
        if (self.env is None) == (self.file is None):
            raise ValueError("give either env (a variable's name) or file, where the value is")
        return self


class ServerLimitsConfig(_Table):
    """What the kernel lets each process of a tool server take. Absent: no limit."""

    memory_mib: Annotated[int, Field(gt=0)] | None = None
    open_files: Annotated[int, Field(gt=0)] | None = None
    cpu_s: Annotated[int, Field(gt=0)] | None = None


class ServerConfig(_Table):
    """A tool server that an agent runs by itself: a command, a URL, an image or a rootfs.

    Absent keys are the agent's own choice, and it checks what fits together.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    backend: Literal["process", "container", "remote"] | None = None
    command: list[Word] = []
    env: dict[str, str] = {}
    pass_env: list[Word] = []
    cwd: DirectoryPath | None = None
    url: Word | None = None
    bearer_env: Word | None = None
    bearer_file: DirectoryPath | None = None
    image: Word | None = None
    rootfs: DirectoryPath | None = None
    network: bool | None = None
    idle_s: Annotated[float, Field(ge=0, strict=False)] | None = None
    start_s: Annotated[float, Field(gt=0, strict=False)] | None = None
    asks: list[Literal["sampling", "elicitation", "roots"]] | None = None
    state: Literal["session"] | None = None
    limits: ServerLimitsConfig = ServerLimitsConfig()


class SharedServerConfig(ServerConfig):
    """``[[servers]]``: a tool server of several agents; ``agents`` absent is all of them."""

    agents: list[NodeName] | None = None


class AgentConfig(_Table):
    """``[[agents]]``: a node that ``sanderling up`` starts.

    ``slots`` and ``memory_mib`` are the agent's own choice where absent. Without a ``tier`` a
    node called device, edge or cloud is of that tier, any other of tier edge. Without a ``site``
    the nodes of tier cloud are at site "cloud", all others at site "home". ``env`` holds, by the
    name of a Wasm server, the variables that it finds.
    """

    name: NodeName
    tier: Word = ""
    site: Word = ""
    mounts: list[MountConfig] = []
    features: list[Word] = []
    slots: Annotated[int, Field(ge=1, le=4096)] | None = None
    memory_mib: Annotated[int, Field(ge=1)] | None = None
    labels: dict[str, str] = {}
    limits: LimitsConfig = LimitsConfig()
    egress: list[Annotated[EgressConfig, BeforeValidator(_as_table)]] = []
    egress_limits: EgressLimitsConfig = EgressLimitsConfig()
    egress_audit: DirectoryPath | None = None
    secrets: list[SecretConfig] = []
    env: dict[Word, dict[Word, str]] = {}
    servers: list[ServerConfig] = []

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        filled = dict(data)
        name = filled.get("name")
        filled.setdefault("tier", name if name in ("device", "edge", "cloud") else "edge")
        filled.setdefault("site", "cloud" if filled["tier"] == "cloud" else "home")
        return filled

    @field_validator("mounts")
    @classmethod
    def _one_directory_each(cls, values: list[MountConfig]) -> list[MountConfig]:
        twice = _first_twice([mount.path for mount in values])
        if twice is not None:
            raise ValueError(f"{twice!r} is mounted twice; give each path one directory")
        return values


class LinkConfig(_Table):
    """``[[links]]``: what is known of a link before it is measured."""

    a: NodeName
    b: NodeName
    rtt_ms: Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
    mbit_s: Annotated[float, Field(gt=1e-6, le=1e9, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _two_ends(self) -> LinkConfig:
        if self.a == self.b:
            raise ValueError(f"links {self.a!r} with itself; name two nodes")
        return self


class DispatcherConfig(_Table):
    """``[dispatcher]``: where it listens, what it keeps, where calls come from.

    ``scheduler`` is one of :mod:`dispatcher.schedulers`; ``batch_ms`` is how long calls that would
    wait in line are held to be placed together (0: never). ``explore`` is the share of a tool's calls
    that may try where it has not run yet (0: none). ``origin`` None is the first of the
    configured agents, else the first node by name.
    """

    host: Word = "127.0.0.1"
    port: Port = 0
    grpc_port: Port = 0
    state: DirectoryPath = Field(default_factory=default_state)
    scheduler: Word = "exact"
    batch_ms: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.5
    explore: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] = SHARE
    origin: NodeName | None = None
    origins: list[Word] = ["*"]

    @field_validator("scheduler")
    @classmethod
    def _known_scheduler(cls, value: str) -> str:
        return schedulers.check(value)


class Config(_Table):
    """The whole file. ``agents`` is empty where the command line chooses them."""

    dispatcher: DispatcherConfig = Field(default_factory=DispatcherConfig)
    policy: PolicyConfig = PolicyConfig()
    agents: list[AgentConfig] = []
    servers: list[SharedServerConfig] = []
    links: list[LinkConfig] = []

    @field_validator("agents")
    @classmethod
    def _unique_agents(cls, values: list[AgentConfig]) -> list[AgentConfig]:
        twice = _first_twice([agent.name for agent in values])
        if twice is not None:
            raise ValueError(f"two agents are called {twice!r}; a node's name must be unique")
        return values

    @field_validator("servers")
    @classmethod
    def _of_known_agents(
        cls, values: list[SharedServerConfig], info: ValidationInfo
    ) -> list[SharedServerConfig]:
        known = [agent.name for agent in info.data.get("agents", [])]
        for server in values:
            for name in server.agents or []:
                if known and name not in known:
                    mend = nearest(name, known, "the agents are")
                    raise ValueError(f"{server.name!r} is for {name!r}, which is no agent; {mend}")
        return values

    def local_agents(self) -> list[AgentConfig]:
        """The agents to start, each with the servers that it shares beside its own."""
        return [
            agent.model_copy(
                update={
                    "servers": [
                        *agent.servers,
                        *(
                            one
                            for one in self.servers
                            if agent.name in (one.agents or [agent.name])
                        ),
                    ]
                }
            )
            for agent in self.agents
        ]

    @field_validator("links")
    @classmethod
    def _unique_links(cls, values: list[LinkConfig]) -> list[LinkConfig]:
        twice = _first_twice(["-".join(sorted((link.a, link.b))) for link in values])
        if twice is not None:
            raise ValueError(f"the link {twice} stands twice; keep one (links are symmetric)")
        return values


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration file and lay the overrides over it.

    Args:
        path: a TOML file; None for the defaults.
        overrides: nested like the file; a None in it says nothing.

    Raises:
        ConfigError: one line with the file, the key and the mend.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = _read(path)
        _anchor(values, path.parent)
    source = str(path) if path is not None else "configuration"
    try:
        return Config.model_validate(_merge(values, overrides or {}))
    except ValidationError as error:
        raise ConfigError(f"{source}: {describe(error, Config)}") from None


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a pydantic error as one line: where, what, and the mend."""
    faults = error.errors(include_url=False)
    # A key that is misspelt is why another is missing.
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    where = _dotted(fault["loc"])
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        known = _keys_at(model, fault["loc"][:-1])
        return f"{where}: unknown key; {nearest(key, known, 'the keys here are')}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        message = "is missing; every entry needs it"
    elif fault["type"] == "string_pattern_mismatch":
        message = f"{fault['input']!r} is no node name; use a-z, 0-9, '.', '_', '-' (63 at most)"
    elif fault["type"] != "value_error":
        message = f"{message} (is {fault['input']!r})"
    return " ".join(f"{where}: {message}".split())


def nearest(word: str, known: Sequence[str], otherwise: str) -> str:
    """Words for a mend: the known name nearest to one that is not, else all of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    close = close or [name for name in known if word and name.startswith(word)]
    if close:
        return f"did you mean {close[0]!r}?"
    return f"{otherwise} {', '.join(sorted(known)) or 'none'}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from None


def _anchor(values: dict[str, Any], folder: Path) -> None:
    """Make the file's relative paths absolute; what is of the wrong type is left to the model."""
    tables = [values.get("dispatcher")]
    agents = values.get("agents")
    for agent in agents if isinstance(agents, list) else []:
        if not isinstance(agent, dict):
            continue
        tables.append(agent)
        for inner in (agent.get("mounts"), agent.get("secrets"), agent.get("servers")):
            tables += inner if isinstance(inner, list) else []
    servers = values.get("servers")
    tables += servers if isinstance(servers, list) else []
    for table in tables:
        if isinstance(table, dict) and isinstance(table.get("command"), list):
            table.setdefault("cwd", ".")
        # A server's `state` is no directory.
        own = ("state",) if table is values.get("dispatcher") else ()
        for key in (*own, "directory", "egress_audit", "file", "cwd", "bearer_file", "rootfs"):
            if isinstance(table, dict) and isinstance(table.get(key), str):
                table[key] = folder.absolute() / Path(table[key]).expanduser()


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merge(below, value)
        elif value is not None:
            merged[key] = _merge({}, value) if isinstance(value, Mapping) else value
    return merged


def _dotted(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".") or "top level"


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the table that a fault's location names."""
    at = model
    for part in loc:
        if isinstance(part, int) or part not in at.model_fields:
            continue
        inner = _model_in(at.model_fields[part].annotation)
        if inner is not None:
            at = inner
    return list(at.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _first_twice(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
