"""Code review: a change to a repository on the device, read, searched, and answered by a commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dispatcher.demo.calls import AT_HOME, DEVICE, HOME, ON_DEVICE, Caller
from dispatcher.demo.samples.repository import PlantedRepository
from dispatcher.errors import SanderlingError

REPOSITORY = "/repo"
_HERE: Mapping[str, Any] = {"repo_path": REPOSITORY}
SUSPECT = r"except:|\beval\(|\bTODO\b|secret|requests\.post"


@dataclass(frozen=True, slots=True)
class CodeReview:
    """Runs the scenario through ``caller``: source code stays at home, git's own on the device."""

    title: ClassVar[str] = "Code review: a change to a repository that stays on the device"

    caller: Caller
    repository: PlantedRepository

    async def run(self) -> str:
        """Run every step; return what was found. Raises if an answer is wrong."""
        await self._git("git_add", "all files", files=["."])
        await self._git("git_commit", "first version", message="Read the sensor, heat the house")
        for name, content in self.repository.second_version.items():
            await self._write(name, content)
        diff = await self._git("git_diff_unstaged", "second version")
        defects = await self._search(_added_lines(diff))
        intent = await self._intent()
        await self._answer(defects, intent)
        log = await self._git("git_log", "the review", max_count=1)
        status = await self._git("git_status", "clean again?")
        self._check(defects, log, status)
        found = ", ".join(f"{count} in {name}" for name, count in defects.items())
        return f"suspicious lines: {found}, as was planted. The branch `review` has the answer."

    async def _git(self, tool: str, what: str, **arguments: Any) -> str:
        answer = await self.caller.call(tool, what, {**_HERE, **arguments}, permitted=DEVICE)
        return str(answer["text"])

    async def _write(self, name: str, content: str) -> None:
        path = f"{REPOSITORY}/{name}"
        arguments = {"path": path, "content": content}
        await self.caller.call(
            "write_file", path, arguments, permitted=DEVICE, requirements=ON_DEVICE
        )

    async def _search(self, lines: list[dict[str, str]]) -> dict[str, int]:
        """Find the suspicious among the added lines, and count them by file."""
        found = await self.caller.call(
            "search_entries",
            f"{len(lines)} added lines",
            {"entries": lines, "pattern": SUSPECT},
            permitted=HOME,
            requirements=AT_HOME,
        )
        counted = await self.caller.call(
            "aggregate_list",
            "suspicious lines by file",
            {"items": [match["entry"] for match in found["matches"]], "group_by": "file"},
            permitted={"edge"},
            requirements=AT_HOME,
        )
        return {str(name): int(count) for name, count in counted["groups"].items()}

    async def _intent(self) -> str:
        """Sum up what the program is for, from the notes beside it."""
        path = f"{REPOSITORY}/NOTES.md"
        notes = await self.caller.call("read_text_file", path, {"path": path}, permitted=DEVICE)
        summary = await self.caller.call(
            "summarize_text",
            "NOTES.md",
            {"text": notes["text"], "max_length": 40},
            permitted=HOME,
            requirements=AT_HOME,
        )
        return str(summary["text"])

    async def _answer(self, defects: Mapping[str, int], intent: str) -> None:
        """Commit the review on a branch of its own."""
        lines = [f"- {name}: {count} suspicious lines" for name, count in defects.items()]
        await self._git("git_create_branch", "review", branch_name="review")
        await self._git("git_checkout", "review", branch_name="review")
        await self._write("REVIEW.md", "\n".join(["# Review", "", intent, "", *lines, ""]))
        await self._git("git_add", "REVIEW.md and the change", files=["."])
        await self._git("git_commit", "the review", message="Review the second version")

    def _check(self, defects: Mapping[str, int], log: str, status: str) -> None:
        if dict(defects) != dict(self.repository.defects):
            raise SanderlingError(
                f"the review found {dict(defects)}; planted were {dict(self.repository.defects)}"
            )
        if "Review the second version" not in log or "working tree clean" not in status:
            raise SanderlingError(f"the review is not committed: {log} {status}")


def _added_lines(diff: str) -> list[dict[str, str]]:
    """Return the lines that a unified diff adds, each as an entry with its file."""
    entries: list[dict[str, str]] = []
    file = ""
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif line.startswith("+") and not line.startswith("+++"):
            entries.append({"file": file, "message": line[1:]})
    return entries
