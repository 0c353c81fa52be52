"""MCP's streamable HTTP transport: what a POST means, and which status an answer gets.

Two eras share one endpoint (https://modelcontextprotocol.io/specification). Until
2025-11-25 a client initialises, and may keep a session by its id. From 2026-07-28
on each request stands alone and repeats in headers what its body says, so that a
proxy can route it; whoever disagrees with itself is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from edge_agent.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, parse
from edge_agent.serving.answerer import error_answer
from edge_agent.serving.web.http1 import Head, Response

HANDSHAKE_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
SESSION_HEADER: Final = "mcp-session-id"
_VERSION_HEADER: Final = "mcp-protocol-version"
_ROUTING_HEADERS: Final = frozenset({_VERSION_HEADER, "mcp-method", "mcp-name", SESSION_HEADER})
_VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
_NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_BASE64: Final = re.compile(r"=\?base64\?([A-Za-z0-9+/=]*)\?=")

HEADER_MISMATCH: Final = -32020
_MISSING_CAPABILITY: Final = -32021
_UNSUPPORTED_VERSION: Final = -32022
_STATUS: Final = {
    PARSE_ERROR: HTTPStatus.BAD_REQUEST,
    INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
    INVALID_PARAMS: HTTPStatus.BAD_REQUEST,
    HEADER_MISMATCH: HTTPStatus.BAD_REQUEST,
    _MISSING_CAPABILITY: HTTPStatus.BAD_REQUEST,
    _UNSUPPORTED_VERSION: HTTPStatus.BAD_REQUEST,
    METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came by POST. ``modern``: of the era without sessions.

    ``request_id`` is None in a notification and in a response.
    """

    data: bytes
    method: str
    request_id: Any
    params: dict[str, Any]
    modern: bool

    @property
    def expects_answer(self) -> bool:
        """Whether it is a request."""
        return self.request_id is not None


class Refused(Exception):
    """A message that gets no further than this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status.phrase)
        self.response = response


def read_message(head: Head, body: bytes) -> Message:
    """Return the message of a POST.

    Raises:
        Refused: it is none, or its headers say something else.
    """
    kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _refusal(
            INVALID_REQUEST,
            "send Content-Type: application/json",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    try:
        parsed = parse(body)
    except ValueError:
        raise _refusal(PARSE_ERROR, "the body is not JSON") from None
    if not isinstance(parsed, dict):
        raise _refusal(INVALID_REQUEST, "the body must be one JSON object")
    message = _message_of(parsed, body)
    repeated = head.repeated & _ROUTING_HEADERS
    if repeated:
        raise _refusal(HEADER_MISMATCH, f"{min(repeated)} header appears twice", message)
    if message.expects_answer and message.modern:
        _check_routing(head, message)
    elif message.expects_answer and message.method != "initialize":
        _check_version(head, message)
    return message


def _message_of(parsed: dict[str, Any], body: bytes) -> Message:
    method, request_id = parsed.get("method"), parsed.get("id")
    if not isinstance(method, str):
        if "result" in parsed or "error" in parsed:
            return Message(body, "", None, {}, modern=False)
        raise _refusal(INVALID_REQUEST, '"method" must be a string')
    if "id" in parsed and (isinstance(request_id, bool) or not isinstance(request_id, str | int)):
        raise _refusal(INVALID_REQUEST, '"id" must be a string or a number')
    params = parsed.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    modern = method == "server/discover" or (isinstance(meta, dict) and _VERSION_KEY in meta)
    return Message(body, method, request_id, params, modern)


def _check_version(head: Head, message: Message) -> None:
    version = head.headers.get(_VERSION_HEADER, HANDSHAKE_VERSIONS[0])
    if version not in HANDSHAKE_VERSIONS:
        known = ", ".join(HANDSHAKE_VERSIONS)
        raise _refusal(
            INVALID_REQUEST, f"{_VERSION_HEADER} {version!r} does not fit; use {known}", message
        )


def _check_routing(head: Head, message: Message) -> None:
    """Compare the headers that a proxy may route by with the body."""
    meta = message.params.get("_meta")
    wanted = {
        _VERSION_HEADER: meta.get(_VERSION_KEY) if isinstance(meta, dict) else None,
        "mcp-method": message.method,
    }
    key = _NAMED_BY.get(message.method)
    if key is not None:
        wanted["mcp-name"] = message.params.get(key)
    for name, value in wanted.items():
        if value is not None and _decoded(head.headers.get(name)) != value:
            raise _refusal(
                HEADER_MISMATCH, f"{name} header does not match the request's body", message
            )


def _decoded(value: str | None) -> str | None:
    """Return a header's value, of which what is no plain ASCII comes as base64."""
    match = _BASE64.fullmatch(value or "")
    if match is None:
        return value
    try:
        return base64.b64decode(match[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def to_response(message: Message, answer: bytes) -> Response:
    """Wrap a module's answer; an empty one goes with a notification."""
    if not answer:
        return Response(HTTPStatus.ACCEPTED)
    status = HTTPStatus.OK
    if message.modern and b'"error"' in answer:
        status = _STATUS.get(_error_code(answer), status)
    return Response(status, answer)


def succeeded(answer: bytes) -> bool:
    """Say whether an answer holds a result."""
    parsed = parse(answer) if answer else None
    return isinstance(parsed, dict) and "result" in parsed


def _error_code(answer: bytes) -> int:
    parsed = parse(answer)
    error = parsed.get("error") if isinstance(parsed, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else 0


def _refusal(
    code: int,
    reason: str,
    message: Message | None = None,
    status: HTTPStatus = HTTPStatus.BAD_REQUEST,
) -> Refused:
    request_id = None if message is None else message.request_id
    return Refused(Response(status, error_answer(request_id, reason, code)))
