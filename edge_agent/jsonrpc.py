"""JSON-RPC as bytes: a call's message put together, an answer taken apart.

Arguments and results can be megabytes, so both pass through as they are;
an answer is parsed once, to know that it is what it claims to be.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from edge_agent.errors import BadAnswer, OutputTooLarge

_ANSWER_HEAD: Final = b'{"jsonrpc":"2.0","id":1,"result":'
# About a hundred megabytes of objects, where each is as large as it can be.
MOST_VALUES: Final = 500_000
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
# Codes of errors (https://www.jsonrpc.org/specification#error_object).
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_STRICT: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def parse(text: bytes) -> Any:
    """Parse strict JSON in UTF-8.

    Raises:
        ValueError: it is not, or nests too deep.
    """
    try:
        value = _STRICT.decode(text.decode())
        if _SURROGATE.search(text):
            # A half of a pair alone is no text, and could not be passed on.
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it nests too deep") from None
    return value


def parse_foreign(text: bytes) -> Any:
    """Parse what a tool server wrote, after a look at how much memory that may take.

    Sixteen megabytes of ``[],`` would become half a gigabyte of objects.

    Raises:
        ValueError: it is no strict JSON in UTF-8, or nests too deep.
        OutputTooLarge: it holds more values than any real answer.
    """
    if _values_at_most(text) > MOST_VALUES:
        values = _values_at_most(_STRING.sub(b'""', text))
        if values > MOST_VALUES:
            raise OutputTooLarge(
                f"answer of {values} JSON values is over the limit of {MOST_VALUES}; ask for less"
            )
    return parse(text)


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
    """Return the CallToolResult of an answer, as JSON.

    A JSON-RPC error becomes a result with ``isError``: the caller asked a tool,
    and that is how a tool says no.

    Raises:
        BadAnswer: the answer is no JSON-RPC response to the call.
        OutputTooLarge: it holds too many values to look at.
    """
    result = _plain_result(answer)
    if result is not None:
        return result
    message = _parse_object(answer)
    if message.get("jsonrpc") != "2.0" or message.get("id") not in {1, None}:
        raise BadAnswer("the tool server's answer is no JSON-RPC response to the call")
    error = message.get("error")
    if isinstance(error, dict):
        return error_result(str(error.get("message", "the tool server gave no reason")))
    _check_result(message.get("result"))
    return json.dumps(message["result"], ensure_ascii=False, separators=(",", ":")).encode()


def error_result(text: str) -> bytes:
    """Return a CallToolResult that says in ``text`` why there is no better one."""
    result = {"content": [{"type": "text", "text": text}], "isError": True}
    return json.dumps(result, ensure_ascii=False).encode(errors="replace")


def _plain_result(answer: bytes) -> bytes | None:
    """Cut the result out of an answer in the usual form, or return None."""
    if not answer.startswith(_ANSWER_HEAD) or not answer.endswith(b"}"):
        return None
    result = answer[len(_ANSWER_HEAD) : -1]
    try:
        _check_result(parse_foreign(result))
    except ValueError:
        return None
    return result


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


def _check_result(result: Any) -> None:
    # Newer protocol eras have results without content, which name their type.
    if not isinstance(result, dict) or not (
        isinstance(result.get("content"), list) or isinstance(result.get("resultType"), str)
    ):
        raise BadAnswer("the tool server's answer holds no tool result: it has no content list")
