"""``edge-agent call``: one tool of one module, once."""

from __future__ import annotations

from pathlib import Path

import click

from edge_agent.cli.common import (
    egress_to,
    is_git,
    limits_of,
    load_module,
    module_options,
    parse_mounts,
    state_under,
)
from ground.commands import DONE, FAILED, Examples, given_text
from ground.plain_text import shown_json


@click.command(
    cls=Examples,
    epilog="""
    edge-agent call time.wasm get_current_time --args '{"timezone": "Europe/Berlin"}'
    edge-agent call filesystem.wasm read_text_file --args '{"path": "/data/a.txt"}' --mount /data=.
    edge-agent call log-parser.wasm parse_logs --args @request.json
    """,
)
@module_options
@click.argument("tool")
@click.option(
    "--args", "arguments", default="{}", metavar="JSON|@FILE|-", help="The tool's arguments."
)
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
    from edge_agent.jsonrpc import error_result, make_call, parse, read_result

    arguments = given_text(arguments, "--args")
    try:
        parsed = parse(arguments.encode())
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--args: {error}; write a JSON object, as in '{{}}'") from None
    if not isinstance(parsed, dict):
        raise click.UsageError("--args: not a JSON object; write one, as in '{}'")
    engine, loaded = load_module(module, state, concurrency=1)
    egress = egress_to(allow_egress).for_call(module.stem, tool)
    call_state = state_under(limits_of(wall_ms, memory_mib), parse_mounts(mounts), egress)
    call_state.git_user = is_git(module)
    try:
        answer = engine.send(loaded, make_call(tool, arguments.encode()), call_state)
    finally:
        engine.close()
    result = read_result(answer.data)
    value = parse(result)
    if "error" in value and "content" not in value:
        result, value = error_result(value["error"]["message"]), {"isError": True}
    click.echo(shown_json(result.decode()))
    return FAILED if value.get("isError") else DONE
