"""What a module asks for, checked before anything is done; and what a redirect makes of it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from edge_agent.egress.limits import EgressLimits
from edge_agent.egress.refusal import Refused
from edge_agent.egress.secrets import HEADER_NAME, HEADER_VALUE
from edge_agent.egress.target import Target, parse_target, shorten

# What `exchange` can decode.
ACCEPT_ENCODING: Final = "gzip, deflate"
_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_MOST_HEADERS: Final = 64
_KEEP_METHOD: Final = frozenset({307, 308})
_NO_BODY: Final = frozenset({"GET", "HEAD"})
# Headers that belong to the connection, to the host, or to whoever holds a secret.
_NOT_A_MODULES: Final = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# What a redirect to another origin takes along: nothing that could be a credential.
_CARRIED: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a module, checked."""

    target: Target
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    redirects: int
    timeout_ms: int
    text: bool = False


def parse_request(asked: dict[str, Any], limits: EgressLimits) -> Request:
    """Check a module's request.

    Raises:
        Refused: names what is wrong.
    """
    target = parse_target(asked.get("url"))
    method = asked.get("method", "GET")
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise Refused("invalid", "method: write it in capital letters, as in GET")
    body = _body(asked, limits.request_bytes)
    if body and method in _NO_BODY:
        raise Refused("invalid", f"body: {method} has none")
    redirects, timeout_ms = asked.get("redirects", 0), asked.get("timeout_ms", limits.total_ms)
    if type(redirects) is not int or redirects < 0:
        raise Refused("invalid", "redirects: give how many to follow, from 0")
    if type(timeout_ms) is not int or timeout_ms <= 0:
        raise Refused("invalid", "timeout_ms: give milliseconds, from 1")
    text = asked.get("text", False)
    if type(text) is not bool:
        raise Refused("invalid", "text: give true or false")
    return Request(
        target=target,
        method=method,
        headers=_headers(asked.get("headers", [])),
        body=body,
        redirects=min(redirects, limits.redirects),
        timeout_ms=min(timeout_ms, limits.total_ms),
        text=text,
    )


def _headers(given: object) -> tuple[tuple[str, str], ...]:
    """Check headers, and leave out those that are not a module's to set."""
    if not isinstance(given, list) or len(given) > _MOST_HEADERS:
        raise Refused("invalid", f"headers: give a list of [name, value], {_MOST_HEADERS} at most")
    kept = []
    for pair in given:
        if not (isinstance(pair, list) and [type(part) for part in pair] == [str, str]):
            raise Refused("invalid", "headers: each is [name, value], both strings")
        name, value = pair
        if not HEADER_NAME.fullmatch(name):
            raise Refused("invalid", f"headers: {shorten(name)!r} is no name of a header")
        if not HEADER_VALUE.fullmatch(value):
            raise Refused("invalid", f"headers: the value of {name} is not printable ASCII")
        if name.lower() not in _NOT_A_MODULES and not name.lower().startswith(("proxy-", "sec-")):
            kept.append((name, value.strip()))
    return tuple(kept)


def _body(asked: dict[str, Any], most: int) -> bytes:
    text, coded = asked.get("body"), asked.get("body_base64")
    if (text is not None and not isinstance(text, str)) or (
        coded is not None and not isinstance(coded, str)
    ):
        raise Refused("invalid", "body, body_base64: give a string")
    try:
        body = base64.b64decode(coded, validate=True) if coded else (text or "").encode()
    except (binascii.Error, ValueError):
        raise Refused("invalid", "body: neither UTF-8 nor base64") from None
    if len(body) > most:
        raise Refused("invalid", f"body: {len(body)} bytes; the most is {most}")
    return body


def redirected(request: Request, status: int, location: str) -> Request:
    """Return the request that a redirect asks for, in the way of browsers (Fetch standard)."""
    try:
        target = parse_target(request.target.joined(location))
    except (Refused, ValueError):
        raise Refused(
            "redirect", f"{request.target.origin}: it redirects to what is no http or https URL"
        ) from None
    method, body, headers = request.method, request.body, request.headers
    if status not in _KEEP_METHOD and method not in _NO_BODY:
        method, body = "GET", b""
        headers = tuple(pair for pair in headers if not pair[0].lower().startswith("content-"))
    if target.origin != request.target.origin:
        headers = tuple(pair for pair in headers if pair[0].lower() in _CARRIED)
    return replace(request, target=target, method=method, body=body, headers=headers)
