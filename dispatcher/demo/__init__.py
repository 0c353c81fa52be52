"""`sanderling demo`: the four scenarios of the paper, small enough to watch.

Starts a dispatcher and three agents as separate processes, lets an ordinary MCP
client work through them, and says of every call where it ran and why.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from mcp import Client
from rich.console import Console

from dispatcher.demo import report
from dispatcher.demo.calls import Caller, CallRecord
from dispatcher.demo.cluster import AGENTS, Directories, running_cluster
from dispatcher.demo.code_review import CodeReview
from dispatcher.demo.image_processing import ImageProcessing
from dispatcher.demo.log_analysis import LogAnalysis
from dispatcher.demo.research import Research
from dispatcher.demo.samples.logs import write_logs
from dispatcher.demo.samples.pictures import write_pictures
from dispatcher.demo.samples.repository import write_repository
from dispatcher.demo.samples.website import running_website
from dispatcher.errors import SanderlingError, innermost
from dispatcher.fitting_table import ENDLESS


def run() -> int:
    """Run the demo; return the exit code (0 done, 1 something went wrong)."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = ENDLESS
    code = 0
    try:
        with tempfile.TemporaryDirectory(prefix="sanderling-demo-") as scratch:
            asyncio.run(_run(console, Path(scratch)))
    except* SanderlingError as errors:  # the client's own tasks wrap them in a group
        complaints = Console(stderr=True, highlight=False)
        complaints.print(f"demo: {innermost(errors)}", markup=False, soft_wrap=True)
        code = 1
    return code


async def _run(console: Console, scratch: Path) -> None:
    directories = Directories.beneath(scratch)
    logs = write_logs(directories.logs)
    repository = write_repository(directories.repository)
    pictures = write_pictures(directories.photos)
    console.print(f"Starting a dispatcher and {len(AGENTS)} agents: {', '.join(AGENTS)} ...")
    with running_website() as website:
        async with running_cluster(scratch, directories, website.origin) as url:
            console.print(f"MCP endpoint: {url}")
            async with Client(url) as client:
                live = report.LiveTables(console, nodes=len(AGENTS))
                caller = Caller(client, live.add)
                log_analysis = LogAnalysis(caller, logs)
                for scenario in (
                    CodeReview(caller, repository),
                    log_analysis,
                    Research(caller, website),
                    ImageProcessing(caller, pictures),
                ):
                    with live.scenario(scenario.title):
                        finding = await scenario.run()
                    report.print_finding(console, finding)
                with live.scenario("What must not be: private lines to the cloud"):
                    refusal = await log_analysis.refused()
                report.print_refusal(console, refusal)
            report.print_timings(console, caller.records)
            _check_placements(caller.records)
            report.print_verdict(console, caller.records)
    console.print("Everything is stopped again.")


def _check_placements(records: list[CallRecord]) -> None:
    """No call ran where the operator's rules or its caller forbid."""
    for record in records:
        if record.astray:
            raise SanderlingError(
                f"{record.tool} ({record.what}) ran on {record.placement['node']}; "
                f"permitted: {', '.join(sorted(record.permitted))}"
            )
