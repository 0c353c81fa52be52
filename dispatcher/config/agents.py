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
    """As tools see it: absolute."""
    directory: DirectoryPath
    """On the machine of the agent."""
    readonly: bool = False
    """Whether tools may only read it."""

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not value.startswith("/") or "\0" in value:
            raise ValueError(f"{value!r} must be absolute, as tools see it, for example /logs")
        return tool_path(value)


class EgressConfig(Table):
    """One entry of an agent's ``egress``: a rule, for some tools only or (a string) for all."""

    to: EgressRule
    """`SCHEME://HOST:PORT`; the host may be `*.NAME` or `*`. A string in place of the table is a
    rule for all tools."""
    tools: list[Word] | None = None
    """Globs; absent, all tools."""


def _as_table(value: Any) -> Any:
    return {"to": value} if isinstance(value, str) else value


class EgressLimitsConfig(Table):
    """Bounds of the HTTP requests of an agent's tools. Absent: the agent's own."""

    response_kib: Annotated[int, Field(gt=0, le=65_536)] | None = None
    """Size of a response, after decompression."""
    request_kib: Annotated[int, Field(gt=0, le=4096)] | None = None
    """Size of a request's body."""
    total_ms: Annotated[int, Field(gt=0)] | None = None
    """Time of a request with its redirects."""
    connect_ms: Annotated[int, Field(gt=0)] | None = None
    """Time to connect."""
    redirects: Annotated[int, Field(ge=0, le=50)] | None = None
    """Redirects that are followed."""
    requests: Annotated[int, Field(gt=0, le=10_000)] | None = None
    """Requests of one call."""
    methods: list[Word] | None = None
    """HTTP methods."""


class SecretConfig(Table):
    """A header that an agent adds to its tools' requests; the value is elsewhere."""

    to: EgressRule
    """`SCHEME://HOST:PORT` that it is sent to, and nowhere else."""
    header: Word
    """Name of the header."""
    env: Word | None = None
    """The agent's variable that holds the value; this or `file`."""
    file: DirectoryPath | None = None
    """The file that holds the value."""
    prefix: str = ""
    """What stands before the value, such as `Bearer `."""
    tools: list[Word] | None = None
    """Globs; absent, all tools."""

    @model_validator(mode="after")
    def _one_place(self) -> SecretConfig:
        if (self.env is None) == (self.file is None):
            raise ValueError("give either env (a variable's name) or file, where the value is")
        return self


class ServerLimitsConfig(Table):
    """What the kernel lets each process of a tool server take. Absent: no limit."""

    memory_mib: Annotated[int, Field(gt=0)] | None = None
    """What each process may write to."""
    open_files: Annotated[int, Field(gt=0)] | None = None
    """Files open at once, of each process."""
    cpu_s: Annotated[int, Field(gt=0)] | None = None
    """Processor time over the life of each process."""


class OAuthConfig(Table):
    """How a remote server's tokens are had; what is absent the server tells."""

    client_id: Word | None = None
    """Absent, the client is registered where that is permitted."""
    client_secret_env: Word | None = None
    """The agent's variable that holds the client's secret."""
    client_secret_file: DirectoryPath | None = None
    """The file that holds it."""
    scope: Word | None = None
    """Absent, what the server names."""
    token_url: Word | None = None
    """Where tokens are had; absent, the server tells."""
    device_url: Word | None = None
    """Where a login by code begins; absent, the server tells."""
    issuer: Word | None = None
    """The authorization server; absent, the server tells."""
    resource: Word | None = None
    """What the tokens are for; absent, the server."""


class ServerConfig(Table):
    """A tool server that an agent runs by itself: a command, a URL, an image or a rootfs.

    Absent keys are the agent's own choice, and it checks what fits together.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """1 to 63 of `a-z`, `0-9`, `_`, `-`."""
    backend: Literal["process", "container", "remote"] | None = None
    """Follows from the other keys."""
    command: list[Word] = []
    """What is started, as a list. Of a container: what runs in it."""
    env: dict[str, str] = {}
    """Variables that the process gets."""
    pass_env: list[Word] = []
    """Variables of the agent that it gets too."""
    cwd: DirectoryPath | None = None
    """Where it starts."""
    url: Word | None = None
    """A remote server: streamable HTTP, or HTTP+SSE."""
    bearer_env: Word | None = None
    """The agent's variable that holds a bearer token."""
    bearer_file: DirectoryPath | None = None
    """The file that holds it."""
    headers: dict[str, str] = Field(default={}, repr=False)
    """Headers sent with every request."""
    headers_env: dict[str, Word] = {}
    """The same, from the agent's variables."""
    headers_file: DirectoryPath | None = None
    """The same, from a file."""
    oauth: OAuthConfig | None = None
    image: Word | None = None
    """An image, run by podman."""
    rootfs: DirectoryPath | None = None
    """An unpacked image, run by crun."""
    network: bool | None = None
    """Whether a container has the node's network; absent, none."""
    idle_s: Annotated[float, Field(ge=0, strict=False)] | None = None
    """How long it is kept without a call."""
    start_s: Annotated[float, Field(gt=0, strict=False)] | None = None
    """How long it may take to its first answer."""
    asks: list[Literal["sampling", "elicitation", "roots"]] | None = None
    """What it may ask of clients; absent, all three."""
    state: Literal["session", "shared"] | None = None
    """`session`: one for each MCP session; `shared`: one for all, also where it asks."""
    slots: Annotated[int, Field(gt=0, le=256)] | None = None
    """Its calls that run at once; absent, 16, or 64 of a remote one."""
    catalogue_kib: Annotated[int, Field(gt=0, le=16_384)] | None = None
    """How much of its lists is read, in all."""
    catalogue_pages: Annotated[int, Field(gt=0, le=100_000)] | None = None
    """How many pages of each list."""
    checks: Annotated[Literal["strict", "coerce", "server"] | None, Field(alias="validate")] = (
        None  # pydantic has a method of the key's name
    )
    """Who checks arguments: `server` (the default), `coerce` or `strict`."""
    limits: ServerLimitsConfig = ServerLimitsConfig()


class SharedServerConfig(ServerConfig):
    """``[[servers]]``: a tool server of several agents; ``agents`` absent is all of them."""

    agents: list[NodeName] | None = None
    """The agents that run it; absent, all."""


class AgentConfig(Table):
    """``[[agents]]``: a node that ``sanderling up`` starts."""

    name: NodeName
    """The node's name: 1 to 63 of `a-z`, `0-9`, `.`, `_`, `-`."""
    tier: Word = ""
    """Absent: `device`, `edge` or `cloud` where the node is called so, else `edge`."""
    site: Word = ""
    """Absent: `cloud` for tier cloud, else `home`."""
    mounts: list[MountConfig] = []
    features: list[Word] = []
    """What rules may require, beside what the agent finds out."""
    slots: Annotated[int, Field(ge=1, le=256)] | None = None
    """Calls that run at once; absent, the cores."""
    memory_mib: Annotated[int, Field(ge=1)] | None = None
    """Memory for all calls together; absent, what is free."""
    labels: dict[str, str] = {}
    """Words of your own about the node."""
    limits: LimitsConfig = LimitsConfig()
    """The most that one call gets here."""
    egress: list[Annotated[EgressConfig, BeforeValidator(_as_table)]] = []
    egress_limits: EgressLimitsConfig = EgressLimitsConfig()
    egress_audit: DirectoryPath | None = None
    """File that gets a line for each request; absent, the agent's log."""
    secrets: list[SecretConfig] = []
    env: dict[Word, dict[Word, str]] = {}
    """By the name of a Wasm server, the variables that it finds."""
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
