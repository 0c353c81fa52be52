"""Results and errors as clients get them."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from mcp.shared.exceptions import MCPError

from dispatcher.calls.accounting import record_json
from dispatcher.calls.payloads import refusal
from dispatcher.errors import CallFailed, CallRefused, RequestError, SanderlingError
from protos.contract import ERROR_KEY, PLACEMENT_KEY, REFUSAL_KEY, WHY_KEY

log = logging.getLogger("sanderling.gateway")

FAILED: Final = -32603


def unwrapped(answer: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a server's answer; its error as the client's.

    Raises:
        MCPError: the server's own.
    """
    error = refusal(answer)
    if error is not None:
        raise refused(error)
    result = answer.get("result")
    found = dict(result) if isinstance(result, Mapping) else {}
    own = found.get("_meta")
    found["_meta"] = {**(own if isinstance(own, Mapping) else {}), **meta}
    return found


def with_text_alone(result: dict[str, Any]) -> dict[str, Any]:
    """A result whose structured content is no object, which the handshake era has as text alone."""
    structured = result["structuredContent"]
    made = {key: value for key, value in result.items() if key != "structuredContent"}
    if not made.get("content"):
        made["content"] = [{"type": "text", "text": json.dumps(structured, ensure_ascii=False)}]
    return made


def refused(error: Mapping[str, Any]) -> MCPError:
    """A server's JSON-RPC error as the client's: its code, message and data."""
    code = error.get("code")
    return MCPError(
        code if isinstance(code, int) else FAILED,
        str(error.get("message", "the server gave no reason")),
        error.get("data"),
    )


def refused_result(result: dict[str, Any]) -> dict[str, Any]:
    """A result object for those who know no JSON-RPC: a server's error as text, and in ``_meta``."""
    error = refusal(result)
    if error is None:
        return result
    meta = {**result.get("_meta", {}), ERROR_KEY: dict(error)}
    line = " ".join(str(error.get("message", "")).split())
    return _text_error(f"{line} (error {error.get('code')} of the tool's server)", meta)


def error_result(error: SanderlingError) -> dict[str, Any]:
    """An error as an MCP result: the line as text, what is known of it under ``_meta``."""
    meta: dict[str, Any] = {}
    if isinstance(error, CallRefused):
        meta[REFUSAL_KEY] = {
            "reasons": error.reasons,
            "core": list(error.core),
            "mend": error.mend,
            **({"retry_ms": error.retry_ms} if error.retry_ms else {}),
            **({"rules": error.rules} if error.rules else {}),
            **({"label": error.label} if error.label else {}),
        }
    elif isinstance(error, CallFailed) and error.placement is not None:
        meta |= {PLACEMENT_KEY: record_json(error.placement), WHY_KEY: error.placement.why}
    elif not isinstance(error, RequestError):
        log.info("%s: %s", type(error).__name__, error)
    return _text_error(str(error), meta)


def internal_error(tool: str, error: Exception) -> dict[str, Any]:
    """An unforeseen error as an MCP result: only its number, which leads to the log."""
    number = secrets.token_hex(4)
    log.error("internal error %s while calling %s", number, tool, exc_info=error)
    return _text_error(f"internal error {number}; the dispatcher's log tells more", {})


def _text_error(text: str, meta: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
    if meta:
        result["_meta"] = meta
    return result
