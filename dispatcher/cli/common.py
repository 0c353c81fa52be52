"""What the commands share: options, the words for wrong ones, signals, logs."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from dispatcher.errors import ConfigError
from ground.commands import given_text
from ground.logs import log_to_stderr

if TYPE_CHECKING:
    from dispatcher.config import Config

PATIENCE_S: Final = 2.0
_Command = TypeVar("_Command", bound=Callable[..., Any])


def options(*added: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, in reading order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(added):
            command = option(command)
        return command

    return decorate


def a_file(**more: Any) -> click.Path:
    """A file's path, as a Path."""
    return click.Path(dir_okay=False, path_type=Path, **more)


STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SANDERLING_STATE",
    help="Directory of the state.  [SANDERLING_STATE, else ~/.local/state/sanderling]",
)
CONFIG = click.option("--config", "config_file", type=a_file(), help="The TOML file.")
MOUNT = click.option(
    "--mount",
    "mounts",
    multiple=True,
    metavar="PATH=DIRECTORY[:ro]",
    help="Give the first agent a directory, under the path that tools see (repeatable).",
)
AGENTS = click.option(
    "--agents",
    "names",
    metavar="NAME,NAME...",
    help="The agents to start.  [those of the configuration, else device,edge,cloud]",
)
URL = click.option(
    "--url",
    envvar="SANDERLING_URL",
    help="The dispatcher's endpoint.  [SANDERLING_URL, else the one of the state directory]",
)
EMBEDDED = click.option(
    "--embedded",
    is_flag=True,
    help="Start a dispatcher for this command alone, whichever runs.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
VERBOSE = click.option("--verbose", "-v", is_flag=True, help="Log more, to stderr.")


def json_object(text: str, what: str) -> dict[str, Any]:
    """Parse a JSON object given as text, as ``@file`` or as ``-`` (standard input).

    Raises:
        click.UsageError: it is none.
    """
    try:
        value = json.loads(given_text(text, what))
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{what}: no JSON ({error}); write {what} '{{...}}'") from None
    if not isinstance(value, dict):
        raise click.UsageError(f"{what}: must be a JSON object, for example {what} '{{}}'")
    return value


def parse_mount(text: str) -> dict[str, Any]:
    """``PATH=DIRECTORY[:ro]`` as an entry of ``agents.mounts``.

    Raises:
        ConfigError: one line that says what is wrong.
    """
    path, equals, directory = text.partition("=")
    readonly = directory.endswith(":ro")
    directory = directory.removesuffix(":ro")
    if not equals or not path.startswith("/") or not directory:
        raise ConfigError(f"--mount {text!r}: write PATH=DIRECTORY[:ro], as in /logs=./logs:ro")
    where = Path(directory).expanduser().absolute()
    if not where.is_dir():
        raise ConfigError(f"--mount {text!r}: {where} is no directory; create it, or name another")
    return {"path": path, "directory": str(where), "readonly": readonly}


def load_config(
    config_file: Path | None,
    state: Path | None,
    dispatcher: Mapping[str, Any],
    names: str | None = None,
    mounts: tuple[str, ...] = (),
) -> Config:
    """The configuration of a file and flags, with the agents that `up` starts.

    Raises:
        ConfigError: one line that names the key or the flag.
    """
    from dispatcher.config import load

    table = {"state": None if state is None else state.absolute(), **dispatcher}
    overrides: dict[str, Any] = {"dispatcher": table}
    config = load(config_file, overrides)
    asked = _names(names) or [agent.name for agent in config.agents] or DEFAULT_AGENTS
    known = {agent.name: agent.model_dump(by_alias=True) for agent in config.agents}
    agents = [known.get(name, {"name": name}) for name in asked]
    if mounts:
        given = [parse_mount(text) for text in mounts]
        replaced = {mount["path"] for mount in given}
        kept = [m for m in agents[0].get("mounts", []) if m["path"] not in replaced]
        agents[0] = {**agents[0], "mounts": kept + given}
    return load(config_file, {**overrides, "agents": agents})


def kept_state(config_file: Path | None, given: Path | None) -> Path:
    """The state directory that is meant: the given one, that of the file, else the usual one."""
    from dispatcher.config import load
    from ground.directories import state_directory

    usual = state_directory().absolute()
    if config_file is None or (given is not None and given != usual):
        return (given or usual).absolute()
    settings = load(config_file, {}).dispatcher
    return settings.state.absolute() if "state" in settings.model_fields_set else usual


DEFAULT_AGENTS: Final = ["device", "edge", "cloud"]


def _names(text: str | None) -> list[str]:
    if text is None:
        return []
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ConfigError(f"--agents {text!r}: write names with commas, as in device,edge")
    return names


def setup_logging(*, verbose: bool, quiet: bool = False) -> None:
    """Log to stderr: our own lines, and of others what should worry somebody."""
    level = logging.DEBUG if verbose else logging.WARNING
    log_to_stderr(level, "%(asctime)s %(levelname)s %(name)s: %(message)s")
    if not verbose:
        logging.getLogger("sanderling").setLevel(logging.WARNING if quiet else logging.INFO)
    for chatty in ("asyncio", "sse_starlette", "httpcore2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Its warnings are of requests that are no HTTP, a line each: those are counted (serving/inbound).
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


@contextmanager
def told_to_wait(what: str) -> Iterator[None]:
    """Say on a terminal's stderr what is being waited for, once it takes over two seconds."""
    if not sys.stderr.isatty():
        yield
        return
    shown = threading.Event()

    def show() -> None:
        shown.set()
        sys.stderr.write(f"{what} ...\r")
        sys.stderr.flush()

    timer = threading.Timer(PATIENCE_S, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if shown.is_set():
            sys.stderr.write(" " * (len(what) + 4) + "\r")
            sys.stderr.flush()


@contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a command the way Ctrl-C does, so that what it started is stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
