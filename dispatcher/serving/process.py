"""A whole dispatcher in one process: the parts, the endpoint and the local agents, as one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from dispatcher import background
from dispatcher.config import AgentConfig, Config
from dispatcher.errors import ConfigError, SanderlingError
from dispatcher.serving.discovery import DispatcherAddress, client_token, publish, withdraw
from dispatcher.serving.doubts import GRACE_S, Doubts
from dispatcher.serving.supervisor import Supervisor
from dispatcher.store import ownership
from ground.addresses import authority

if TYPE_CHECKING:
    import socket

    from dispatcher.app import App
    from dispatcher.gateway.server import Gateway

log = logging.getLogger("sanderling")

#: Where the endpoint listens when nobody says, so that clients can be configured once.
DEFAULT_PORT: Final = 7333
AGENTS_TIMEOUT_S: Final = 60.0
SERVERS_S: Final = 5.0
_PATIENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Serving:
    """A dispatcher that serves. ``url`` is "" where it has no HTTP endpoint."""

    app: App
    gateway: Gateway
    url: str
    agents: int

    def ready_line(self) -> str:
        """What `sanderling up` prints when it can serve."""
        grpc = authority(self.app.config.dispatcher.host, self.app.grpc_port)
        return json.dumps({"ready": True, "mcp": self.url, "grpc": grpc, "agents": self.agents})


@asynccontextmanager
async def serving(
    config: Config,
    *,
    local_agents: bool,
    http: bool = True,
    strict: bool = False,
    base: Path | None = None,
    lock: IO[str] | None = None,
) -> AsyncIterator[Serving]:
    """Run a dispatcher for as long as this is open; open means that it can serve.

    Args:
        config: the configuration.
        local_agents: start ``config.agents``, and wait until all are registered.
        http: serve HTTP, and let commands find it by its state directory.
        strict: refuse a configuration that names what is not known; without local agents, what
            looks misspelt.
        base: the state directory whose added tools and profiles are used, if not its own.
        lock: that of the state, if the caller has taken it.

    Raises:
        ConfigError: a port, directory or agent's configuration cannot be used.
        SanderlingError: an agent did not register in time.
    """
    agents = config.local_agents() if local_agents else []
    _check_mounts(agents)
    async with AsyncExitStack() as stack:
        if lock is None:  # before any port: who comes second is told who is here
            lock = stack.enter_context(ownership.take(config.dispatcher.state))
        listening = _listen(config) if http else None
        if listening is not None:
            stack.callback(listening.close)
        app = await _started_app(config, stack, base, lock)
        grpc = authority(_local(config.dispatcher.host), app.grpc_port)
        supervisor = Supervisor(agents, dispatcher=grpc, token=app.token, state=app.state, say=_say)
        stack.push_async_callback(supervisor.stop)
        supervisor.start()
        # The agents are starting meanwhile: importing the SDK takes half a second.
        from dispatcher.gateway.server import Gateway

        gateway = Gateway(app)
        gateway.subscriptions.follow(app.agents)
        # Who connects before waits, and finds the nodes: it is refused nothing for want of them.
        await _registered(app, supervisor, [agent.name for agent in agents])
        url = "" if listening is None else await _serve(app, gateway, listening, stack)
        doubts = Doubts(app)
        if strict:
            doubts.refuse(near=not local_agents)
        if local_agents:
            doubts.say()
        watching = asyncio.create_task(
            doubts.watch(0.0 if local_agents else GRACE_S), name="the watch for doubts"
        )
        watching.add_done_callback(background.noticed)
        stack.callback(watching.cancel)
        yield Serving(app, gateway, url, len(agents))
        log.info("stopping")


async def _started_app(
    config: Config, stack: AsyncExitStack, base: Path | None, lock: IO[str]
) -> App:
    from dispatcher.app import App  # numpy, grpc and the solver

    app = App(config, base=base)
    await app.start(lock)
    stack.push_async_callback(app.stop)
    return app


async def _serve(
    app: App, gateway: Gateway, listening: socket.socket, stack: AsyncExitStack
) -> str:
    """Start the endpoint and publish where it is; the URL of `/mcp`."""
    from dispatcher.serving.access import Access
    from dispatcher.serving.http import Endpoint

    host, started = app.config.dispatcher.host, time.time()
    access = Access(host, app.config.dispatcher.cors_origins)
    if access.needs_token:
        access.token = client_token(app.state)
        log.info("clients need the token that `sanderling token --client` prints")
    endpoint = Endpoint(app, gateway, access, started)
    stack.push_async_callback(endpoint.stop)
    await endpoint.start(listening)
    port = listening.getsockname()[1]
    local = f"http://{authority(_local(host), port)}/mcp"
    publish(app.state, DispatcherAddress(local, os.getpid(), started, access.token))
    stack.callback(withdraw, app.state)
    return f"http://{authority(host, port)}/mcp"


async def _registered(app: App, supervisor: Supervisor, names: Sequence[str]) -> None:
    """Wait until all agents are registered, or one never will be."""
    if not names:
        return
    waiting = asyncio.create_task(app.wait_for_agents(names, AGENTS_TIMEOUT_S))
    hopeless = asyncio.create_task(supervisor.hopeless())
    try:
        pending = {waiting, hopeless}
        while waiting in pending and hopeless in pending:
            _, pending = await asyncio.wait(
                pending, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if waiting in pending:
                log.info("waiting for %s to register", _missing(app, names))
        if hopeless.done():
            await hopeless
        await waiting
        await _asked(app, names)
    except TimeoutError as error:
        raise SanderlingError(f"agents: {error}; the log above has their own words") from None
    finally:
        waiting.cancel()
        hopeless.cancel()
        await asyncio.gather(waiting, hopeless, return_exceptions=True)


async def _asked(app: App, names: Sequence[str]) -> None:
    """Wait a moment for agents that ask their own tool servers for the first time."""
    nodes = [node for node in app.registry.nodes() if node.name in names]
    with suppress(TimeoutError):
        async with asyncio.timeout(SERVERS_S):
            while any(one.pending for node in nodes for one in node.servers.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


def _missing(app: App, names: Sequence[str]) -> str:
    here = {node.name for node in app.registry.nodes() if node.connected}
    return ", ".join(name for name in names if name not in here)


def _listen(config: Config) -> socket.socket:
    """The endpoint's socket: the port that is configured, else the usual one if it is free."""
    from dispatcher.serving.ports import listen

    host, port = config.dispatcher.host, config.dispatcher.port
    if "port" in config.dispatcher.model_fields_set:
        return listen(host, port)
    try:
        return listen(host, DEFAULT_PORT)
    except ConfigError:
        log.warning("port %d is taken, using another; --port chooses one", DEFAULT_PORT)
        return listen(host, 0)


def _check_mounts(agents: Sequence[AgentConfig]) -> None:
    for agent in agents:
        for mount in agent.mounts:
            if not Path(mount.directory).is_dir():
                raise ConfigError(
                    f"agent {agent.name}: mount {mount.path}: {mount.directory} is no directory; "
                    f"create it, or name another"
                )


def _say(node: str, line: str) -> None:
    """One line of an agent's log, on ours; what only informs follows our own level."""
    if log.isEnabledFor(logging.INFO) or " INFO " not in line:
        sys.stderr.write(f"{node} | {line}\n")


def _local(host: str) -> str:
    """The address by which this machine reaches a bind address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host)  # noqa: S104
