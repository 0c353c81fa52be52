"""Calls to the filesystem server, by scenario: a tree, and calls that may change it.

`{root}` stands for the mounted directory in arguments and answers, `{outside}` for a
directory beside it that nobody may reach.
"""

import base64
from typing import Any

Call = tuple[str, dict[str, Any]]

_LINES = "".join(f"line {number}\n" for number in range(1, 400))
_PNG = base64.b64encode(bytes.fromhex("89504e470d0a1a0a") + bytes(range(64))).decode()

READING: dict[str, Any] = {
    "notes.txt": "one\ntwo\nthree\n",
    "open-end.txt": "one\ntwo",
    "empty.txt": "",
    "newline.txt": "\n",
    "crlf.txt": "one\r\ntwo\r\nthree\r\n",
    "long.txt": _LINES,
    "wide.txt": "é" * 1500 + "\n" + "日本" * 700 + "\nend",
    "latin1.bin": {
        "base64": base64.b64encode(b"caf\xe9 \xff\xfe\xf0\x9f\x98 end\n\xe2\x82").decode()
    },
    "bom.txt": "\ufeffhello\n",
    "pixel.png": {"base64": _PNG},
    "pixel.JPEG": {"base64": _PNG},
    "sound.mp3": "not really",
    "drawing.svg": "<svg/>",
    "blob": {"base64": "AAEC/w=="},
    "odd name #1%?é.bin": "x",
    "~[1]|{2}^`.bin": "x",
    "sub/inner.md": "# inner\n",
    "sub/deeper/leaf.txt": "leaf\n",
    "link.txt": {"link": "notes.txt"},
    "dir-link": {"link": "sub"},
    "up-link": {"link": "../outside/secret.txt"},
    "up-dir": {"link": "../outside"},
    "dangling": {"link": "nowhere.txt"},
    "loop-a": {"link": "loop-b"},
    "loop-b": {"link": "loop-a"},
    "sub/back": {"link": "../notes.txt"},
}


def _reading() -> list[Call]:
    names = (
        "notes.txt", "open-end.txt", "empty.txt", "newline.txt", "crlf.txt", "wide.txt", "latin1.bin",
        "bom.txt", "link.txt", "dir-link/inner.md", "sub/back", "sub/../notes.txt", "./notes.txt",
        "nothing.txt", "nothing/at/all.txt", "sub", "", "notes.txt/x", "up-link", "up-dir/secret.txt",
        "dangling", "loop-a", "../outside/secret.txt", "../root2/x",
    )  # fmt: skip
    calls: list[Call] = [("read_text_file", {"path": f"{{root}}/{name}"}) for name in names]
    for name in (
        "notes.txt",
        "open-end.txt",
        "empty.txt",
        "newline.txt",
        "crlf.txt",
        "long.txt",
        "wide.txt",
        "latin1.bin",
    ):
        for lines in (1, 2, 3, 1.5, -1, 0, 1000):
            calls.append(("read_file", {"path": f"{{root}}/{name}", "head": lines}))
            calls.append(("read_file", {"path": f"{{root}}/{name}", "tail": lines}))
    calls += [
        ("read_file", {"path": "{root}/long.txt", "tail": 0.5}),
        ("read_file", {"path": "{root}/long.txt", "tail": 200}),
        ("read_file", {"path": "{root}/long.txt", "head": 200}),
        ("read_file", {"path": "{root}/notes.txt", "head": 1, "tail": 1}),
        ("read_file", {"path": "{root}/notes.txt", "head": 0, "tail": 1}),
        ("read_file", {"path": "{root}/sub", "head": 1}),
        ("read_file", {"path": "{root}/sub", "head": -1}),
        ("read_file", {"path": "{root}/sub", "tail": -0.5}),
        ("read_file", {"path": "{root}/nothing", "tail": -1}),
        ("read_file", {"path": "{root}/nothing", "tail": 1}),
        ("read_file", {"path": "/etc/passwd"}),
        ("read_file", {"path": "/"}),
        ("read_file", {"path": "C:\\Users\\x"}),
        ("read_file", {"path": "c:/x"}),
        ("read_file", {"path": "notes.txt"}),
        ("read_file", {"path": "sub/../notes.txt"}),
        ("read_file", {"path": "../outside/secret.txt"}),
        ("read_file", {"path": "{root}/notes.txt\u0000.png"}),
        ("read_file", {"path": "{root}suffix/x"}),
        (
            "read_multiple_files",
            {"paths": ["{root}/notes.txt", "{root}/nothing", "/etc/passwd", "{root}/empty.txt"]},
        ),
        ("read_multiple_files", {"paths": ["notes.txt"]}),
    ]
    for name in (
        "pixel.png",
        "pixel.JPEG",
        "sound.mp3",
        "drawing.svg",
        "blob",
        "empty.txt",
        "odd name #1%?é.bin",
        "~[1]|{2}^`.bin",
        "sub",
        "nothing",
    ):
        calls.append(("read_media_file", {"path": f"{{root}}/{name}"}))
    return calls


