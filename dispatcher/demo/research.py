"""Research assistant: pages of a website, read and summed up where there is a network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

from dispatcher.demo.calls import DEVICE, OFF_DEVICE, ON_DEVICE, Caller
from dispatcher.demo.samples.website import DIFFERENT_PAGES, PATHS, Website
from dispatcher.errors import SanderlingError

QUESTION = ("flock", "beach", "count")
WORDS = 60


@dataclass(frozen=True, slots=True)
class Research:
    """Runs the scenario through ``caller``: the device has no way to the web, the others do."""

    title: ClassVar[str] = "Research assistant: a website to read, from a device without a network"

    caller: Caller
    website: Website

    async def run(self) -> str:
        """Run every step; return what was found. Raises if an answer is wrong."""
        pages = await asyncio.gather(*(self._page(path) for path in PATHS))
        different = await self.caller.call(
            "deduplicate",
            f"{len(pages)} pages",
            {"items": pages, "key_fields": ["summary"]},
            permitted=OFF_DEVICE,
        )
        ranked = await self.caller.call(
            "combine_research_results",
            "by relevance",
            {"results": different["items"]},
            permitted=OFF_DEVICE,
        )
        count = len(different["items"])
        if count != DIFFERENT_PAGES:
            raise SanderlingError(f"{count} pages differ; planted were {DIFFERENT_PAGES}")
        await self._keep(ranked)
        first = ranked["items"][0]["title"]
        return (
            f"{count} different pages of {len(pages)}, the most relevant is “{first}”. "
            "The notes are in /notes/research.md on the device."
        )

    async def _page(self, path: str) -> dict[str, Any]:
        """Fetch one page, and sum it up in sentences of its own."""
        page = await self.caller.call(
            "fetch", path, {"url": self.website.url(path)}, permitted=OFF_DEVICE
        )
        text = str(page["text"]).partition("\n")[2]  # less the line that names the address
        answer = await self.caller.call("summarize_text", path, {"text": text, "max_length": WORDS})
        summary = str(answer["text"])
        for sentence in summary.split(". "):
            if sentence.rstrip(".") not in text:
                raise SanderlingError(f"the summary of {path} has a sentence that the page has not")
        score = sum(text.lower().count(word) for word in QUESTION)
        return {"title": path.rpartition("/")[2], "summary": summary, "relevance_score": score}

    async def _keep(self, ranked: dict[str, Any]) -> None:
        lines = ["# Research notes"]
        for result in ranked["items"]:
            lines += ["", f"## {result['title']}", "", str(result["summary"])]
        path = "/notes/research.md"
        await self.caller.call(
            "write_file",
            path,
            {"path": path, "content": "\n".join([*lines, ""])},
            permitted=DEVICE,
            requirements=ON_DEVICE,
        )
