"""The whole file: ``[dispatcher]``, ``[[links]]``, and the tables of the other modules here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from dispatcher.config import schedulers
from dispatcher.config.agents import AgentConfig, SharedServerConfig
from dispatcher.config.policy import PolicyConfig
from dispatcher.config.positions import Positions
from dispatcher.config.words import DirectoryPath, NodeName, Port, Table, Word, first_twice, nearest
from ground.directories import state_directory

#: The share of a tool's calls that may try where it has not run yet, when nobody says.
EXPLORED_SHARE: Final = 0.05
SESSION_IDLE_S: Final = 4 * 3600.0
SESSIONS_MAX: Final = 2000
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


class LinkConfig(Table):
    """``[[links]]``: what is known of a link before it is measured."""

    a: NodeName
    """One end, a node."""
    b: NodeName
    """The other end."""
    rtt_ms: Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
    """A message there and back, in ms."""
    mbit_s: Annotated[float, Field(gt=1e-6, le=1e9, allow_inf_nan=False)]
    """Bandwidth, in Mbit/s."""

    @model_validator(mode="after")
    def _two_ends(self) -> LinkConfig:
        if self.a == self.b:
            raise ValueError(f"links {self.a!r} with itself; name two nodes")
        return self


class DispatcherConfig(Table):
    """``[dispatcher]``: where it listens, what it keeps, where calls come from.

    The texts under the keys, here and in the other tables, are those of docs/configuration.md.
    """

    host: Word = "127.0.0.1"
    """Address to listen on. Other than loopback, clients need the token."""
    port: Port = 0
    """Port of `/mcp`; 0 is 7333 if that is free, else any free one."""
    grpc_port: Port = 0
    """Port for agents; 0 is any free one."""
    state: DirectoryPath = Field(default_factory=state_directory)
    """Directory of what is kept: token, added tools, profiles, calls."""
    scheduler: Word = "exact"
    """Who chooses among the nodes that may run a call: see [schedulers.md](schedulers.md)."""
    batch_ms: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.5
    """How long calls that would wait in line are held to be placed together; 0 is never."""
    explore: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] = EXPLORED_SHARE
    """Share of a tool's calls that may try where it has not run yet; 0 is none."""
    origin: NodeName | None = None
    """The node that calls come from where nothing else tells; absent, the first of the file's
    agents, else the first by name."""
    origins: list[Word] = ["*"]
    """Nodes that a caller may name as its origin; `*` is any."""
    cors_origins: list[Word] = []
    """Web pages that may use the endpoint, as `https://app.example.org`."""
    session_idle_s: Annotated[
        float, Field(gt=0, le=31_536_000, allow_inf_nan=False, strict=False)
    ] = SESSION_IDLE_S
    """A session whose client says nothing ends after this."""
    sessions_max: Annotated[int, Field(ge=1, le=1_000_000)] = SESSIONS_MAX
    """Sessions open at once; of more the longest idle ends."""

    @field_validator("cors_origins")
    @classmethod
    def _named_origins(cls, values: list[str]) -> list[str]:
        for value in values:
            if not _ORIGIN.fullmatch(value):
                raise ValueError(
                    f"{value!r} is no origin; name each as a browser does, in lower case and "
                    "without a path: https://app.example.org"
                )
        return values

    @field_validator("scheduler")
    @classmethod
    def _known_scheduler(cls, value: str) -> str:
        return schedulers.check(value)


class Config(Table):
    """The whole file. ``agents`` is empty where the command line chooses them."""

    dispatcher: DispatcherConfig = Field(default_factory=DispatcherConfig)
    policy: PolicyConfig = PolicyConfig()
    agents: list[AgentConfig] = []
    servers: list[SharedServerConfig] = []
    links: list[LinkConfig] = []
    _positions: Positions = PrivateAttr(default_factory=lambda: Positions(""))

    @property
    def positions(self) -> Positions:
        """Where its parts stand in its file; nowhere where it is of none."""
        return self._positions

    def stands_in(self, positions: Positions) -> None:
        """Say where its parts stand, for refusals by the file's bare name."""
        self._positions = positions
        named = Positions(Path(positions.file).name, positions.lines, positions.spans)
        for number, rule in enumerate(self.policy.rules):
            rule.stands_at(named.place("policy", "rules", number))

    @field_validator("agents")
    @classmethod
    def _unique_agents(cls, values: list[AgentConfig]) -> list[AgentConfig]:
        twice = first_twice([agent.name for agent in values])
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
        twice = first_twice(["-".join(sorted((link.a, link.b))) for link in values])
        if twice is not None:
            raise ValueError(f"the link {twice} stands twice; keep one (links are symmetric)")
        return values
