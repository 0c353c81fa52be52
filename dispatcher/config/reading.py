"""From a TOML file and overrides to a checked :class:`Config`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dispatcher.config.faults import describe
from dispatcher.config.positions import Positions
from dispatcher.config.tables import Config
from dispatcher.errors import ConfigError


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration file and lay the overrides over it.

    Args:
        path: a TOML file; None for the defaults.
        overrides: nested like the file; a None in it says nothing.

    Raises:
        ConfigError: one line with the file, the key and the mend.
    """
    values: dict[str, Any] = {}
    positions = Positions("")
    if path is not None:
        values, positions = _read(path)
        _anchor(values, path.parent)
    source = str(path) if path is not None else "configuration"
    try:
        config = Config.model_validate(_merge(values, overrides or {}))
    except ValidationError as error:
        raise ConfigError(f"{source}: {describe(error, Config)}") from None
    config.stands_in(positions)
    return config


def _read(path: Path) -> tuple[dict[str, Any], Positions]:
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), Positions.of(str(path), text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from None


def _anchor(values: dict[str, Any], folder: Path) -> None:
    """Make the file's relative paths absolute; what is of the wrong type is left to the model."""
    tables = [values.get("dispatcher")]
    agents = values.get("agents")
    for agent in agents if isinstance(agents, list) else []:
        if not isinstance(agent, dict):
            continue
        tables.append(agent)
        for inner in (agent.get("mounts"), agent.get("secrets"), agent.get("servers")):
            tables += inner if isinstance(inner, list) else []
    servers = values.get("servers")
    tables += servers if isinstance(servers, list) else []
    for table in tables:
        if isinstance(table, dict) and isinstance(table.get("command"), list):
            table.setdefault("cwd", ".")
        # A server's `state` is no directory.
        own = ("state",) if table is values.get("dispatcher") else ()
        for key in (*own, "directory", "egress_audit", "file", "cwd", "bearer_file", "rootfs"):
            if isinstance(table, dict) and isinstance(table.get(key), str):
                table[key] = folder.absolute() / Path(table[key]).expanduser()


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merge(below, value)
        elif value is not None:
            merged[key] = _merge({}, value) if isinstance(value, Mapping) else value
    return merged
