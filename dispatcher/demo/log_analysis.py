"""Log analysis: a day of logs of a home server, some of them private to the device."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dispatcher.demo.calls import AT_HOME, DEVICE, HOME, OFF_DEVICE, ON_DEVICE, Caller
from dispatcher.demo.samples.logs import ACCESS_LINES, AUTH_LINES, PlantedLogs
from dispatcher.errors import SanderlingError

CHUNKS = 6


@dataclass(frozen=True, slots=True)
class LogAnalysis:
    """Runs the scenario through ``caller``."""

    title: ClassVar[str] = "Log analysis: 5,000 lines on the device, the logins private to it"

    caller: Caller
    logs: PlantedLogs

    async def run(self) -> str:
        """Run every step; return what was found. Raises if an answer is wrong."""
        await self.caller.call("list_directory", "/logs", {"path": "/logs"}, permitted=DEVICE)
        access = await self._read("/logs/access.log", requirements=AT_HOME)
        auth = await self._read("/logs/auth.log", requirements=ON_DEVICE)
        figures = await self._web(access) | await self._logins(auth)
        self._check(figures)
        await self._report(figures)
        return (
            f"{figures['web_lines']} web requests with {figures['server_errors']} server errors; "
            f"{figures['login_lines']} logins of which {figures['failed_logins']} failed: as was "
            "planted. The report is in /logs/report.md on the device."
        )

    async def refused(self) -> str:
        """Ask for what policy forbids: private lines to the cloud. Returns the refusal."""
        arguments = {"log_content": "Nov 23 08:15:00 pi4 sshd[7]: Failed password for root"}
        requirements = {**ON_DEVICE, "allow": ["tier:cloud"]}
        return await self.caller.refused(
            "parse_logs", "auth.log, to the cloud", arguments, requirements
        )

    async def _read(self, path: str, requirements: Mapping[str, Any]) -> list[str]:
        answer = await self.caller.call(
            "read_text_file", path, {"path": path}, permitted=DEVICE, requirements=requirements
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
        await self.caller.call(
            "compute_trends", "errors over the day", {"time_series": trend}, permitted=OFF_DEVICE
        )
        merged = await self.caller.call(
            "merge_summaries",
            f"{len(parts)} parts",
            {"summaries": [{"entries": part["entry_count"]} for part in parts]},
            permitted=OFF_DEVICE,
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
        content = {"log_content": "\n".join(lines), "max_entries": len(lines)}
        parsed = await self.caller.call("parse_logs", what, content, permitted=HOME)
        entries = {"entries": parsed["entries"]}
        return await self.caller.call("compute_log_statistics", what, entries, permitted=HOME)

    async def _logins(self, lines: Sequence[str]) -> dict[str, Any]:
        """Look at the private log: every step stays on the device."""
        parsed = await self.caller.call(
            "parse_logs",
            "auth.log",
            {"log_content": "\n".join(lines), "max_entries": len(lines)},
            permitted=DEVICE,
            requirements=ON_DEVICE,
        )
        found = await self.caller.call(
            "search_entries",
            "auth.log: failed logins",
            {"entries": parsed["entries"], "pattern": "Failed password"},
            permitted=DEVICE,
            requirements=ON_DEVICE,
        )
        return {"login_lines": len(parsed["entries"]), "failed_logins": found["match_count"]}

    async def _report(self, figures: Mapping[str, Any]) -> None:
        berlin = {"timezone": "Europe/Berlin"}
        now = await self.caller.call("get_current_time", "Europe/Berlin", berlin)
        text = "\n".join(
            [
                f"# Log report, {now['datetime']}",
                f"- web requests: {figures['web_lines']}, server errors: {figures['server_errors']}",
                f"- logins: {figures['login_lines']}, failed: {figures['failed_logins']}",
                "",
            ]
        )
        path = "/logs/report.md"
        await self.caller.call(
            "write_file",
            path,
            {"path": path, "content": text},
            permitted=DEVICE,
            requirements=ON_DEVICE,
        )

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


def _chunks(lines: Sequence[str], size: int) -> list[Sequence[str]]:
    return [lines[start : start + size] for start in range(0, len(lines), size)]
