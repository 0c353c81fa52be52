"""The ``edge-agent`` command.

Each command imports what it needs when it runs, so that ``call`` starts without
gRPC and ``--help`` without the engine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from edge_agent import __version__
from edge_agent.errors import ConfigError, EdgeAgentError, TokenRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.answerer import Answerer
    from edge_agent.egress import CallEgress, Egress
    from edge_agent.engine.limits import Limits
    from edge_agent.engine.modules import LoadedModule
    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.mounts import Mount

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
_ENV: Final = "edge_agent.env"
_SERVE_TOKEN: Final = "SANDERLING_SERVE_TOKEN"  # noqa: S105 - the name of a variable


def main() -> NoReturn:
    """Run the command line and exit with 0, 1 or 2; errors are one line on stderr."""
    try:
        code = cli.main(prog_name="edge-agent", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = USAGE
    except click.ClickException as error:
        code = _complain(_one_line(error.format_message()), USAGE)
    except (ConfigError, TokenRefused) as error:
        code = _complain(str(error), USAGE)
    except EdgeAgentError as error:
        code = _complain(str(error), FAILED)
    except (KeyboardInterrupt, click.Abort):
        code = _complain("interrupted", FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except Exception as error:  # noqa: BLE001 - a traceback never reaches a user
        code = _complain(f"unexpected {type(error).__name__}: {_one_line(str(error))}", FAILED)
    sys.exit(code if isinstance(code, int) else DONE)


def _complain(text: str, code: int) -> int:
    click.echo(f"edge-agent: {text}", err=True)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Examples(click.Command):
    """A command whose help ends with examples, as they stand in ``epilog``."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.strip().splitlines():
                    formatter.write(f"  {line.strip()}\n")


def _check_egress(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    from edge_agent.egress.rules import parse_rule

    for value in values:
        try:
            parse_rule(value)
        except ConfigError as error:
            raise click.BadParameter(str(error)) from None
    return values


def _keep_env(context: click.Context, _: click.Parameter, values: tuple[str, ...]) -> None:
    """Check the variables and keep them with the command, which has arguments enough."""
    from edge_agent.environment import parse_variables

    try:
        context.meta[_ENV] = parse_variables(values)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def _module_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every command with a module takes."""
    for option in (
        click.option(
            "--state",
            type=click.Path(file_okay=False, path_type=Path),
            help="Directory of the compiled modules.",
        ),
        click.option(
            "--allow-egress",
            multiple=True,
            metavar="SCHEME://HOST:PORT",
            callback=_check_egress,
            help="Where the module may send HTTP requests (repeatable).",
        ),
        click.option(
            "--env",
            multiple=True,
            metavar="NAME=VALUE",
            expose_value=False,
            callback=_keep_env,
            help="A variable that the module finds (repeatable); no secret.",
        ),
        click.option(
            "--memory-mib",
            type=click.IntRange(1, 4096),
            default=256,
            show_default=True,
            help="Linear memory of the module at most.",
        ),
        click.option(
            "--wall-ms",
            type=click.IntRange(min=1),
            default=30_000,
            show_default=True,
            help="Time of one call at most.",
        ),
        click.option(
            "--mount",
            "mounts",
            multiple=True,
            metavar="PATH=DIRECTORY[:ro]",
            help="A directory under the path that the tool sees (repeatable).",
        ),
        click.argument("module", type=click.Path(dir_okay=False, path_type=Path)),
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Run MCP tools on this board."""


@cli.command(
    cls=_Examples,
    epilog="""
    edge-agent call time.wasm get_current_time --args '{"timezone": "Europe/Berlin"}'
    edge-agent call filesystem.wasm read_text_file --args '{"path": "/data/a.txt"}' --mount /data=.
    """,
)
@_module_options
@click.argument("tool")
@click.option("--args", "arguments", default="{}", metavar="JSON", help="The tool's arguments.")
def call(
    module: Path,
    tool: str,
    arguments: str,
    mounts: tuple[str, ...],
    wall_ms: int,
    memory_mib: int,
    allow_egress: tuple[str, ...],
    state: Path | None,
) -> int:
    """Call TOOL of MODULE once and print the MCP result object.

    Exits with 1 when the result says isError, or when the call was stopped.
    """
    from edge_agent.jsonrpc import make_call, parse, read_result

    try:
        parsed = parse(arguments.encode())
    except ValueError as error:
        raise click.UsageError(f"--args: {error}; write a JSON object, as in '{{}}'") from None
    if not isinstance(parsed, dict):
        raise click.UsageError("--args: not a JSON object; write one, as in '{}'")
    engine, loaded = _load(module, state, concurrency=1)
    egress = _egress(allow_egress).for_call(module.stem, tool)
    running = _running(_limits(wall_ms, memory_mib), _parse_mounts(mounts), egress)
    try:
        answer = engine.send(loaded, make_call(tool, arguments.encode()), running)
    finally:
        engine.close()
    result = read_result(answer.data)
    click.echo(result.decode())
    return FAILED if parse(result).get("isError") else DONE


@cli.command(
    cls=_Examples,
    epilog="""
    edge-agent serve time.wasm
    edge-agent serve filesystem.wasm --mount /data=/srv/data:ro --wall-ms 2000
    edge-agent serve time.wasm --http 127.0.0.1:8000
    """,
)
@_module_options
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

    from edge_agent.answerer import Answerer, declares_state
    from edge_agent.capabilities import cores
    from edge_agent.serve import StdioServer

    slots = max(2, cores())
    table, limits = _parse_mounts(mounts), _limits(wall_ms, memory_mib)
    engine, loaded = _load(module, state, concurrency=slots)
    stateful = declares_state(engine, loaded, module.read_bytes())
    egress = _egress(allow_egress)
    answerer = Answerer(engine, loaded, limits, table, egress, _env(), stateful=stateful)
    if address is not None:
        _serve_http(answerer, address, _serve_token(token_file), slots)
        engine.close()
        return DONE
    # Calls of one session run in the order in which they came.
    server = StdioServer(answerer, 1 if answerer.stateful else slots)

    def stop(*_: object) -> None:
        server.cancel_all()
        os._exit(DONE)  # the main thread sits in a read that nothing interrupts

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve(sys.stdin.buffer, sys.stdout.buffer)
    engine.close()
    return DONE


@cli.command(
    "inspect",
    cls=_Examples,
    epilog="""
    edge-agent inspect time.wasm
    """,
)
@click.argument("module", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), hidden=True)
def inspect_module(module: Path, state: Path | None) -> int:
    """Print as JSON what MODULE is: its kind, its tools, and what it asks for.

    It runs without mounts and without egress.
    """
    import json

    from edge_agent.inspect import inspect

    engine, _ = _load(module, state, concurrency=1)
    try:
        found = inspect(engine, module.read_bytes(), _limits(10_000, 256))
    finally:
        engine.close()
    click.echo(json.dumps(found.as_json()))
    return DONE


