"""``edge-agent serve``: one module as an ordinary MCP server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edge_agent.cli.common import (
    egress_to,
    is_git,
    limits_of,
    load_module,
    module_options,
    parse_mounts,
    variables,
)
from edge_agent.errors import ConfigError
from ground.addresses import authority
from ground.commands import DONE, Examples
from ground.files import others_may_read

if TYPE_CHECKING:
    from edge_agent.serving.answerer import Answerer

_SERVE_TOKEN: Final = "SANDERLING_SERVE_TOKEN"  # noqa: S105 - the name of a variable


@click.command(
    cls=Examples,
    epilog="""
    edge-agent serve time.wasm
    edge-agent serve filesystem.wasm --mount /data=/srv/data:ro --wall-ms 2000
    edge-agent serve time.wasm --http 127.0.0.1:8000
    """,
)
@module_options
@click.option(
    "--http",
    "address",
    metavar="HOST:PORT",
    help="Serve over HTTP at /mcp instead; port 0 takes a free one.",
)
@click.option(
    "--token-file", help=f"A file with the token that HTTP clients send [or {_SERVE_TOKEN}]."
)
def serve(
    module: Path,
    mounts: tuple[str, ...],
    wall_ms: int,
    memory_mib: int,
    allow_egress: tuple[str, ...],
    state: Path | None,
    address: str | None,
    token_file: str | None,
) -> int:
    """Serve MODULE as an ordinary MCP server, over standard input and output or HTTP.

    Over HTTP prints one line of JSON on stdout once it listens.
    """
    import signal
    import socket
    import threading

    from edge_agent.board.capabilities import cores
    from edge_agent.serving.answerer import Answerer, declares_state
    from edge_agent.serving.stdio import StdioServer
    from edge_agent.threads import tell_of_ends

    tell_of_ends()
    slots = max(2, cores())
    table, limits = parse_mounts(mounts), limits_of(wall_ms, memory_mib)
    engine, loaded = load_module(module, state, concurrency=slots)
    stateful = declares_state(engine, loaded, module.read_bytes())
    egress = egress_to(allow_egress)
    answerer = Answerer(
        engine,
        loaded,
        limits,
        table,
        egress,
        variables(),
        stateful=stateful,
        git_user=is_git(module),
    )
    if address is not None:
        _serve_http(answerer, address, _serve_token(token_file), slots)
        engine.close()
        return DONE
    # Calls of one session run in the order in which they came.
    server = StdioServer(answerer, 1 if answerer.stateful else slots)

    # The main thread sits in a read, where Python runs no handler when the kernel gives the signal
    # to another thread, as it does after a stop and continue. So a thread waits for signals.
    heard, told = socket.socketpair()
    told.setblocking(False)

    def stop_when_told() -> None:
        heard.recv(1)
        server.cancel_all()
        os._exit(DONE)

    threading.Thread(target=stop_when_told, name="signals", daemon=True).start()
    signal.set_wakeup_fd(told.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    server.serve(sys.stdin.buffer, sys.stdout.buffer)
    engine.close()
    return DONE


def _serve_http(answerer: Answerer, address: str, token: str, slots: int) -> None:
    import asyncio
    import json

    from edge_agent.serving.web.access import Access, parse_address
    from edge_agent.serving.web.server import HttpServer

    host, port = parse_address(address)
    server = HttpServer(answerer, Access(host, token), slots)

    def ready(bound: int) -> None:
        click.echo(json.dumps({"ready": True, "mcp": f"http://{authority(host, bound)}/mcp"}))

    asyncio.run(server.run(host, port, ready))


def _serve_token(file: str | None) -> str:
    if file is None:
        return os.environ.get(_SERVE_TOKEN, "").strip()
    try:
        token = Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no ASCII text"
        raise ConfigError(f"--token-file {file}: {reason.lower()}") from None
    told = others_may_read(Path(file))
    if told:
        click.echo(f"edge-agent: --token-file {told}", err=True)
    if not token:
        raise ConfigError(f"--token-file {file}: is empty; write a token into it")
    return token