LISTING: dict[str, Any] = {
    "B.txt": "b" * 10,
    "a.txt": "a" * 2048,
    "A.md": "a" * 1152,
    "_x": "x" * 1025,
    "-y": "",
    "10": "x" * 5,
    "9": {"size": 1048576},
    "éclair": "x" * 3,
    "eclair": "x" * 3,
    "Zebra file with a name that is longer than thirty.txt": "z",
    ".hidden": "h",
    ".config/settings.json": "{}",
    "empty": None,
    "src/main.rs": "fn main() {}",
    "src/lib.rs": "",
    "src/deep/er/mod.rs": "m",
    "src/deep/er/notes.txt": "n",
    "node_modules/pkg/index.js": "js",
    "link-file": {"link": "a.txt"},
    "link-dir": {"link": "src"},
    "link-nowhere": {"link": "nowhere"},
    "quote\"s'.txt": "q",
    "tab\tname": "t",
    "日本.txt": "j",
}


def _listing() -> list[Call]:
    calls: list[Call] = []
    for name in ("", "src", "empty", "link-dir", "a.txt", "nothing", "src/deep/..", "link-file"):
        path = {"path": f"{{root}}/{name}".rstrip("/")}
        calls += [
            ("list_directory", path),
            ("list_directory_with_sizes", path),
            ("directory_tree", path),
        ]
        calls.append(("list_directory_with_sizes", {**path, "sortBy": "size"}))
    for patterns in (
        ["*.txt"],
        ["src"],
        ["**/*.rs"],
        ["node_modules", ".*"],
        ["src/**"],
        ["er"],
        ["deep/er"],
        ["*"],
        ["!src"],
        ["{src,empty}"],
        [""],
    ):
        calls.append(("directory_tree", {"path": "{root}", "excludePatterns": patterns}))
    for pattern in (
        "*.txt",
        "**/*.txt",
        "**/*",
        "*",
        "**",
        "src/*",
        "src/**",
        "**/er/**",
        "*.{rs,md}",
        "**/*.{rs,js}",
        "[a-z]*",
        "?*",
        "!*.txt",
        "#x",
        "",
        ".*",
        "**/.*/**",
        "nothing",
        "*e*",
        "+([0-9])",
        "link-*",
        "**/notes.txt",
        "/src/*",
        "src/",
        "SRC/*",
    ):
        calls.append(("search_files", {"path": "{root}", "pattern": pattern}))
    calls += [
        (
            "search_files",
            {"path": "{root}", "pattern": "**/*", "excludePatterns": ["src", "*.txt"]},
        ),
        (
            "search_files",
            {"path": "{root}", "pattern": "**/*.rs", "excludePatterns": ["**/deep/**"]},
        ),
        ("search_files", {"path": "{root}/link-dir", "pattern": "*.rs"}),
        ("search_files", {"path": "{root}/a.txt", "pattern": "*"}),
        ("search_files", {"path": "{root}/nothing", "pattern": "*"}),
        ("search_files", {"path": "/etc", "pattern": "*"}),
        ("search_files", {"path": "src", "pattern": "**"}),
        ("directory_tree", {"path": "src"}),
        ("directory_tree", {"path": ""}),
        ("directory_tree", {"path": ".", "excludePatterns": ["src"]}),
        ("search_files", {"path": "", "pattern": "**/*.rs"}),
        ("list_directory_with_sizes", {"path": ""}),
        ("directory_tree", {"path": "/"}),
        ("list_allowed_directories", {}),
    ]
    return calls


