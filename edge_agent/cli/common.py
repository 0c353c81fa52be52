"""What the commands share: options, the words for wrong ones, how a module is made ready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from edge_agent.egress import CallEgress, Egress
    from edge_agent.engine.call_state import CallState
    from edge_agent.engine.code.loaded import LoadedModule
    from edge_agent.engine.limits import Limits
    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.mounts import Mount

_ENV: Final = "edge_agent.env"
_LIMITS: Final = "edge_agent.limits"


def check_egress(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Check the rules of ``--allow-egress``, as a callback of that option.

    Raises:
        click.BadParameter: one is none.
    """
    from edge_agent.egress.rules import parse_rule

    for value in values:
        try:
            parse_rule(value)
        except ConfigError as error:
            raise click.BadParameter(str(error)) from None
    return values


def _keep_env(context: click.Context, _: click.Parameter, values: tuple[str, ...]) -> None:
    """Check the variables and keep them with the command, which has arguments enough."""
    from edge_agent.config.environment import parse_variables

    try:
        context.meta[_ENV] = parse_variables(values)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def _keep_limits(context: click.Context, _: click.Parameter, values: tuple[str, ...]) -> None:
    """Keep what ``--limit`` says for :func:`limits_of`."""
    from edge_agent.engine.limits import parse_limits

    try:
        context.meta[_LIMITS] = parse_limits(values)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def module_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
            callback=check_egress,
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
            "--limit",
            "more_limits",
            multiple=True,
            metavar="NAME=NUMBER",
            expose_value=False,
            callback=_keep_limits,
            help="Another limit of each call (repeatable): output_mib, log_kib, table_elements, "
            "open_files, disk_mib or host_calls.",
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


def parse_mounts(texts: tuple[str, ...]) -> tuple[Mount, ...]:
    """Return the mounts of ``--mount``.

    Raises:
        ConfigError: one line that says what is wrong.
    """
    from edge_agent.mounts import check_distinct, parse_mount

    return check_distinct(parse_mount(text) for text in texts)


def limits_of(wall_ms: int, memory_mib: int) -> Limits:
    """Return the limits of every call."""
    from edge_agent.engine.limits import Limits

    more: dict[str, int] = click.get_current_context().meta.get(_LIMITS, {})
    return Limits(wall_ms=wall_ms, memory_mib=memory_mib).asked(**more)


def egress_to(texts: tuple[str, ...]) -> Egress:
    """Return the egress that the rules of ``--allow-egress`` permit."""
    from edge_agent.egress import Egress, parse_rule

    return Egress([parse_rule(text) for text in texts])


def variables() -> dict[str, str]:
    """Return the variables of ``--env``."""
    kept: dict[str, str] = click.get_current_context().meta.get(_ENV, {})
    return kept


def is_git(module: Path) -> bool:
    """Say whether a module is the git server by its name, and may know the user's own settings."""
    from edge_agent.engine.call_state import GIT_SERVER

    return module.name.partition(".")[0] == GIT_SERVER


def state_under(limits: Limits, mounts: tuple[Mount, ...], egress: CallEgress) -> CallState:
    """Return what a call runs under, with the variables of ``--env``."""
    from edge_agent.engine.call_state import CallState

    return CallState(limits, mounts, egress, variables())


def load_module(
    module: Path, state: Path | None, concurrency: int
) -> tuple[WasmEngine, LoadedModule]:
    """Read a module's file and make it ready to run.

    Raises:
        ConfigError: the file can't be read.
    """
    import hashlib

    from edge_agent.config.directories import cache_directory
    from edge_agent.engine.runtime import WasmEngine

    try:
        wasm = module.read_bytes()
    except OSError as error:
        raise ConfigError(f"{module}: {(error.strerror or 'cannot be read').lower()}") from None
    engine = WasmEngine(cache_directory(state), concurrency)
    loaded, _ = engine.modules.get(hashlib.sha256(wasm).hexdigest(), lambda: wasm)
    return engine, loaded
