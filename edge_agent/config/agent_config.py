"""How an agent is configured: command line over environment over file."""

from __future__ import annotations

import itertools
import logging
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from edge_agent.backends.settings import ServerTable, anchor, check_servers
from edge_agent.calls.policy import Policy
from edge_agent.config.environment import check_environments
from edge_agent.egress.settings import (
    EgressLimitsTable,
    EgressSettings,
    EgressTable,
    SecretTable,
    check_settings,
)
from edge_agent.egress.target import LAST_PORT
from edge_agent.engine.limits import (
    LARGEST_MEMORY_MIB,
    LARGEST_TABLE_ELEMENTS,
    MOST_LIMITS,
    Limits,
    as_fields,
)
from edge_agent.errors import ConfigError
from edge_agent.mounts import Mount, check_distinct, make_mount
from edge_agent.tables import TableError, read, within
from ground.directories import agent_directory
from ground.files import others_may_read

NODE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
TOKEN_VARIABLE: Final = "SANDERLING_TOKEN"  # noqa: S105 - the name of a variable, not a token
#: Unless ``limits.wall_ms`` says less: what a server does takes as long as others need for it.
_log = logging.getLogger(__name__)
LONGEST_SERVER_CALL_MS: Final = 86_400_000
_Positive = Annotated[int, within(1)]


@dataclass(frozen=True, slots=True)
class MountTable:
    """``[[mounts]]``: a directory under the path by which tools name it."""

    path: str
    directory: str
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """``[policy]``: globs over ``tool`` and ``server.tool``; deny wins, no allow means all."""

    allow: list[str] | None = None
    """Globs over `TOOL` and `SERVER.TOOL` that this node runs; absent, all."""
    deny: list[str] = field(default_factory=list)
    """Globs that it does not run."""


@dataclass(frozen=True, slots=True)
class LimitsTable:
    """``[limits]``: what one call may take at most on this agent."""

    wall_ms: _Positive | None = None
    memory_mib: Annotated[int, within(1, LARGEST_MEMORY_MIB)] | None = None
    output_mib: Annotated[int, within(1, 64)] | None = None
    log_kib: _Positive | None = None
    table_elements: Annotated[int, within(1, LARGEST_TABLE_ELEMENTS)] | None = None
    open_files: _Positive | None = None
    disk_mib: _Positive | None = None
    host_calls: _Positive | None = None