# The public server tells the size of what a link out of the mounts leads to; ours does not.
LEAVING: dict[str, Any] = {
    "a.txt": "a",
    "sub/out": {"link": "../../outside"},
    "sub/out.txt": {"link": "../../outside/secret.txt"},
    "etc": {"link": "/etc"},
    "passwd": {"link": "/etc/passwd"},
    "inside": {"link": "sub/../a.txt"},
    "absolute": {"link": "{root}/a.txt"},
    "absolute-dir": {"link": "{root}/sub"},
    "absolute-out": {"link": "{outside}/secret.txt"},
}
_LEAVING: list[Call] = [
    ("list_directory", {"path": "{root}"}),
    ("list_directory", {"path": "{root}/sub"}),
    ("list_directory", {"path": "{root}/sub/out"}),
    ("list_directory", {"path": "{root}/etc"}),
    ("directory_tree", {"path": "{root}"}),
    ("directory_tree", {"path": "{root}/etc"}),
    ("search_files", {"path": "{root}", "pattern": "**"}),
    ("search_files", {"path": "{root}/etc", "pattern": "**"}),
    ("read_text_file", {"path": "{root}/passwd"}),
    ("read_text_file", {"path": "{root}/etc/passwd"}),
    ("read_text_file", {"path": "{root}/sub/out.txt"}),
    ("read_text_file", {"path": "{root}/inside"}),
    ("read_text_file", {"path": "{root}/absolute"}),
    ("read_text_file", {"path": "{root}/absolute-out"}),
    ("list_directory", {"path": "{root}/absolute-dir"}),
    ("read_media_file", {"path": "{root}/passwd"}),
    ("get_file_info", {"path": "{root}/passwd"}),
    ("get_file_info", {"path": "{root}/etc"}),
    ("write_file", {"path": "{root}/passwd", "content": "x"}),
    ("write_file", {"path": "{root}/etc/x", "content": "x"}),
    ("edit_file", {"path": "{root}/sub/out.txt", "edits": [{"oldText": "secret", "newText": "x"}]}),
    ("move_file", {"source": "{root}/passwd", "destination": "{root}/p"}),
    ("move_file", {"source": "{root}/a.txt", "destination": "{root}/etc/a.txt"}),
    ("create_directory", {"path": "{root}/etc/x"}),
]

INFO: dict[str, Any] = {
    "plain.txt": {"text": "12345", "mode": 0o644},
    "secret.txt": {"text": "s", "mode": 0o600},
    "run.sh": {"text": "#!/bin/sh\n", "mode": 0o755},
    "weird": {"text": "", "mode": 0o421},
    "sub/x": "x",
    "link": {"link": "run.sh"},
    "out": {"link": "../outside/secret.txt"},
}
_INFO: list[Call] = [
    ("get_file_info", {"path": f"{{root}}/{name}"})
    for name in (
        "plain.txt",
        "secret.txt",
        "run.sh",
        "weird",
        "sub",
        "link",
        "out",
        "nothing",
        "plain.txt/x",
    )
]

