"""A JSON value as fingerprints see it: the same words, however they are written.

JSON's keys and escapes, URL and HTML escapes, letters' case and width, accents, punctuation and
white space make no difference; what stands in base64 or hexadecimal is read as well.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from pydantic_core import from_json

from dispatcher.policy.flow.other_forms import other_forms

#: The most that something encoded is unpacked to.
UNPACKED_MAX: Final = 8 * 1024 * 1024

_UNICODE: Final = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+")
_BYTES: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
_PERCENT: Final = re.compile(rb"%[0-9a-fA-F]{2}")
_ENTITY: Final = re.compile(rb"&(?:#?\w{2,8});")
#: Keys that look like a program's names; others (an address, a sentence, an id) are content.
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z_$.-]{0,39}[0-9]{0,2}")
_KEY: Final = re.compile(rb'"' + _NAME.pattern.encode() + rb'"\s*:')
_NAMES_KEPT: Final = 4096
#: Beyond ASCII what is neither letter nor digit: marks, quotes, dashes, spaces, zero widths.
_NO_WORD: Final = re.compile(r"[^\w\x00-\x7f]")
_DEPTH: Final = 3  # of what stands encoded in what stands encoded
_ENCODED_MIN: Final = 24
_ENCODED: Final = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX: Final = re.compile(rb"[0-9a-fA-F]+")
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
#: Every letter of base64 becomes an ``a``, so that a long run is found by one search.
_RUNS: Final = bytes(97 if one in _ALPHABET else 32 for one in range(256))
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")

_END: Final = "\n"  # of a record: what stands at one place in each is a column

_names: set[str] = set()


def readings(value: Any) -> Iterator[bytes]:
    """The values of a JSON value as one plain text, and each text that stands encoded in it."""
    found: list[str] = []
    _gather(value, found, 0)
    return _plain(" ".join(found).encode(errors="replace"), 0)


def _gather(value: Any, found: list[str], depth: int) -> None:
    """All that is no structure, in order. JSON within a string is read as JSON."""
    kind = type(value)
    if kind is str:
        _gather_text(value, found, depth)
    elif kind is dict:
        for key, inner in value.items():
            if key not in _names and not _is_name(key):
                found.append(key)
            if type(inner) is str and inner[:1] not in ("{", "["):
                found.append(inner)
            else:
                _gather(inner, found, depth)
        found.append(_END)
    elif kind is list or kind is tuple:
        for inner in value:
            _gather(inner, found, depth)
        found.append(_END)
    elif value is not None and kind is not bool:
        found.append(str(value))


def _gather_text(value: str, found: list[str], depth: int) -> None:
    if depth < _DEPTH and value[:1] in ("{", "[") and value.rstrip()[-1:] in ("}", "]"):
        with suppress(ValueError):
            _gather(from_json(value), found, depth + 1)
            return
    found.append(value)


def _is_name(key: object) -> bool:
    if not isinstance(key, str) or not _NAME.fullmatch(key):
        return False
    if len(_names) < _NAMES_KEPT:
        _names.add(key)
    return True


def _plain(text: bytes, depth: int) -> Iterator[bytes]:
    if b"\\" in text:
        text = _unescaped(text)
    if b"%" in text and _PERCENT.search(text):
        text = unquote_to_bytes(text)
    if b"&" in text and _ENTITY.search(text):
        text = html.unescape(text.decode(errors="replace")).encode(errors="replace")
    if depth < _DEPTH and b"a" * _ENCODED_MIN in text.translate(_RUNS):
        for found in _ENCODED.finditer(text):
            for inner in _decoded(found.group()):
                yield from _plain(inner, depth + 1)
    if b'":' in text or b'" :' in text:
        text = _KEY.sub(b" ", text)
    yield text if text.isascii() else _folded(text)
    for other in other_forms(text):
        yield other if other.isascii() else _folded(other)


def _unescaped(text: bytes) -> bytes:
    while b"\\\\" in text:
        text = text.replace(b"\\\\", b"\\")
    if b"\\u" in text:
        text = _UNICODE.sub(_characters, text)
    if b"\\x" in text:
        text = _BYTES.sub(lambda found: bytes.fromhex(found[1].decode()), text)
    for letter in (b"n", b"r", b"t", b"f", b"b", b"v"):
        text = text.replace(b"\\" + letter, b"\n")
    return text.replace(b'\\"', b'"')


def _characters(found: re.Match[bytes]) -> bytes:
    digits = found.group().replace(b"\\u", b"").decode()
    return bytes.fromhex(digits).decode("utf-16-be", errors="ignore").encode()


def _folded(text: bytes) -> bytes:
    """Compatibility forms decomposed, marks and punctuation beyond ASCII left out."""
    form = unicodedata.normalize("NFKD", text.decode(errors="replace")).casefold()
    return _NO_WORD.sub("", form).encode(errors="replace")


def _decoded(run: bytes) -> Iterator[bytes]:
    """The texts that a run of letters and digits may be the base64 or the hexadecimal of."""
    if len(run) % 2 == 0 and _HEX.fullmatch(run):
        yield from _texts(bytes.fromhex(run.decode()))
        return
    plain = run.rstrip(b"=").translate(_URL_SAFE)
    # A run that was cut, or has something stuck to its front, is read from each of four places.
    for skip in range(4):
        piece = plain[skip:]
        piece = piece[: len(piece) - (len(piece) % 4 == 1)]
        try:
            data = base64.b64decode(piece + b"=" * (-len(piece) % 4))
        except (binascii.Error, ValueError):
            continue
        found = list(_texts(data))
        if found:
            yield from found
            return


def _texts(data: bytes) -> Iterator[bytes]:
    """Bytes that are text, or that are text once gzip or zlib has unpacked them."""
    if data[:2] in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
        try:
            data = zlib.decompressobj(47).decompress(data, UNPACKED_MAX)
        except zlib.error:
            return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:  # not only a last character that was cut
            return
        text = data[: error.start].decode()
    start = text[:256]
    shown = sum(one.isprintable() or one in "\r\n\t" for one in start)
    if text and shown > 0.9 * len(start):
        yield text.encode()