@cli.command(
    cls=_Examples,
    epilog="""
    edge-agent capabilities
    edge-agent capabilities --config agent.toml
    """,
)
@click.option(
    "--mount", "mounts", multiple=True, metavar="PATH=DIRECTORY[:ro]", help="Report this mount."
)
@click.option("--feature", "features", multiple=True, help="Report this feature (repeatable).")
@click.option("--slots", type=click.IntRange(1, 256), help="Calls that run at once [cores].")
@click.option("--memory-mib", type=click.IntRange(min=1), help="Memory for calls [most of it].")
@click.option("--tier", default="edge", show_default=True, help="device, edge, cloud or other.")
@click.option("--site", default="", help="Where the board stands.")
def capabilities(
    mounts: tuple[str, ...],
    features: tuple[str, ...],
    slots: int | None,
    memory_mib: int | None,
    tier: str,
    site: str,
) -> int:
    """Measure this board and print the report as JSON."""
    import json

    from edge_agent.capabilities import describe
    from edge_agent.engine.runtime import WasmEngine

    engine = WasmEngine(None, concurrency=1)
    report = describe(
        engine,
        backends=("wasm",),
        mounts=_parse_mounts(mounts),
        features=features,
        slots=slots,
        memory_mib=memory_mib,
        tier=tier,
        site=site,
    )
    click.echo(json.dumps(report.as_json(), indent=2))
    return DONE