WRITING: dict[str, Any] = {
    "old.txt": {"text": "old\n", "mode": 0o640},
    "run.sh": {"text": "#!/bin/sh\n", "mode": 0o755},
    "dir/inner.txt": "inner\n",
    "link": {"link": "old.txt"},
    "dangling": {"link": "later.txt"},
    "out": {"link": "../outside/secret.txt"},
    "out-dir": {"link": "../outside"},
    "caf\u00e9.txt": "composed\n",
    "cafe\u0301-d.txt": "decomposed\n",
}
_WRITING: list[Call] = [
    ("write_file", {"path": "{root}/new.txt", "content": "new é\n"}),
    ("write_file", {"path": "{root}/new.txt", "content": ""}),
    ("write_file", {"path": "{root}/old.txt", "content": "changed\n"}),
    ("write_file", {"path": "{root}/run.sh", "content": "#!/bin/sh\necho\n"}),
    ("write_file", {"path": "{root}/link", "content": "through the link\n"}),
    ("write_file", {"path": "{root}/dangling", "content": "x"}),
    ("write_file", {"path": "{root}/out", "content": "x"}),
    ("write_file", {"path": "{root}/out-dir/new", "content": "x"}),
    ("write_file", {"path": "{root}/nowhere/new.txt", "content": "x"}),
    ("write_file", {"path": "{root}/old.txt/new.txt", "content": "x"}),
    ("write_file", {"path": "/etc/sanderling-test", "content": "x"}),
    ("write_file", {"path": "relative.txt", "content": "r"}),
    ("write_file", {"path": "{root}/cafe\u0301.txt", "content": "same name\n"}),
    ("write_file", {"path": "{root}/caf\u00e9-d.txt", "content": "same name too\n"}),
    ("read_text_file", {"path": "{root}/cafe\u0301.txt"}),
    ("create_directory", {"path": "{root}/a/b/c"}),
    ("create_directory", {"path": "{root}/a/b/c"}),
    ("create_directory", {"path": "{root}/old.txt"}),
    ("create_directory", {"path": "{root}/old.txt/x"}),
    ("create_directory", {"path": "{root}/out-dir/x"}),
    ("create_directory", {"path": "{root}/../outside/x"}),
    ("create_directory", {"path": "{root}"}),
    ("write_file", {"path": "{root}/a/b/c/f", "content": "f"}),
    ("move_file", {"source": "{root}/new.txt", "destination": "{root}/a/moved.txt"}),
    ("move_file", {"source": "{root}/a", "destination": "{root}/z"}),
    ("move_file", {"source": "{root}/z", "destination": "{root}/z/inside"}),
    ("move_file", {"source": "{root}/old.txt", "destination": "{root}/run.sh"}),
    ("move_file", {"source": "{root}/old.txt", "destination": "{root}/dir"}),
    ("move_file", {"source": "{root}/nothing", "destination": "{root}/else"}),
    ("move_file", {"source": "{root}", "destination": "{root}/dir/itself"}),
    ("move_file", {"source": "{root}/old.txt", "destination": "{root}/no/where"}),
    ("move_file", {"source": "{root}/old.txt", "destination": "/tmp/x/y"}),
    ("move_file", {"source": "/etc/passwd", "destination": "{root}/p"}),
    ("move_file", {"source": "{root}/out", "destination": "{root}/p"}),
    ("move_file", {"source": "{root}/link", "destination": "{root}/was-linked.txt"}),
    ("write_file", {"path": "{root}/" + "n" * 255, "content": "as long as names can be\n"}),
    ("write_file", {"path": "{root}/" + "n" * 256, "content": "longer\n"}),
    ("read_text_file", {"path": "{root}/" + "n" * 255}),
    ("list_directory", {"path": "{root}"}),
]

_CODE = """def first():
    if ready:
        go()
    return 1


def second():
\tif ready:
\t\tgo()
    return 2


class Third:
    def method(self):
        pass

    def other(self):
        pass
"""
EDITING: dict[str, Any] = {
    "code.py": {"text": _CODE, "mode": 0o755},
    "crlf.txt": "one\r\ntwo\r\nthree\r\n",
    "short.txt": "a",
    "ticks.md": "```\ncode\n```\n",
    "numbers.txt": "".join(f"{number}\n" for number in range(1, 61)),
    "link": {"link": "short.txt"},
}


