"""Start `sanderling up` for the demo as a user would, and stop it again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from dispatcher.errors import SanderlingError
from dispatcher.serving.executables import DISPATCHER, environment

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10

AGENTS = ("device", "edge", "cloud")
CONFIG = """\
[dispatcher]
origin = "device"

[[agents]]                                  # a board at home, with the data on it
name = "device"
tier = "device"
site = "home"
slots = 1
memory_mib = 256
mounts = [
    {{ path = "/logs", directory = "{logs}" }},
    {{ path = "/repo", directory = "{repository}" }},
    {{ path = "/notes", directory = "{notes}" }},
    {{ path = "/photos", directory = "{photos}", readonly = true }},
]

[agents.env.git]                            # whoever tries this may have any settings of git
GIT_CONFIG_GLOBAL = "/dev/null"

[[agents]]                                  # a small computer in the same home, with the same disk
name = "edge"
tier = "edge"
site = "home"
slots = 2
memory_mib = 512
mounts = [{{ path = "/photos", directory = "{photos}", readonly = true }}]
egress = ["{website}"]

[[agents]]                                  # a rented machine far away
name = "cloud"
tier = "cloud"
site = "cloud"
slots = 8
memory_mib = 2048
egress = ["{website}"]

[[links]]
a = "device"
b = "edge"
rtt_ms = 0.9
mbit_s = 940

[[links]]
a = "device"
b = "cloud"
rtt_ms = 4.3
mbit_s = 325

[[links]]
a = "edge"
b = "cloud"
rtt_ms = 4.3
mbit_s = 325

[policy]                                    # what a search finds may be counted elsewhere at home
declassifies = ["search_entries"]

[[policy.rules]]                            # log lines name people: they stay at home
tools = ["parse_logs", "filter_entries", "search_entries", "compute_log_statistics"]
privacy = "site"

[[policy.rules]]                            # so do photographs
tools = ["image-resize.*"]
privacy = "site"

[[policy.rules]]                            # source code does not even leave the board
tools = ["git.*"]
privacy = "node"

[[policy.rules]]                            # keep the board free of number crunching
tools = ["data-aggregate.*"]
deny = ["tier:device"]
"""


@dataclass(frozen=True, slots=True)
class Directories:
    """What the agents mount."""

    logs: Path
    repository: Path
    notes: Path
    photos: Path

    @classmethod
    def beneath(cls, scratch: Path) -> Self:
        """Make the directories, all empty."""
        made = cls(*(scratch / name for name in ("logs", "repository", "notes", "photos")))
        for path in asdict(made).values():
            path.mkdir()
        return made


@asynccontextmanager
async def running_cluster(
    scratch: Path, directories: Directories, website: str
) -> AsyncIterator[str]:
    """Run a dispatcher and three agents; yield the MCP URL.

    ``website`` is the origin (scheme, host and port) that edge and cloud may fetch from.
    """
    config = scratch / "demo.toml"
    config.write_text(CONFIG.format(**asdict(directories), website=website))
    stderr = (scratch / "up.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *DISPATCHER,
        "up",
        *("--config", str(config), "--state", str(scratch / "state"), "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env=environment(),
    )
    try:
        yield await _ready_url(process, scratch / "up.log")
    finally:
        stderr.close()
        await _stop(process)


async def _ready_url(process: asyncio.subprocess.Process, log: Path) -> str:
    if process.stdout is None:
        raise SanderlingError("`sanderling up` was started without a pipe to read its ready line")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_TIMEOUT_S)
        return str(json.loads(line)["mcp"])
    except (TimeoutError, ValueError, KeyError) as error:
        raise SanderlingError(f"`sanderling up` did not get ready: {_last_line(log)}") from error


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
