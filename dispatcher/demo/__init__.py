"""`sanderling demo`: the main job, small enough to watch.

Starts a dispatcher and three agents as separate processes, lets an ordinary MCP
client analyse a day of logs through them, and says of every call where it ran
and why.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from mcp import Client
from rich.console import Console

from dispatcher.demo import report
from dispatcher.demo.cluster import AGENTS, running_cluster
from dispatcher.demo.logs import write_logs
from dispatcher.demo.scenario import CallRecord, LogAnalysis
from dispatcher.errors import SanderlingError

PLAIN_WIDTH = 136  # where no terminal says how wide it is


def run() -> int:
    """Run the demo; return the exit code (0 done, 1 something went wrong)."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    try:
        with tempfile.TemporaryDirectory(prefix="sanderling-demo-") as scratch:
            asyncio.run(_run(console, Path(scratch)))
    except SanderlingError as error:
        Console(stderr=True, highlight=False).print(f"demo: {error}", markup=False, soft_wrap=True)
        return 1
    return 0


async def _run(console: Console, scratch: Path) -> None:
    logs_directory = scratch / "logs"
    logs_directory.mkdir()
    logs = write_logs(logs_directory)
    console.print(f"Starting a dispatcher and {len(AGENTS)} agents: {', '.join(AGENTS)} ...")
    async with running_cluster(scratch, logs_directory) as url:
        console.print(f"MCP endpoint: {url}\n")
        async with Client(url) as client:
            live = report.LiveTable(console, nodes=len(AGENTS))
            analysis = LogAnalysis(client, logs, live.add)
            with live:
                figures = await analysis.run()
                refusal = await analysis.refused()
        report.print_figures(console, figures)
        report.print_refusal(console, refusal)
        report.print_timings(console, analysis.records)
        _check_privacy(analysis.records)
    console.print("Everything is stopped again.")


def _check_privacy(records: list[CallRecord]) -> None:
    """No private call left the device, and the forbidden one was refused."""
    strayed = [r for r in records if r.private and r.placement.get("node", "device") != "device"]
    if strayed:
        raise SanderlingError(
            f"{strayed[0].tool} on private data ran on {strayed[0].placement['node']}"
        )
    if not any(record.refusal for record in records):
        raise SanderlingError("private lines to the cloud were not refused")
