"""The code blocks of README and docs, and what becomes of each."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "wasm_tools/sdk/README.md",
    *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md")),
)
_BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Console blocks that no test plays, by page and first command, and why.
UNPLAYED = {
    ("README.md", "make demo"): "compared with a run of the demo in tests/integration/test_demo.py",
    ("README.md", "make check-quick"): "it is made of tests",
    ("docs/benchmarks.md", "make bench"): "minutes; each benchmark is started by tests/bench",
    ("docs/benchmarks.md", ".venv/bin/python -m bench.report"): "run by tests/bench/report",
    ("docs/boards.md", "python3 -m venv"): "the board's own; done by tests/edge_agent/board_images",
    ("docs/boards.md", "make wheel-riscv64"): "root, and a quarter of an hour",
    ("docs/boards.md", "python -m edge_agent.board_images"): "root and QEMU; make test-all runs it",
    ("docs/privacy.md", "sanderling"): "played by tests/integration/test_privacy_page.py",
}


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"

    def commands(self):
        """Each command of a console block with the lines that it prints; those of root begin with #."""
        found = []
        for line in self.text.splitlines():
            if line.startswith(("$ ", "# ")):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
        return found

    def unplayed(self):
        """Why nobody plays it; None where it is played."""
        first = self.commands()[0][0]
        reasons = (
            why for (page, begin), why in UNPLAYED.items()
            if page == self.page and first.startswith(begin)
        )  # fmt: skip
        return next(reasons, None)


def blocks(*languages, pages=PAGES):
    """All blocks, or those in some languages, in the order in which they are read."""
    found = []
    for page in pages:
        text = (ROOT / page).read_text()
        for match in _BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            if not languages or match[1] in languages:
                found.append(Block(page, line, match[1], match[2]))
    return found


def command_lines():
    """Every `sanderling` and `edge-agent` command of blocks and of texts: (where, words)."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text().replace("\\\n", " ")
        for match in re.finditer(
            r"(?:^\$ |^|`)((?:\.venv/bin/)?(?:sanderling|edge-agent) [^`\n]*)", text, re.MULTILINE
        ):
            line = match[1].partition(" #")[0].partition(" > ")[0].partition(";")[0].strip()
            where = f"{page}:{text[: match.start()].count(chr(10)) + 1}"
            try:
                found.append((where, shlex.split(line)))
            except ValueError:
                continue  # a sentence
    return found
