"""Revisions in all their forms, and arguments that are not quite what the schema says."""

from typing import Any

Call = tuple[str, dict[str, Any]]

_ALONE = [
    *("HEAD", "@", "main", "side", "feature/x", "heads/main", "refs/heads/main", "v1.0", "nested"),
    *("tree", "file", "afile", "light", "origin", "origin/HEAD", "café", "deadbeef", "ORIG_HEAD"),
    *("head", "nope", "", " ", "main ", "refs", "HEAD/", "./main", "HEAD..main", "^main", "-x"),
    *("@@", "a@b", "main\n", "0" * 40, ":README", ":0:README", ":1:README", ":./README", ":lib"),
    *(":", ":nope", ":/Fix", ":/fix", ":/^fix", ":/fix: .*caret$", ":/", ":/!-Fix", ":/!!x"),
    *(":/!x", ":/nomatch", ":/(", ":/a|b", r":/\$5", r":/\(a\)", ":/arm [bc]", "@{-1}", "@{-2}"),
    *("@{-99}", "@{-0}", "@{0}", "@{1}", "@{99}", "@{u}", "@{}", "@{", "@^", "@~2", "@:README"),
]
_AFTER = [
    *("^", "^0", "^2", "^3", "^9", "~0", "~3", "~99", "^^", "^~", "^{}", "^{commit}", "^{tree}"),
    *("^{blob}", "^{tag}", "^{object}", "^{nope}", "^{/Fix}", "^{/^fix}", "^{/}", "^{commit"),
    *("@{0}", "@{1}", "@{u}", "@{push}", "@{yesterday}", "@{2024-01-17 14:00:00 +0000}", "@{+1}"),
    *("@{1705320000}", "^{tree}:README", ":README", ":nope", ":", ":./README", ":lib", ":lib/"),
    *(":lib/core.c", ":x/y z/ü.txt", ":README/x", "~٣", "~1:README", "^a"),
]
REVISIONS = [*_ALONE, *(f"{base}{after}" for base in ("HEAD", "v1.0", "tree") for after in _AFTER)]

NAMES: list[Call] = [("git_show", {"revision": text}) for text in REVISIONS]
NAMES += [("git_diff", {"target": text}) for text in REVISIONS[::4]]
NAMES += [
    ("git_branch", {"branch_type": "all", "contains": text})
    for text in REVISIONS[::2]
    # What git takes for today depends on the day.
    if "yesterday" not in text
]

_WHOLE = [
    "5",
    " 5 ",
    "+1",
    "1_0",
    "2.0",
    2.0,
    True,
    False,
    "",
    "x",
    "5.5",
    5.5,
    "0x5",
    None,
    [],
    "null",
]
_TEXT = ["null", " null ", "true", "7", '["x"]', "{}", '"x"', 5, True, []]
_WHEN = [
    *("2024-01-15 15:30:00 +0000", "2024-01-15T15:30:25+02:00", "1705325400"),
    *("Jan 15 2024 16:00:00", "15.01.2024 15:30:00", "01/15/2024 15:30:00", "@1705325400 +0100"),
    *("Mon, 15 Jan 2024 15:30:00 GMT", "20240115T153000Z", "100 years ago", "never", "nonsense"),
]
ODD: list[Call] = [
    *(("git_log", {"max_count": value}) for value in _WHOLE),
    *(("git_diff", {"target": "HEAD~1", "context_lines": value}) for value in _WHOLE),
    *(("git_log", {key: value}) for key in ("start_timestamp", "end_timestamp") for value in _TEXT),
    *(("git_log", {key: text}) for key in ("start_timestamp", "end_timestamp") for text in _WHEN),
    *(("git_branch", {"branch_type": "local", "contains": value}) for value in _TEXT),
    *(("git_branch", {"branch_type": value}) for value in (None, 5, "", "LOCAL", ["local"])),
    *(("git_add", {"files": value}) for value in ("README", '["README"]', "[]", [], None, [5])),
    *(("git_show", {"revision": value}) for value in (5, None, ["HEAD"], "null")),
    ("git_status", {"extra": 1}),
    ("git_show", {}),
]

# Git reads these from its command line as 32 bits.
_INTS = [-1, -3, 2**31, 2**32, 2**32 + 2, 99999999999, 2**63, 10**30, -(10**30)]
INTS: list[Call] = [
    *(("git_diff_unstaged", {"context_lines": value}) for value in _INTS),
    *(("git_diff_staged", {"context_lines": value}) for value in _INTS),
    *(("git_log", {"max_count": value}) for value in _INTS),
]

# Scenario -> what is read there besides what is read everywhere.
MORE_READS: dict[str, list[Call]] = {"names": NAMES, "history": ODD, "changes": INTS}
