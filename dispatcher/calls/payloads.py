"""What travels to a node and back: a call's arguments and its result, as bytes of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic_core import PydanticSerializationError, from_json, to_json

from dispatcher.call import PlacementRecord
from dispatcher.errors import CallFailed, InvalidArguments
from ground.tool_results import sound_result

#: What stands in place of a tool's result: a server's answer to another method, or its refusal.
_ANSWERED: Final = frozenset({"error", "result"})


def json_bytes(tool: str, value: Mapping[str, Any]) -> bytes:
    """A call's arguments, or its ``_meta``, as JSON; ``tool`` is its public name.

    What the fast way cannot write, or writes as no JSON, goes the strict one.

    Raises:
        InvalidArguments: they are no JSON.
    """
    with suppress(PydanticSerializationError, ValueError):
        body = to_json(value, inf_nan_mode="constants")
        if b"NaN" not in body and b"Infinity" not in body:
            return body
    try:
        return json.dumps(
            value, separators=(",", ":"), allow_nan=False, ensure_ascii=False
        ).encode()
    except RecursionError:
        raise InvalidArguments(f"{tool}: arguments are nested too deep") from None
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise InvalidArguments(
            f"{tool}: arguments hold {half}, half of a surrogate pair; send the whole character"
        ) from None
    except (TypeError, ValueError) as error:
        raise InvalidArguments(f"{tool}: arguments are no JSON: {error}") from None


def parsed(tool: str, body: bytes, record: PlacementRecord) -> dict[str, Any]:
    """The MCP result that a node sent, such as every client can read it.

    Raises:
        CallFailed: it is none.
    """
    try:
        result = from_json(body, allow_inf_nan=False)
    except ValueError:
        result = None
    if isinstance(result, dict) and ("content" in result or not _ANSWERED & result.keys()):
        result = sound_result(result)
    if not isinstance(result, dict):
        raise CallFailed(
            f"{tool}: its server answered on {record.node} with what is no "
            f"MCP result; report it to the server's author",
            record.node,
            record,
        )
    return result


def refusal(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON-RPC error with which a tool's server answered in place of a result, if it did."""
    error = result.get("error")
    given = isinstance(error, Mapping) and not {"content", "resultType", "result"} & result.keys()
    return error if given else None
