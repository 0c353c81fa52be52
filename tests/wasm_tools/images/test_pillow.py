"""Images of every kind, and what Pillow 13 and imagehash 4.3 say and make of them.

The images of ``recorded`` were made at random: each mode, depth and layout of each format, with
and without transparency, interlaced, animated, cut short, wrongly named. ``cases.json`` holds
calls with the answers of the original server's functions.
"""

import json
from pathlib import Path

import pytest

from tests.wasm_tools.images.mounted import same

RECORDED = Path(__file__).parent / "recorded"
CASES = json.loads((RECORDED / "cases.json").read_text())


@pytest.fixture(scope="module")
def kinds(recorded_images):
    return recorded_images.over({"/images": RECORDED / "images"})


@pytest.mark.parametrize("tool", CASES)
def test_pillow_says_the_same(kinds, tool):
    for case in CASES[tool]:
        found = kinds.call(tool, case["arguments"])
        assert same(found, case["result"]), f"{case}\nfound {found}"
