"""What a server's HTTP errors say, as far as they say it."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from typing import Any, Final

from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.errors import CallFailed, ServerDied
from edge_agent.jsonrpc import parse_foreign

REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
#: JSON-RPC codes by which servers say that a session is not known to them.
_OF_SESSIONS: Final = (-32000, -32001, -32600)


def refusal(name: str, response: http.client.HTTPResponse) -> CallFailed:
    """What is raised for an answer that is an error of HTTP and nothing more."""
    status, wait = response.status, response.getheader("retry-after") or ""
    if status in REFUSED:
        return CallFailed(
            f"{name}: refused the token ({status}); give another by bearer_env, bearer_file or "
            f"headers, or log in by `edge-agent login {name}`"
        )
    if status in BUSY:
        again = f"; asks to be left alone for {wait} s" if wait.isdigit() else ""
        return CallFailed(f"{name}: is too busy ({status} {response.reason}){again}")
    return ServerDied(f"{name}: answered {status} {response.reason}")


def is_answer(body: bytes, pending: PendingRequest) -> bool:
    """Whether an error is the server's answer to this very request, which it knows the session of."""
    own = json_error(body)
    if own is None:
        return False
    error, number = own
    of_session = error.get("code") in _OF_SESSIONS or "session" in str(error.get("message")).lower()
    return str(number) == str(pending.number) and not of_session


def json_error(body: bytes) -> tuple[dict[str, Any], Any] | None:
    """The JSON-RPC error that a body is, and its ``id``; None for any other body."""
    try:
        message = parse_foreign(body)
    except (ValueError, CallFailed):
        return None
    error = message.get("error") if isinstance(message, dict) else None
    return (error, message.get("id")) if isinstance(error, dict) else None


def same_but_for_id(one: bytes, other: bytes) -> bool:
    """Whether two bodies say the same."""
    first, second = json_error(one), json_error(other)
    return one == other if first is None or second is None else first[0] == second[0]
