"""Which requests of one connection are in flight, by their ids.

An id names one request until it is answered: a second of the same id would get the answer of the
first (or the first of the second), so it is refused. 1 and "1" are two ids; the SDK takes them for
one, so texts that look like numbers travel through it under another name.

Source: MCP 2025-11-25, "Requests": an id must not have been used before in the session.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

Id = str | int

# As the SDK has them; it is not imported here, since a bridge needs none of it.
_INVALID_REQUEST: Final = -32600
_INVALID_PARAMS: Final = -32602
_PREFIX: Final = "text:"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HALF_PAIR: Final = "holds half of a surrogate pair, which is no text; send the whole character"


def inner(number: Id) -> Id:
    """The id by which the SDK knows a request."""
    if isinstance(number, str) and (number.startswith(_PREFIX) or _looks_whole(number)):
        return _PREFIX + number
    return number


def outer(number: Id) -> Id:
    """The id that the client gave, of one by which the SDK knows it."""
    return number.removeprefix(_PREFIX) if isinstance(number, str) else number


def is_id(number: object) -> TypeGuard[Id]:
    """Whether a value can be an id at all."""
    return isinstance(number, str | int) and not isinstance(number, bool)


def odd_id(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer to a request whose id is none; without it the client would wait for ever.

    A notification may have a null one, as some clients write it.
    """
    method = message.get("method")
    if not isinstance(method, str) or "id" not in message or is_id(message["id"]):
        return None
    if method.startswith("notifications/"):
        return None
    return _error(None, _INVALID_REQUEST, f"{method}: its id must be a text or a whole number")


def refusal(number: Id) -> dict[str, Any]:
    """The answer to a request whose id is in flight."""
    line = f"id {number!r}: a request of this id still runs; give each an id of its own"
    return _error(number, _INVALID_REQUEST, line)


def unread(text: bytes) -> dict[str, Any] | bytes | None:
    """What becomes of a message that the SDK does not read, where JSON's own reader does.

    A request's answer, which says why; a client's reply with the fault mended, since a call waits
    for it; None for all else.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not _SURROGATE.search(
        json.dumps(message, ensure_ascii=False)
    ):
        return None
    if "method" not in message:
        return _SURROGATE.sub("\ufffd", json.dumps(message, ensure_ascii=False)).encode()
    number = message.get("id")
    if not is_id(number) or (isinstance(number, str) and _SURROGATE.search(number)):
        return None
    return _error(number, _INVALID_PARAMS, f"{message['method']}: {_HALF_PAIR}")


class OpenIds:
    """The ids in flight. Each is open until it is answered and its exchange is over."""

    def __init__(self) -> None:
        self._open: dict[Id, set[str]] = {}

    def begin(self, number: Id) -> bool:
        """A request came; False if one of its id is in flight."""
        if number in self._open:
            return False
        self._open[number] = {"answer", "exchange"}
        return True

    def answered(self, number: Id) -> None:
        """Its answer is made, or it will get none."""
        self._settle(number, "answer")

    def exchanged(self, number: Id) -> None:
        """Its client has the answer, or has gone."""
        self._settle(number, "exchange")

    def _settle(self, number: Id, what: str) -> None:
        left = self._open.get(number)
        if left is not None:
            left.discard(what)
            if not left:
                del self._open[number]


def _looks_whole(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
