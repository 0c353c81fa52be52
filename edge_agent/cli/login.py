"""``edge-agent login``: consent to a remote server that wants a person's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ground.commands import DONE, Examples


@click.command(
    cls=Examples,
    epilog="""
    edge-agent login search --config agent.toml
    edge-agent login search --url https://mcp.example.org/mcp --client-id sanderling
    """,
)
@click.argument("server")
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of the agent, or of `sanderling up`, that names the server.",
)
@click.option("--url", help="The server's URL, where no file names it.")
@click.option("--client-id", help="The client that it knows this agent as.")
@click.option("--scope", help="What to ask for [what the server names].")
@click.option("--state", help="The agent's directory [the file's, or this user's].")
def login(server: str, config_file: Path | None, **flags: str | None) -> int:
    """Log in to a remote SERVER by its device flow.

    Prints an address and a code; open the one in any browser and enter the other. What that
    gives is kept in the agent's directory, for this user alone, and renewed by the agent.
    """
    from edge_agent.backends.mcp_client.web.oauth.device import log_in
    from edge_agent.backends.settings import OAuthTable, ServerTable
    from edge_agent.config.logins import server_of
    from edge_agent.errors import ConfigError
    from edge_agent.tables import TableError, read

    values: dict[str, Any] = {"name": server}
    state = flags["state"]
    if config_file is not None:
        values, kept = server_of(config_file, server)
        state = state or kept
    oauth = values.get("oauth")
    given = {"client_id": flags["client_id"], "scope": flags["scope"]}
    values["oauth"] = {
        **(oauth if isinstance(oauth, dict) else {}),
        **{key: value for key, value in given.items() if value},
    }
    if flags["url"]:
        values["url"] = flags["url"]
    try:
        table = read(ServerTable, values)
    except TableError as error:
        raise ConfigError(f"{config_file or server}: {error}") from None
    if table.backend != "remote":
        raise ConfigError(f"{server}: is no remote server; name its --url")
    where = None if state is None else Path(state).expanduser()
    log_in(server, table.url, table.oauth or OAuthTable(), where, show=click.echo)
    click.echo(f"{server}: logged in")
    return DONE