@dataclass(frozen=True, slots=True)
class AgentTable:
    """The keys of an agent's configuration file; every one is optional."""

    dispatcher: str | None = None
    """`HOST:PORT` of the dispatcher's port for agents."""
    token: str | None = field(default=None, repr=False)
    """The token itself. Better in `token_file`, or `SANDERLING_TOKEN`."""
    token_file: str | None = None
    """The file that holds the token."""
    name: str | None = None
    tier: str | None = None
    """Absent: `edge`."""
    site: str | None = None
    """Where it is, in a word; absent, none."""
    mounts: list[MountTable] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    slots: Annotated[int, within(1, 256)] | None = None
    memory_mib: _Positive | None = None
    state: str | None = None
    """Directory of what is kept: compiled modules, logins."""
    labels: dict[str, str] = field(default_factory=dict)
    policy: PolicyTable = field(default_factory=PolicyTable)
    limits: LimitsTable = field(default_factory=LimitsTable)
    egress: list[EgressTable] = field(default_factory=list)
    egress_limits: EgressLimitsTable = field(default_factory=EgressLimitsTable)
    egress_audit: str | None = None
    secrets: list[SecretTable] = field(default_factory=list)
    env: dict[str, dict[str, str]] = field(default_factory=dict)
    servers: list[ServerTable] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """A checked configuration. None: measured when the agent starts.

    ``limits`` are the most that one call may take, not what it gets unasked; ``server_wall_ms`` is
    the most time of a call of a server of another backend than wasm.
    """

    dispatcher: str
    token: str
    name: str
    tier: str
    site: str
    mounts: tuple[Mount, ...]
    features: tuple[str, ...]
    slots: int | None
    memory_mib: int | None
    state: Path
    labels: Mapping[str, str]
    policy: Policy
    limits: Limits
    egress: EgressSettings = field(default_factory=EgressSettings)
    servers: tuple[ServerTable, ...] = ()
    server_wall_ms: int = LONGEST_SERVER_CALL_MS
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def load_config(
    file: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> AgentConfig:
    """Merge a file, the environment and flags (by key; None: not given) into a configuration.

    A list given as a flag replaces the file's list.

    Raises:
        ConfigError: names the key that is unknown, missing or wrong, and the mend.
    """
    values = _read_file(file) if file else {}
    if environment.get(TOKEN_VARIABLE):
        values["token"] = environment[TOKEN_VARIABLE]
        values.pop("token_file", None)
    given = {key: value for key, value in flags.items() if value is not None}
    if "token_file" in given and "token" not in given:
        values.pop("token", None)
    values.update(given)
    try:
        table = read(AgentTable, values)
    except TableError as error:
        raise ConfigError(f"{file or 'configuration'}: {error}") from None
    return _check(table, environment)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            values = tomllib.load(stream)
    except OSError as error:
        raise ConfigError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    # Directories in a file are relative to the file, wherever the agent starts.
    base = file.absolute().parent
    for mount in values.get("mounts", []) if isinstance(values.get("mounts"), list) else []:
        if isinstance(mount, dict) and isinstance(mount.get("directory"), str):
            mount["directory"] = str(base / Path(mount["directory"]).expanduser())
    secrets = values.get("secrets")
    tables = [values, *(secrets if isinstance(secrets, list) else [])]
    for table, key in itertools.product(tables, ("token_file", "state", "egress_audit", "file")):
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str(base / Path(table[key]).expanduser())
    anchor(values, base)
    return values


def _check(table: AgentTable, environment: Mapping[str, str]) -> AgentConfig:
    name = table.name or _own_name()
    if not NODE_NAME.fullmatch(name):
        raise ConfigError(
            f"name {name!r}: write 1 to 63 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return AgentConfig(
        dispatcher=_check_address(table.dispatcher),
        token=_find_token(table),
        name=name,
        tier=table.tier or "edge",
        site=table.site or "",
        mounts=check_distinct(
            make_mount(mount.path, mount.directory, readonly=mount.readonly)
            for mount in table.mounts
        ),
        features=tuple(table.features),
        slots=table.slots,
        memory_mib=table.memory_mib,
        state=Path(table.state).expanduser() if table.state else agent_directory(),
        labels=table.labels,
        policy=Policy(
            allow=None if table.policy.allow is None else tuple(table.policy.allow),
            deny=tuple(table.policy.deny),
        ),
        limits=MOST_LIMITS.asked(**as_fields(_said(table.limits))),
        server_wall_ms=table.limits.wall_ms or LONGEST_SERVER_CALL_MS,
        egress=check_settings(
            table.egress, table.egress_limits, table.secrets, table.egress_audit, environment
        ),
        servers=check_servers(table.servers),
        env=check_environments(table.env),
    )


# A name, or an address, which may have a zone.
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]")


def _said(limits: LimitsTable) -> dict[str, int]:
    return {name: value for name, value in asdict(limits).items() if value is not None}


def _check_address(address: str | None) -> str:
    if not address:
        raise ConfigError("dispatcher: missing; name it with --dispatcher HOST:PORT")
    scheme, is_url, _ = address.partition("://")
    if is_url:
        raise ConfigError(
            f"dispatcher {address!r}: not a URL, which is where clients go (by {scheme}); write the "
            "HOST:PORT for agents, which its ready line calls grpc, as in 127.0.0.1:7410"
        )
    host, _, port = address.rpartition(":")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ConfigError(f"dispatcher {address!r}: write an IPv6 address as in [::1]:7410")
    given = port.isascii() and port.isdigit() and 0 < int(port[:6]) <= LAST_PORT
    if not host or not given or not _HOST.fullmatch(host):
        raise ConfigError(f"dispatcher {address!r}: write HOST:PORT, as in 127.0.0.1:7410")
    return address


def _find_token(table: AgentTable) -> str:
    if table.token:
        return table.token.strip()
    if not table.token_file:
        raise ConfigError(f"token: missing; give --token-file FILE or set {TOKEN_VARIABLE}")
    try:
        token = Path(table.token_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ConfigError(f"token_file {table.token_file}: {reason.lower()}") from None
    told = others_may_read(Path(table.token_file))
    if told:
        _log.warning("token_file %s", told)
    if not token:
        raise ConfigError(f"token_file {table.token_file}: empty; write the token into it")
    return token


def _own_name() -> str:
    name = re.sub(r"[^a-z0-9._-]", "-", socket.gethostname().lower())[:63].lstrip("._-")
    return name or "agent"
