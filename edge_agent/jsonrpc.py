"""JSON-RPC as bytes: a call's message put together, an answer taken apart.

Arguments and results can be megabytes, so both pass through as they are;
an answer is parsed once, to know that it is what it claims to be.

What a tool server writes is read as widely as it has a meaning: half of a surrogate pair, and
bytes that are no UTF-8, become U+FFFD; NaN and infinities null. Passed on it is strict JSON.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from edge_agent.errors import BadAnswer, OutputTooLarge
from ground import wide_json
from ground.tool_results import sound_result

_ANSWER_HEAD: Final = b'{"jsonrpc":"2.0","id":1,"result":'
# About a hundred megabytes of objects, where each is as large as it can be.
MOST_VALUES: Final = 500_000
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OBJECT: Final = re.compile(r'\{\s*"(?:jsonrpc|id|result|error)"\s*:')
# Codes of errors (https://www.jsonrpc.org/specification#error_object).
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large for a number")
    return number


_STRICT: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def parse(text: bytes) -> Any:
    """Parse strict JSON in UTF-8.

    Raises:
        ValueError: it is not, or nests too deep.
    """
    try:
        value = _STRICT.decode(text.decode())
        if b"\\u" in text and wide_json.has_surrogates(text):
            # A half of a pair alone is no text, and could not be passed on.
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it nests too deep") from None
    return value


def parse_foreign(text: bytes) -> Any:
    """Parse what a tool server wrote, after a look at how much memory that may take.

    Sixteen megabytes of ``[],`` would become half a gigabyte of objects.

    Raises:
        ValueError: it is no JSON, or nests too deep.
        OutputTooLarge: it holds more values than any real answer.
    """
    _check_size(text)
    return wide_json.read(text)


def objects_within(line: bytes) -> list[Any]:
    """JSON-RPC objects in a line that is no JSON: behind what was printed, or one after another."""
    text = wide_json.as_text(line)
    found: list[Any] = []
    start = _OBJECT.search(text)
    while start is not None:
        try:
            value, end = wide_json.DECODER.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            break
        found.append(value)
        start = _OBJECT.search(text, end)
    return found


def sound(text: bytes) -> bytes:
    """What a tool server wrote as strict JSON: the same bytes, where they are.

    Raises as :func:`parse_foreign` does.
    """
    _check_size(text)
    try:
        parse(text)
    except ValueError:
        return dump(parse_foreign(text))
    return text


def dump(value: Any) -> bytes:
    """Compact JSON in UTF-8 of a value that was parsed here."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _check_size(text: bytes) -> None:
    if _values_at_most(text) > MOST_VALUES:
        values = _values_at_most(_STRING.sub(b'""', text))
        if values > MOST_VALUES:
            raise OutputTooLarge(
                f"answer of {values} JSON values is over the limit of {MOST_VALUES}; ask for less"
            )


def _values_at_most(text: bytes) -> int:
    """Bound the number of values: each follows a bracket or a comma, or is the whole."""
    return text.count(b",") + text.count(b"[") + text.count(b"{") + 1


def make_call(tool: str, arguments: bytes, meta: bytes = b"") -> bytes:
    """Return the ``tools/call`` message; ``arguments`` and ``meta`` are JSON objects."""
    parts = [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":',
        json.dumps(tool).encode(),
        b',"arguments":',
        arguments or b"{}",
    ]
    if meta:
        parts += [b',"_meta":', meta]
    parts.append(b"}}")
    return b"".join(parts)


def read_result(answer: bytes) -> bytes:
    """Return the CallToolResult of an answer, as JSON; a JSON-RPC error as ``{"error": ...}``.

    Raises:
        BadAnswer: the answer is no JSON-RPC response to the call.
        OutputTooLarge: it holds too many values to look at.
    """
    result = _plain_result(answer)
    if result is not None:
        return result
    message = _parse_object(answer)
    if message.get("jsonrpc") != "2.0" or message.get("id") not in (1, None):
        raise BadAnswer("the tool server's answer is no JSON-RPC response to the call")
    error = read_error(message)
    if error is not None:
        return dump({"error": error})
    found = sound_result(message.get("result"))
    if found is None:
        raise BadAnswer("the tool server's answer holds no tool result: it has no content list")
    return dump(found)


def read_error(message: dict[str, Any]) -> dict[str, Any] | None:
    """The error object of a response, with the code, message and data that it came with.

    What lacks them, or is only a text, is completed; None where there is no error.
    """
    error = message.get("error")
    if error is None:
        return None
    if not isinstance(error, dict):
        error = {"message": error if isinstance(error, str) else json.dumps(error)}
    code, text = error.get("code"), error.get("message")
    whole = isinstance(code, int) and not isinstance(code, bool)
    return {
        **error,
        "code": code if whole else INTERNAL_ERROR,
        "message": text if isinstance(text, str) and text else "the tool server gave no reason",
    }


def error_result(text: str) -> bytes:
    """Return a CallToolResult that says in ``text`` why there is no better one."""
    result = {"content": [{"type": "text", "text": text}], "isError": True}
    return json.dumps(result, ensure_ascii=False).encode(errors="replace")


def _plain_result(answer: bytes) -> bytes | None:
    """Cut the result out of an answer in the usual form, or return None."""
    if not answer.startswith(_ANSWER_HEAD) or not answer.endswith(b"}"):
        return None
    result = answer[len(_ANSWER_HEAD) : -1]
    _check_size(result)
    try:
        value = parse(result)
    except ValueError:
        return None
    return result if isinstance(value, dict) and sound_result(value) is value else None


def _parse_object(answer: bytes) -> dict[str, Any]:
    if not answer:
        raise BadAnswer("the tool server gave no answer to the call")
    try:
        message = parse_foreign(answer)
    except ValueError as error:
        raise BadAnswer(f"the tool server's answer is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise BadAnswer("the tool server's answer is not a JSON object")
    return message
