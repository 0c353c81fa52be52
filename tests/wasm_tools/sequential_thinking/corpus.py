"""Sessions of thoughts, and what of an answer is compared."""

from __future__ import annotations

import json
import random
from typing import Any

THOUGHT: dict[str, Any] = {
    "thought": "first",
    "nextThoughtNeeded": True,
    "thoughtNumber": 1,
    "totalThoughts": 3,
}
NUMBERS = [
    *(1, 2, 7.0, 0, -1, 2.5, 1e15, 9007199254740991, 9007199254740992, 1e300),
    *("5", " 7\n", "0x1F", "0b11", "0o17", "1e2", "+5", "-5", "5.", ".5", "", "x", "0x", "1_0"),
    *("-0x1", "Infinity", "NaN", "\ufeff3", "\u00a04", "\u0085", "\uff15", "\u0661", "01", "1 2"),
    *(True, False, None, [], [7], ["7"], [[7]], [True], [None], [1, 2], {}, {"a": 1}),
]
FLAGS = [True, False, "true", "FALSE", "TruE", " true", "yes", "", 1, 0, None, [], {}, "\u017ftrue"]
TEXTS = ["", "two\nlines", "naïve 日本 😀", '"quoted" \\ \t\u0001\u2028', 5, None, True, ["x"], {}]
BRANCHES = [
    *("b", "10", "a", "2", "b", "01", "+1", "-1", "1.0", "4294967294", "4294967295", "0", ""),
    *("__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "日本", "a b", "\n"),
    *("__defineGetter__", "isPrototypeOf", "length", "prototype", "tostring"),
]


def thought(**changes: Any) -> dict[str, Any]:
    """A valid call, changed; a value of Ellipsis leaves the argument out."""
    changed = THOUGHT | changes
    return {name: value for name, value in changed.items() if value is not ...}


def _one_argument() -> list[dict[str, Any]]:
    calls = [thought(), thought(unknown=1), {}]
    calls += [thought(**{name: ...}) for name in THOUGHT]
    for name in ("thoughtNumber", "totalThoughts", "revisesThought", "branchFromThought"):
        calls += [thought(**{name: value}) for value in NUMBERS]
    for name in ("nextThoughtNeeded", "isRevision", "needsMoreThoughts"):
        calls += [thought(**{name: value}) for value in FLAGS]
    for name in ("thought", "branchId"):
        calls += [thought(**{name: value}) for value in TEXTS]
    return calls


def _branches() -> list[dict[str, Any]]:
    calls = [thought(branchFromThought=1, branchId=name) for name in BRANCHES]
    calls += [thought(branchId="alone"), thought(branchFromThought=2)]
    return [*calls, thought(branchFromThought=1, branchId=5)]


def _long(seed: int) -> list[dict[str, Any]]:
    rng, calls = random.Random(seed), []
    for number in range(1, 40):
        more: dict[str, Any] = {}
        if rng.random() < 0.3:
            more |= {"branchFromThought": rng.randrange(1, 5), "branchId": rng.choice("xyz123")}
        if rng.random() < 0.3:
            more |= {"isRevision": True, "revisesThought": rng.randrange(1, number + 1)}
        total = rng.choice([5, "10", 40])
        calls.append(
            thought(
                thought=f"step {number}",
                thoughtNumber=number,
                totalThoughts=total,
                nextThoughtNeeded=number < 39,
                **more,
            )
        )
    return calls


def sessions() -> list[list[dict[str, Any]]]:
    """Every session of the corpus: the calls of each meet one history."""
    return [_one_argument(), _branches(), *(_long(seed) for seed in range(3))]


def comparable(result: dict[str, Any]) -> Any:
    """What both must say: the text and the data, or that it failed (the wording may differ)."""
    if result.get("isError"):
        return "error"
    (block,) = result["content"]
    assert json.loads(block["text"]) == result["structuredContent"]
    return block["text"]
