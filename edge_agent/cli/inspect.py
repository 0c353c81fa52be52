"""``edge-agent inspect``: what a module is."""

from __future__ import annotations

from pathlib import Path

import click

from edge_agent.cli.common import limits_of, load_module
from ground.commands import DONE, Examples


@click.command(
    "inspect",
    cls=Examples,
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

    from edge_agent.cli.module_report import inspect

    engine, _ = load_module(module, state, concurrency=1)
    try:
        found = inspect(engine, module.read_bytes(), limits_of(10_000, 256))
    finally:
        engine.close()
    click.echo(json.dumps(found.as_json()))
    return DONE
