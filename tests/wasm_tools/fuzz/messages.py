"""Messages that no good client sends: a fixed list, and mutations of valid calls by seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

DEEP = 100_000
HUGE = 400_000
LONG = 10_000  # a text as long grows no further
MOST_BYTES = 2_000_000
PATHS = [
    "/data",
    "/data/a.txt",
    "/data/x.png",
    "/data/sub",
    "/",
    "",
    ".",
    "..",
    "/data/../etc",
    "/x",
]
TEXTS = ["", "a", "0", "-1", "naïve", "\u0000", "\ud83d\ude00", "漢字" * 50, "x" * 5000, "--help"]
TEXTS += [
    "2026-11-24T15:05:00",
    "12:30",
    "Europe/Berlin",
    "%s%n",
    "(((((",
    "[[:alpha:]]",
    "\\",
    "'\"",
]
NUMBERS: list[Any] = [0, 1, -1, 2**31, 2**53 + 1, -(2**63), 2**64, 1e308, -1e-308, 0.5, 10**400]
ODD: list[Any] = [None, True, False, [], {}, [[]], [None], {"": None}, "", *NUMBERS, *TEXTS]
_MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def raw(value: Any) -> bytes:
    """Compact JSON; halves of surrogate pairs stay escaped."""
    return json.dumps(value, separators=(",", ":")).encode()


def call(tool: Any, arguments: Any, **more: Any) -> dict[str, Any]:
    """A ``tools/call`` request."""
    params = {"name": tool, "arguments": arguments} | more
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def malformed(tool: str) -> list[bytes]:
    """What is no JSON, no JSON-RPC or no MCP; each with what a client may have got wrong."""
    valid = raw(call(tool, {}))
    texts = [
        b"",
        b" ",
        b"\0",
        b"{",
        b"}",
        b"[",
        b"null",
        b"true",
        b"1",
        b'"x"',
        b"[]",
        b"{}",
        b"NaN",
    ]
    texts += [b"\xff", b"\xef\xbb\xbf" + valid, valid + b"}", valid * 2, valid[:-1], b"\n" * 100]
    texts += [valid.replace(b":", b"="), valid.replace(b'"', b"'"), b"[" + valid + b"]"]
    texts += [valid.decode().encode("utf-16"), valid.decode().encode("utf-32")]
    texts += [b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP, b'"' + b"\\" * HUGE]
    texts += [b'"' * HUGE, b"," * HUGE, b"9" * HUGE, b"-" * HUGE, b"\\u0000" * 1000, b"{" * HUGE]
    bad_text = [
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
        b"\x80",
        b"\x01",
    ]
    bad_text += [b"\\ud800", b"\\udc00\\ud800", b"\\u12", b"\\x41", b"\\", b"\0", b"\n"]
    for bad in bad_text:
        texts.append(b'{"jsonrpc":"2.0","id":"' + bad + b'","method":"ping"}')
        texts.append(b'{"jsonrpc":"2.0","id":1,"method":"' + bad + b'"}')
        texts.append(valid.replace(b"{}", b'{"' + bad + b'":"' + bad + b'"}'))
    return texts


def confused(tool: str) -> list[bytes]:
    """JSON that is no request, or a request for what isn't there."""
    valid = call(tool, {})
    messages: list[Any] = [valid | {"jsonrpc": odd} for odd in (None, "1.0", 2.0, [], {})]
    messages += [valid | {"id": odd} for odd in ODD]
    messages += [valid | {"method": odd} for odd in ODD]
    messages += [valid | {"params": odd} for odd in ODD]
    messages += [call(odd, {}) for odd in ODD]
    messages += [call(tool, odd) for odd in ODD]
    messages += [call(tool, {}, _meta=odd) for odd in (*ODD, _MODERN, _MODERN | {"x": ODD})]
    version = "io.modelcontextprotocol/protocolVersion"
    messages += [call(tool, {}, _meta=_MODERN | {version: odd}) for odd in ODD]
    for method in (
        "initialize",
        "tools/list",
        "ping",
        "server/discover",
        "notifications/cancelled",
    ):
        for params in (None, [], {}, {"_meta": _MODERN}, {"protocolVersion": []}, {"cursor": 5}):
            messages.append({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            messages.append({"jsonrpc": "2.0", "method": method, "params": params})
    messages += [{"jsonrpc": "2.0", "id": 1, "result": odd} for odd in ODD]
    messages += [[valid] * 100, {str(n): n for n in range(20_000)}]
    return [raw(message) for message in messages]


def swollen(tools: list[dict[str, Any]]) -> list[bytes]:
    """Valid calls whose arguments are very long, very deep or very many."""
    values = [
        b'"' + b"x" * HUGE + b'"',
        b'"' + b"\\n" * (HUGE // 4) + b'"',
        b"[" * 100 + b"]" * 100,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * 120 + b"1" + b"}" * 120,
        b"[" + b"{}," * (HUGE // 40) + b"{}]",
        b"[" + b'"",' * (HUGE // 40) + b'""]',
        b"9" * 5000,
        b"1e999",
        b"-0.0",
    ]
    messages = []
    for tool in tools:
        head = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":' + raw(
            tool["name"]
        )
        for key in [*tool["inputSchema"].get("properties", {}), "unknown"]:
            start = head + b',"arguments":{' + raw(key) + b":"
            messages += [start + value + b"}}}" for value in values]
    return messages


def mutations(tools: list[dict[str, Any]], seed: int) -> Iterator[bytes]:
    """Endless variations of valid calls: of their values first, of their bytes in a third."""
    rng = random.Random(seed)
    while True:
        tool = rng.choice(tools)
        arguments = from_schema(tool["inputSchema"], rng)
        for _ in range(rng.choice((0, 1, 1, 2, 5))):
            arguments = _changed(arguments, rng)
        meta = {"_meta": _MODERN} if rng.random() < 0.2 else {}
        message = raw(call(tool["name"], arguments, **meta))
        if rng.random() < 0.33:
            for _ in range(rng.choice((1, 1, 2, 8))):
                message = rng.choice(BYTE_CHANGES)(message, rng)
        if len(message) <= MOST_BYTES:
            yield message


def from_schema(schema: dict[str, Any], rng: random.Random, name: str = "") -> Any:
    """A value that a JSON Schema permits, more or less."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return from_schema(rng.choice(schema[key]), rng, name)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type", "string")
    kind = rng.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        return _object(schema, rng)
    if kind == "array":
        items = schema.get("items", {})
        return [from_schema(items, rng, name) for _ in range(rng.choice((0, 1, 1, 2, 3, 9)))]
    pathlike = any(word in name for word in ("path", "file", "dir", "source", "destination"))
    choices: dict[str, list[Any]] = {
        "integer": [schema.get("minimum", 0), 1, 2, 5, 100, *NUMBERS],
        "number": [schema.get("minimum", 0), 1, 2, 5, 100, *NUMBERS],
        "boolean": [True, False],
        "null": [None],
    }
    return rng.choice(choices.get(kind, PATHS if pathlike else TEXTS))


def _object(schema: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    fields, required = schema.get("properties", {}), schema.get("required", ())
    if not fields:
        return {rng.choice(TEXTS): rng.choice(ODD) for _ in range(rng.randrange(4))}
    taken = [one for one in fields if one in required or rng.random() < 0.5]
    return {one: from_schema(fields[one], rng, one) for one in taken}


def _changed(value: Any, rng: random.Random) -> Any:
    """The value with one place in it changed."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        what = rng.random()
        if what < 0.15:
            return {name: item for name, item in value.items() if name != key}
        if what < 0.3:
            return value | {rng.choice(TEXTS): rng.choice(ODD)}
        return value | {key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return [*value[:place], _changed(value[place], rng), *value[place + 1 :]]
    if isinstance(value, str) and 0 < len(value) < LONG and rng.random() < 0.3:
        return value * rng.choice((2, 100))
    return rng.choice(ODD)


def _flip(message: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(message) or 1)
    return message[:place] + bytes([rng.randrange(256)]) + message[place + 1 :]


def _insert(message: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(message) + 1)
    new = rng.choice([b'"', b"{", b"[", b",", b"\\", b"\xff", b"\0", b"null", b"\\ud800", b"1e9"])
    return message[:place] + new + message[place:]


def _cut(message: bytes, rng: random.Random) -> bytes:
    start, end = sorted((rng.randrange(len(message) + 1), rng.randrange(len(message) + 1)))
    return message[:start] + message[end:]


def _double(message: bytes, rng: random.Random) -> bytes:
    start, end = sorted((rng.randrange(len(message) + 1), rng.randrange(len(message) + 1)))
    return message[:end] + message[start:]


BYTE_CHANGES: list[Callable[[bytes, random.Random], bytes]] = [_flip, _insert, _cut, _double]
