"""What `edit_file` leaves as it was: line ends, the byte order mark, bytes that are no UTF-8.

The original changes them all (docs/differences.md), so nothing is compared with it here.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import examples
from tests.wasm_tools.module import Module
from wasm_tools import module_path

GUEST = "/mounted"


@pytest.fixture
def module(tmp_path: Path) -> Module:
    return Module(module_path("filesystem"), {GUEST: tmp_path})


def edit(module: Module, *pairs: tuple[str, str], dry: bool = False) -> dict[str, Any]:
    edits = [{"oldText": old, "newText": new} for old, new in pairs]
    return module.call("edit_file", {"path": f"{GUEST}/f", "edits": edits, "dryRun": dry})


CASES: list[tuple[bytes, tuple[str, str], bytes]] = [
    (b"a\r\nb\r\nc\r\n", ("b", "x\ny"), b"a\r\nx\r\ny\r\nc\r\n"),
    (b"a\r\nb\r\nc\r\n", ("a\nb\nc\n", "a\nc\n"), b"a\r\nc\r\n"),
    (b"a\r\nb\r\n", ("a\r\nb\r\n", ""), b""),
    (b"a\nb\n", ("a\r\nb", "a\r\nx\r\nb"), b"a\nx\nb\n"),
    (b"a\r\nb\nc\r\nd\n", ("b\nc", "b\nx\nc"), b"a\r\nb\nx\nc\r\nd\n"),
    (b"a\nb\r\nc\n", ("b", "x\ny"), b"a\nx\r\ny\r\nc\n"),
    (b"a\r\nb", ("b", "x\ny"), b"a\r\nx\r\ny"),
    (b"one\rtwo\r\r\nthree\n", ("three", "3"), b"one\rtwo\r\r\n3\n"),
    (b"\xef\xbb\xbfa\r\nb\r\n", ("a", "x\ny"), b"\xef\xbb\xbfx\r\ny\r\nb\r\n"),
    (b"\xef\xbb\xbfa\n", ("\ufeffa", "\ufeffx"), b"\xef\xbb\xbfx\n"),
    (b"\xef\xbb\xbfif a:\n    b\n", ("  if a:\n  b", "  if x:\n    y"), b"\xef\xbb\xbfif x:\n  y\n"),
    (b"caf\xe9 one\r\ntwo\xff\r\n", ("one", "1"), b"caf\xe9 1\r\ntwo\xff\r\n"),
    (b"\x89PNG\r\n\x1a\n\x00name\x00", ("name", "na\u00efve"), b"\x89PNG\r\n\x1a\n\x00na\xc3\xafve\x00"),
    ("日本\r\n語\n".encode(), ("本", "x"), "日x\r\n語\n".encode()),
    (b"  if x:\r\n    y()\r\n", ("if x:\ny()", "if z:\nw()"), b"  if z:\r\nw()\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "pair", "after"), CASES, ids=range(len(CASES)))
def test_only_what_is_edited_changes(
    module: Module, tmp_path: Path, before: bytes, pair: tuple[str, str], after: bytes
) -> None:
    file = tmp_path / "f"
    file.write_bytes(before)
    tried = edit(module, pair, dry=True)
    assert file.read_bytes() == before
    made = edit(module, pair)
    assert not made["isError"], made
    assert made == tried
    assert file.read_bytes() == after


def test_an_edit_that_changes_nothing_changes_no_byte(module: Module, tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfa\r\nb\nc\r\r\n\xe9\xff\n\xf4\x8f\xbc\x80"
    (tmp_path / "f").write_bytes(content)
    assert not edit(module, ("a", "a"))["isError"]
    assert (tmp_path / "f").read_bytes() == content


def test_bytes_that_no_text_can_name_are_named_by_no_edit(module: Module, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"caf\xe9\n")
    missing = edit(module, ("caf\ufffd", "coffee"))
    assert missing["isError"]
    assert "not UTF-8" in missing["content"][0]["text"]
    ambiguous = edit(module, ("caf", "\U0010ff41"))
    assert ambiguous["isError"]
    assert "U+10FF00" in ambiguous["content"][0]["text"]
    assert (tmp_path / "f").read_bytes() == b"caf\xe9\n"


def test_where_nothing_was_read_the_call_failed(module: Module, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")

    def read(*names: str) -> dict[str, Any]:
        return module.call("read_multiple_files", {"paths": [f"{GUEST}/{name}" for name in names]})

    assert not read("f", "absent")["isError"]
    none = read("absent", "missing")
    assert none["isError"]
    assert (
        "ENOENT: no such file or directory, open '/mounted/missing'" in none["content"][0]["text"]
    )


PIECES = st.sampled_from([b"a", b"b", b"\r\n", b"\n", b"\r", b"\xe9", b"\xc3\xa9", b"\xef\xbb\xbf"])


@examples(60)
@given(
    st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=12), st.sampled_from(["\n", "\r\n"])
)
def test_the_rest_of_any_file_stays(
    tmp_path_factory: pytest.TempPathFactory, head: list[bytes], tail: list[bytes], end: str
) -> None:
    place = tmp_path_factory.mktemp("any")
    before, after = b"".join(head), b"".join(tail)
    # Neither may join with what stands between them.
    content = before + b" HERE\nAND THERE " + after
    (place / "f").write_bytes(content)
    module = Module(module_path("filesystem"), {GUEST: place})
    made = edit(module, (f"HERE{end}AND", f"1{end}2{end}3"))
    assert not made["isError"], made
    assert (place / "f").read_bytes() == before + b" 1\n2\n3 THERE " + after
    digest = hashlib.sha256(content).hexdigest()
    assert not edit(module, ("1\n2\n3", "HERE\nAND"))["isError"]
    assert hashlib.sha256((place / "f").read_bytes()).hexdigest() == digest
