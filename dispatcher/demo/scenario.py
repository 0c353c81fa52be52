"""The log analysis scenario, run by an ordinary MCP client.

The client is the `mcp` package's own; it knows nothing of nodes beyond what the
``_meta`` of each result tells it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp import Client

from dispatcher.demo.logs import ACCESS_LINES, AUTH_LINES, PlantedLogs
from dispatcher.errors import SanderlingError
from dispatcher.requests import PLACEMENT_KEY, REQUIREMENTS_KEY

CHUNKS = 6
PRIVATE = {"privacy": "node", "origin": "device"}


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as the client saw it."""

    tool: str
    what: str
    placement: Mapping[str, Any]
    client_ms: float
    private: bool
    refusal: str = ""


@dataclass(slots=True)
class LogAnalysis:
    """Runs the scenario through ``client`` and keeps a record of every call.

    ``on_call`` is told of each call as it comes back.
    """

    client: Client
    logs: PlantedLogs
    on_call: Callable[[CallRecord], None]
    records: list[CallRecord] = field(default_factory=list)

    async def run(self) -> dict[str, Any]:
        """Run every step; return the report's figures. Raises if an answer is wrong."""
        await self._call("list_directory", "/logs", {"path": "/logs"})
        access = await self._read("/logs/access.log")
        auth = await self._read("/logs/auth.log", private=True)
        web = await self._web(access)
        logins = await self._logins(auth)
        figures = web | logins
        self._check(figures)
        await self._report(figures)
        return figures

    async def refused(self) -> str:
        """Ask for what policy forbids: private lines to the cloud. Returns the refusal."""
        requirements = PRIVATE | {"allow": ["tier:cloud"]}
        arguments = {"log_content": "Nov 23 08:15:00 pi4 sshd[7]: Failed password for root"}
        await self._call("parse_logs", "auth.log, to the cloud", arguments, requirements)
        return self.records[-1].refusal

    async def _read(self, path: str, *, private: bool = False) -> list[str]:
        answer = await self._call(
            "read_text_file", path, {"path": path}, PRIVATE if private else None
        )
        return str(answer["text"]).splitlines()

    async def _web(self, lines: Sequence[str]) -> dict[str, Any]:
        """Parse the shareable log in chunks, all at once, and reduce the parts."""
        size = -(-len(lines) // CHUNKS)
        parts = await asyncio.gather(
            *(self._web_part(index, chunk) for index, chunk in enumerate(_chunks(lines, size)))
        )
        trend = [
            {"timestamp": index, "value": part["by_level"].get("error", 0)}
            for index, part in enumerate(parts)
        ]
        await self._call("compute_trends", "errors over the day", {"time_series": trend})
        merged = await self._call(
            "merge_summaries",
            f"{len(parts)} parts",
            {"summaries": [{"entries": part["entry_count"]} for part in parts]},
        )
        return {
            "web_lines": sum(part["entry_count"] for part in parts),
            "server_errors": sum(
                count
                for part in parts
                for status, count in (part["by_status"] or {}).items()
                if str(status).startswith("5")
            ),
            "merged": merged,
        }

    async def _web_part(self, index: int, lines: Sequence[str]) -> dict[str, Any]:
        what = f"access.log, part {index + 1}"
        parsed = await self._call(
            "parse_logs", what, {"log_content": "\n".join(lines), "max_entries": len(lines)}
        )
        return await self._call("compute_log_statistics", what, {"entries": parsed["entries"]})

    async def _logins(self, lines: Sequence[str]) -> dict[str, Any]:
        """Look at the private log: every step stays on the device."""
        arguments = {"log_content": "\n".join(lines), "max_entries": len(lines)}
        parsed = await self._call("parse_logs", "auth.log", arguments, PRIVATE)
        entries = parsed["entries"]
        found = await self._call(
            "search_entries",
            "auth.log: failed logins",
            {"entries": entries, "pattern": "Failed password"},
            PRIVATE,
        )
        return {"login_lines": len(entries), "failed_logins": found["match_count"]}

    async def _report(self, figures: Mapping[str, Any]) -> None:
        now = await self._call("get_current_time", "Europe/Berlin", {"timezone": "Europe/Berlin"})
        text = "\n".join(
            [
                f"# Log report, {now['datetime']}",
                f"- web requests: {figures['web_lines']}, server errors: {figures['server_errors']}",
                f"- logins: {figures['login_lines']}, failed: {figures['failed_logins']}",
                "",
            ]
        )
        path = "/logs/report.md"
        await self._call("write_file", path, {"path": path, "content": text}, PRIVATE)

    def _check(self, figures: Mapping[str, Any]) -> None:
        """Compare the tools' figures with what was planted in the files."""
        wanted = {
            "web_lines": ACCESS_LINES,
            "server_errors": self.logs.server_errors,
            "login_lines": AUTH_LINES,
            "failed_logins": self.logs.failed_logins,
        }
        for key, value in wanted.items():
            if figures[key] != value:
                raise SanderlingError(
                    f"the tools found {key}={figures[key]}; the logs hold {value}"
                )

    async def _call(
        self,
        tool: str,
        what: str,
        arguments: dict[str, Any],
        requirements: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call one tool; record it; return its answer as a JSON object."""
        meta: Any = {REQUIREMENTS_KEY: dict(requirements)} if requirements else None
        start = time.perf_counter()
        result = await self.client.call_tool(tool, arguments, meta=meta)
        client_ms = (time.perf_counter() - start) * 1000
        text = "\n".join(getattr(block, "text", "") for block in result.content)
        placement = (result.meta or {}).get(PLACEMENT_KEY, {})
        refusal = text if result.is_error else ""
        private = bool(requirements and requirements.get("privacy") == "node")
        record = CallRecord(tool, what, placement, client_ms, private, refusal)
        self.records.append(record)
        self.on_call(record)
        if result.is_error and placement:
            raise SanderlingError(f"{tool} failed on {placement.get('node')}: {text}")
        return _as_object(text)


def _as_object(text: str) -> dict[str, Any]:
    """The JSON object in ``text``, or the text itself under ``text``."""
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) else {"text": text}


def _chunks(lines: Sequence[str], size: int) -> list[Sequence[str]]:
    return [lines[start : start + size] for start in range(0, len(lines), size)]
