"""``edge-agent capabilities``: what this board is."""

from __future__ import annotations

import click

from edge_agent.cli.common import parse_mounts
from ground.commands import DONE, Examples


@click.command(
    cls=Examples,
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

    from edge_agent.board.capabilities import describe
    from edge_agent.board.sensors import Board
    from edge_agent.engine.runtime import WasmEngine

    engine = WasmEngine(None, concurrency=1)
    report = describe(
        engine,
        backends=("wasm",),
        mounts=parse_mounts(mounts),
        features=features,
        slots=slots,
        memory_mib=memory_mib,
        tier=tier,
        site=site,
        board=Board().state,
    )
    click.echo(json.dumps(report.as_json(), indent=2))
    return DONE
