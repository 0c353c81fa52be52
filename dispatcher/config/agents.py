"""``[[agents]]`` and ``[[servers]]``: the nodes that `sanderling up` starts, and what they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from dispatcher.config.policy import LimitsConfig
from dispatcher.config.words import DirectoryPath, EgressRule, NodeName, Table, Word, first_twice
from dispatcher.paths import tool_path


class MountConfig(Table):
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


class EgressConfig(Table):
    """One entry of an agent's ``egress``: a rule, for some tools only or (a string) for all."""

    to: EgressRule
    tools: list[Word] | None = None


def _as_table(value: Any) -> Any:
    return {"to": value} if isinstance(value, str) else value


class EgressLimitsConfig(Table):
    """Bounds of the HTTP requests of an agent's tools. Absent: the agent's own."""

    response_kib: Annotated[int, Field(gt=0, le=65_536)] | None = None
    request_kib: Annotated[int, Field(gt=0, le=4096)] | None = None
    total_ms: Annotated[int, Field(gt=0)] | None = None
    connect_ms: Annotated[int, Field(gt=0)] | None = None
    redirects: Annotated[int, Field(ge=0, le=50)] | None = None
    requests: Annotated[int, Field(gt=0, le=10_000)] | None = None
    methods: list[Word] | None = None


class SecretConfig(Table):
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


class ServerLimitsConfig(Table):
    """What the kernel lets each process of a tool server take. Absent: no limit."""

    memory_mib: Annotated[int, Field(gt=0)] | None = None
    open_files: Annotated[int, Field(gt=0)] | None = None
    cpu_s: Annotated[int, Field(gt=0)] | None = None


class OAuthConfig(Table):
    """How a remote server's tokens are had; what is absent the server tells."""

    client_id: Word | None = None
    client_secret_env: Word | None = None
    client_secret_file: DirectoryPath | None = None
    scope: Word | None = None
    token_url: Word | None = None
    device_url: Word | None = None
    issuer: Word | None = None
    resource: Word | None = None


class ServerConfig(Table):
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
    headers: dict[str, str] = Field(default={}, repr=False)
    headers_env: dict[str, Word] = {}
    headers_file: DirectoryPath | None = None
    oauth: OAuthConfig | None = None
    image: Word | None = None
    rootfs: DirectoryPath | None = None
    network: bool | None = None
    idle_s: Annotated[float, Field(ge=0, strict=False)] | None = None
    start_s: Annotated[float, Field(gt=0, strict=False)] | None = None
    asks: list[Literal["sampling", "elicitation", "roots"]] | None = None
    state: Literal["session", "shared"] | None = None
    slots: Annotated[int, Field(gt=0, le=256)] | None = None
    catalogue_kib: Annotated[int, Field(gt=0, le=16_384)] | None = None
    catalogue_pages: Annotated[int, Field(gt=0, le=100_000)] | None = None
    checks: Annotated[Literal["strict", "coerce", "server"] | None, Field(alias="validate")] = (
        None  # pydantic has a method of the key's name
    )
    limits: ServerLimitsConfig = ServerLimitsConfig()


class SharedServerConfig(ServerConfig):
    """``[[servers]]``: a tool server of several agents; ``agents`` absent is all of them."""

    agents: list[NodeName] | None = None


class AgentConfig(Table):
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
        twice = first_twice([mount.path for mount in values])
        if twice is not None:
            raise ValueError(f"{twice!r} is mounted twice; give each path one directory")
        return values
