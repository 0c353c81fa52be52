"""The calls that read, and how two answers are compared."""

import re
from typing import Any

READS: list[tuple[str, dict[str, Any]]] = [
    ("git_status", {}),
    ("git_diff_unstaged", {}),
    ("git_diff_unstaged", {"context_lines": 0}),
    ("git_diff_unstaged", {"context_lines": 12}),
    ("git_diff_staged", {}),
    ("git_diff_staged", {"context_lines": 1}),
    ("git_diff", {"target": "HEAD"}),
    ("git_diff", {"target": "HEAD~1", "context_lines": 2}),
    ("git_diff", {"target": "nowhere"}),
    ("git_diff", {"target": "--output=/tmp/x"}),
    ("git_log", {}),
    ("git_log", {"max_count": 2}),
    ("git_log", {"max_count": 0}),
    (
        "git_log",
        {"start_timestamp": "2024-01-15T14:30:25", "end_timestamp": "2024-01-15 18:00:00 +0100"},
    ),
    ("git_log", {"end_timestamp": "Jan 15 2024 15:30:00"}),
    ("git_log", {"start_timestamp": "--all"}),
    ("git_show", {"revision": "HEAD"}),
    ("git_show", {"revision": "HEAD~1"}),
    ("git_show", {"revision": "HEAD~3"}),
    ("git_show", {"revision": "HEAD^2"}),
    ("git_show", {"revision": "v1.0"}),
    ("git_show", {"revision": "light^0"}),
    ("git_show", {"revision": "@"}),
    ("git_show", {"revision": "main~2^{tree}"}),
    ("git_show", {"revision": "HEAD:README"}),
    ("git_show", {"revision": "HEAD:lib"}),
    ("git_show", {"revision": "HEAD:nowhere"}),
    ("git_show", {"revision": "--help"}),
    ("git_branch", {"branch_type": "local"}),
    ("git_branch", {"branch_type": "remote"}),
    ("git_branch", {"branch_type": "all"}),
    ("git_branch", {"branch_type": "local", "contains": "light"}),
    ("git_branch", {"branch_type": "all", "not_contains": "side"}),
    ("git_branch", {"branch_type": "some"}),
    ("git_branch", {"branch_type": "local", "contains": "-D"}),
]

# A commit's name depends on the moment that it is made.
_NAMES = re.compile(r"hash [0-9a-f]{40}|HEAD is now detached at [0-9a-f]{7}")


def comparable(result: dict[str, Any]) -> str:
    """The text of an answer; of a failure only that it is one, since its words are each host's own."""
    if result.get("isError", False):
        return "refused"
    return _NAMES.sub("(a name)", result["content"][0]["text"])
