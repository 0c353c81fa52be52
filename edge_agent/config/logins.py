"""Which server a login is for, in an agent's file or in that of ``sanderling up``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from edge_agent.backends.settings import anchor
from edge_agent.errors import ConfigError


def server_of(file: Path, name: str) -> tuple[dict[str, Any], str | None]:
    """Return the table of a remote server, and the agent's directory where the file names one.

    Raises:
        ConfigError: the file cannot be read, or has no such server.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    base = file.absolute().parent
    agents = [one for one in _list(values.get("agents")) if isinstance(one, dict)]
    for holder in (values, *agents):
        anchor(holder, base)
        for one in _list(holder.get("servers")):
            if isinstance(one, dict) and one.get("name") == name and "url" in one:
                state = values.get("state")
                kept = str(base / Path(state).expanduser()) if isinstance(state, str) else None
                return {key: value for key, value in one.items() if key != "agents"}, kept
    raise ConfigError(f"{file}: has no remote server {name!r}; name its --url")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