@cli.command(
    cls=_Examples,
    epilog="""
    edge-agent run --config agent.toml
    edge-agent run --dispatcher 10.0.0.2:7410 --token-file token --name pi4 --tier device
    edge-agent run --dispatcher 127.0.0.1:7410 --token-file token --mount /logs=/var/log:ro
    """,
)
@click.option("--config", "config_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dispatcher", metavar="HOST:PORT", help="Where the dispatcher listens for agents.")
@click.option("--token", help="The dispatcher's token; better a file, which others cannot see.")
@click.option("--token-file", help="A file with the token [or the variable SANDERLING_TOKEN].")
@click.option("--name", help="The node's name, unique at its dispatcher [the host's name].")
@click.option("--tier", help="device, edge, cloud or other.")
@click.option("--site", help="Where the board stands.")
@click.option("--mount", "mounts", multiple=True, metavar="PATH=DIRECTORY[:ro]")
@click.option("--feature", "features", multiple=True, help="What the board has (repeatable).")
@click.option("--slots", type=click.IntRange(1, 256), help="Calls that run at once [cores].")
@click.option("--memory-mib", type=click.IntRange(min=1), help="Memory for calls [most of it].")
@click.option(
    "--allow-egress",
    multiple=True,
    metavar="SCHEME://HOST:PORT",
    callback=_check_egress,
    help="Where tools may send HTTP requests (repeatable).",
)
@click.option("--state", help="Directory of the compiled modules.")
@click.option("--verbose", is_flag=True, help="Log more.")
@click.option("--parent-pid", type=int, hidden=True)
def run(
    config_file: Path | None,
    mounts: tuple[str, ...],
    features: tuple[str, ...],
    allow_egress: tuple[str, ...],
    parent_pid: int | None,
    *,
    verbose: bool,
    **flags: str | int | None,
) -> int:
    """Attach this board to a dispatcher and answer its calls.

    Flags win over the environment, and that over the file. Prints one line of
    JSON on stdout once attached; logs go to stderr.
    """
    from edge_agent.config import load_config
    from edge_agent.logs import set_up_logging

    set_up_logging(verbose=verbose)
    lists = {"features": list(features) or None, "egress": list(allow_egress) or None}
    given: dict[str, Any] = {**flags, **lists}
    if mounts:
        given["mounts"] = [
            {"path": mount.path, "directory": mount.directory, "readonly": mount.readonly}
            for mount in _parse_mounts(mounts)
        ]
    config = load_config(config_file, given)
    from edge_agent.agent import run_agent

    run_agent(config, parent_pid)
    return DONE


def _serve_http(answerer: Answerer, address: str, token: str, slots: int) -> None:
    import asyncio
    import json

    from edge_agent.web.access import Access, parse_address
    from edge_agent.web.server import HttpServer

    host, port = parse_address(address)
    server = HttpServer(answerer, Access(host, token), slots)

    def ready(bound: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        click.echo(json.dumps({"ready": True, "mcp": f"http://{shown}:{bound}/mcp"}))

    asyncio.run(server.run(host, port, ready))


def _serve_token(file: str | None) -> str:
    if file is None:
        return os.environ.get(_SERVE_TOKEN, "").strip()
    try:
        token = Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no ASCII text"
        raise ConfigError(f"--token-file {file}: {reason.lower()}") from None
    if not token:
        raise ConfigError(f"--token-file {file}: is empty; write a token into it")
    return token


def _parse_mounts(texts: tuple[str, ...]) -> tuple[Mount, ...]:
    from edge_agent.mounts import check_distinct, parse_mount

    return check_distinct(parse_mount(text) for text in texts)


def _limits(wall_ms: int, memory_mib: int) -> Limits:
    from edge_agent.engine.limits import Limits

    return Limits(wall_ms=wall_ms, memory_mib=memory_mib)


def _egress(texts: tuple[str, ...]) -> Egress:
    from edge_agent.egress import Egress, parse_rule

    return Egress([parse_rule(text) for text in texts])


def _env() -> dict[str, str]:
    """Return the variables of ``--env``."""
    kept: dict[str, str] = click.get_current_context().meta.get(_ENV, {})
    return kept


def _running(limits: Limits, mounts: tuple[Mount, ...], egress: CallEgress) -> Any:
    from edge_agent.engine.running import Running

    return Running(limits, mounts, egress, _env())


def _load(module: Path, state: Path | None, concurrency: int) -> tuple[WasmEngine, LoadedModule]:
    """Read a module's file and make it ready to run."""
    import hashlib

    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.state import cache_directory

    try:
        wasm = module.read_bytes()
    except OSError as error:
        raise ConfigError(f"{module}: {(error.strerror or 'cannot be read').lower()}") from None
    engine = WasmEngine(cache_directory(state), concurrency)
    loaded, _ = engine.modules.get(hashlib.sha256(wasm).hexdigest(), lambda: wasm)
    return engine, loaded