def _edit(name: str, *pairs: tuple[str, str], dry: bool | None = None) -> Call:
    edits = [{"oldText": old, "newText": new} for old, new in pairs]
    arguments: dict[str, Any] = {"path": f"{{root}}/{name}", "edits": edits}
    if dry is not None:
        arguments["dryRun"] = dry
    return "edit_file", arguments


_EDITING: list[Call] = [
    _edit("code.py", ("return 1", "return one"), dry=True),
    _edit("code.py", ("return 1", "return one")),
    _edit("code.py", ("if ready:\n    go()", "if steady:\n    run()\n    go()"), dry=False),
    _edit(
        "code.py",
        ("  def method(self):\n      pass", "  def method(self):\n      return self\n    # end"),
        dry=True,
    ),
    _edit("code.py", ("nothing like it", "x")),
    _edit(
        "code.py",
        ("return 2", "return two"),
        ("return two", "return 22"),
        ("class Third", "class $& $1 Third"),
    ),
    _edit("code.py", ("pass", "..."), dry=True),
    _edit("code.py", ("def second():\r\n", "def second(x):\r\n"), dry=True),
    _edit("code.py", ("", "# top\n"), dry=True),
    _edit("code.py", ("class", "interface"), ("nope", "x")),
    _edit("code.py", dry=True),
    # Only tried: the original changes the ends of all lines (docs/differences.md).
    _edit("crlf.txt", ("two\r\nthree", "2\r\n3"), dry=True),
    _edit("short.txt", ("a", "b\n")),
    _edit("short.txt", ("b\n", "b"), dry=True),
    _edit("short.txt", ("b\n", ""), dry=True),
    _edit("ticks.md", ("code", "more ````code````")),
    _edit(
        "numbers.txt",
        ("5\n", "five\n"),
        ("20\n", "twenty\n"),
        ("23\n", ""),
        ("40\n", "40\n40.5\n"),
        dry=True,
    ),
    _edit("numbers.txt", ("1\n2\n3\n", "3\n2\n1\n"), ("58\n59\n60\n", "x\n60\n58\ny"), dry=True),
    _edit(
        "numbers.txt",
        ("10\n11\n12\n13\n", "13\n12\n11\n10\n"),
        ("30\n31\n", "31\n30\n29\n31\n30\n"),
        dry=True,
    ),
    _edit("link", ("b", "through")),
    _edit("nothing", ("a", "b")),
    _edit("", ("a", "b")),
    ("edit_file", {"path": "/etc/passwd", "edits": [{"oldText": "root", "newText": "x"}]}),
]

WRONG: list[Call] = [
    ("read_text_file", {}),
    ("read_text_file", {"path": 5}),
    ("read_text_file", {"path": None}),
    ("read_text_file", {"path": "{root}/f", "tail": "3"}),
    ("read_text_file", {"path": "{root}/f", "tail": None}),
    ("read_multiple_files", {"paths": []}),
    ("read_multiple_files", {"paths": ["{root}/f", 5]}),
    ("read_multiple_files", {"paths": "{root}/f"}),
    ("write_file", {"path": "{root}/f"}),
    ("write_file", {"path": "{root}/f", "content": 5}),
    ("edit_file", {"path": "{root}/f", "edits": [{"oldText": "x"}]}),
    ("edit_file", {"path": "{root}/f", "edits": {}}),
    ("edit_file", {"path": "{root}/f", "edits": [], "dryRun": "yes"}),
    ("list_directory_with_sizes", {"path": "{root}", "sortBy": "date"}),
    ("search_files", {"path": "{root}"}),
    ("search_files", {"path": "{root}", "pattern": "*", "excludePatterns": "x"}),
    ("move_file", {"source": "{root}/f"}),
]

SCENARIOS: dict[str, tuple[dict[str, Any], list[Call]]] = {
    "reading": (READING, _reading()),
    "listing": (LISTING, _listing()),
    "leaving": (LEAVING, _LEAVING),
    "info": (INFO, _INFO),
    "writing": (WRITING, _WRITING),
    "editing": (EDITING, _EDITING),
    "wrong arguments": ({"f": "x"}, WRONG),
}
