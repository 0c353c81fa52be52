"""The agents that `sanderling up` starts: one process each, restarted when it dies."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from dispatcher import background
from dispatcher.config import AgentConfig
from dispatcher.errors import ConfigError
from dispatcher.serving.executables import EDGE_AGENT, environment

STOP_S: Final = 2.0  # from SIGTERM to SIGKILL
_REAP_S: Final = 0.5
_BACKOFF_S: Final = (0.3, 10.0)
_STEADY_S: Final = 30.0  # an agent that ran for so long starts its backoff anew
_USAGE: Final = 2  # its exit code when it cannot use what it was told
_TAIL_LINES: Final = 20
_LINE_BYTES: Final = 64 * 1024

Say = Callable[[str, str], None]


class Supervisor:
    """Keeps agents running.

    ``say(node, line)`` is given every line that an agent writes to its log, and what happens to
    it. The token goes by the environment: a command line is anyone's to read.
    """

    def __init__(
        self,
        agents: Sequence[AgentConfig],
        *,
        dispatcher: str,
        token: str,
        state: Path,
        say: Say,
    ) -> None:
        """Prepare agents of a dispatcher at ``dispatcher`` (HOST:PORT)."""
        self._agents = agents
        self._dispatcher = dispatcher
        self._environment = environment(SANDERLING_TOKEN=token)
        self._state = state
        self._cache = module_cache(state)
        self._say = say
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._hopeless: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping = False

    def start(self) -> None:
        """Start every agent; each is on its way when this returns."""
        self._keepers = [
            background.essential(self._keep(agent), f"keeper of agent {agent.name}")
            for agent in self._agents
        ]

    def pids(self) -> dict[str, int]:
        """The processes that run now, by node."""
        return {name: process.pid for name, process in self._processes.items()}

    async def hopeless(self) -> None:
        """Wait for as long as every agent can be started.

        Raises:
            ConfigError: one cannot use its configuration; its own last line says why.
        """
        await asyncio.shield(self._hopeless)

    async def stop(self) -> None:
        """Stop every agent, the stubborn ones by force. A second call does nothing."""
        self._stopping = True
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)
        if not self._keepers:
            return
        await asyncio.wait(self._keepers, timeout=STOP_S)
        for process in self._processes.values():
            _signal(process, signal.SIGKILL)
        # What a killed agent started may still hold its log open; that is not waited for.
        _, late = await asyncio.wait(self._keepers, timeout=_REAP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []
        if not self._hopeless.done():
            self._hopeless.cancel()

    async def _keep(self, agent: AgentConfig) -> None:
        """Run one agent, again and again, until the supervisor stops."""
        wait_s = _BACKOFF_S[0]
        while not self._stopping:
            began = time.monotonic()
            try:
                code, tail = await self._run(agent)
            except OSError as error:
                self._give_up(agent, [str(error)])
                return
            if self._stopping:
                return
            if code == _USAGE:
                self._give_up(agent, tail)
                return
            if time.monotonic() - began > _STEADY_S:
                wait_s = _BACKOFF_S[0]
            self._say(agent.name, f"{_ended(code)}; starting it again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            wait_s = min(wait_s * 2, _BACKOFF_S[1])

    async def _run(self, agent: AgentConfig) -> tuple[int, deque[str]]:
        """Run one agent until it ends; its exit code and its last lines."""
        process = await asyncio.create_subprocess_exec(
            *command(agent, self._dispatcher, self._cache, self._settings(agent)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            limit=_LINE_BYTES,
            # A group of its own: Ctrl-C is ours to handle, in order.
            process_group=0,
        )
        self._processes[agent.name] = process
        if self._stopping:  # it was on its way when stop() looked
            _signal(process, signal.SIGTERM)
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        try:
            await self._relay(agent.name, process, tail)
            return await process.wait(), tail
        finally:
            _signal(process, signal.SIGKILL)
            self._processes.pop(agent.name, None)

    async def _relay(
        self, name: str, process: asyncio.subprocess.Process, tail: deque[str]
    ) -> None:
        """Pass on what an agent logs, until it closes its log."""
        if process.stderr is None:
            return
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than the limit; the reader has dropped it
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            tail.append(text)
            self._say(name, text)

    def _settings(self, agent: AgentConfig) -> Path | None:
        """Write what has no flag into a file for the agent."""
        text = settings(agent)
        if not text:
            return None
        path = self._state / f"agent-{agent.name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def _give_up(self, agent: AgentConfig, tail: Sequence[str]) -> None:
        reason = tail[-1] if tail else "it did not say why"
        if not self._hopeless.done():
            self._hopeless.set_exception(
                ConfigError(
                    f"agent {agent.name} cannot start: {reason.removeprefix('edge-agent: ')}"
                )
            )
            # Whoever waits is told; where nobody does, the log has the agent's own line.
            self._hopeless.exception()


def command(
    agent: AgentConfig, dispatcher: str, cache: Path, config: Path | None = None
) -> list[str]:
    """The command line of one agent."""
    line = [*EDGE_AGENT, "run", "--name", agent.name]
    line += ["--dispatcher", dispatcher, "--tier", agent.tier, "--site", agent.site]
    for mount in agent.mounts:
        directory = Path(mount.directory).absolute()
        line += ["--mount", f"{mount.path}={directory}{':ro' if mount.readonly else ''}"]
    for feature in agent.features:
        line += ["--feature", feature]
    if agent.slots is not None:
        line += ["--slots", str(agent.slots)]
    if agent.memory_mib is not None:
        line += ["--memory-mib", str(agent.memory_mib)]
    if config is not None:
        line += ["--config", str(config)]
    return [*line, "--state", str(cache.absolute()), "--parent-pid", str(os.getpid())]


def settings(agent: AgentConfig) -> str:
    """What an agent is told by a file, as TOML: labels, its servers, and all about egress."""
    said = agent.model_dump(
        mode="json",
        include={
            "labels",
            "limits",
            "egress",
            "egress_limits",
            "egress_audit",
            "secrets",
            "env",
            "servers",
        },
        exclude_none=True,
        by_alias=True,
    )
    return "".join(f"{key} = {_toml(value)}\n" for key, value in said.items() if value)


def _toml(value: object) -> str:
    """A value as inline TOML, whose basic strings and lists are JSON's."""
    if isinstance(value, dict):
        members = (f"{_toml(key)} = {_toml(inner)}" for key, inner in value.items())
        return "{ " + ", ".join(members) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def module_cache(state: Path) -> Path:
    """Where local agents keep compiled modules.

    It is this user's cache, so that a module is compiled once per machine, and a folder of the
    state directory where that cannot be used.
    """
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        cache = base / "sanderling" / "agents"
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        if cache.stat().st_uid == os.getuid() and os.access(cache, os.W_OK):
            return cache
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        pass
    return state / "agents"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
