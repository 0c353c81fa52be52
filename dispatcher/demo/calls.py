"""Calls of the demo, by an ordinary MCP client, and the record of each.

The client is the `mcp` package's own; it knows nothing of nodes beyond what the
``_meta`` of each result tells it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp import Client

from dispatcher.errors import SanderlingError
from protos.contract import PLACEMENT_KEY, REQUIREMENTS_KEY

# What a caller may ask for: the call stays on the node that has the data, or at its site.
ON_DEVICE: Mapping[str, Any] = {"privacy": "node", "origin": "device"}
AT_HOME: Mapping[str, Any] = {"privacy": "site", "origin": "device"}

EVERYWHERE = frozenset({"device", "edge", "cloud"})
HOME = frozenset({"device", "edge"})
DEVICE = frozenset({"device"})
OFF_DEVICE = frozenset({"edge", "cloud"})


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as the client saw it.

    ``permitted`` are the nodes that the operator's rules and the caller leave: written down by the
    scenario, independently of what the dispatcher finds. ``refusal`` is empty unless it refused.
    """

    tool: str
    what: str
    placement: Mapping[str, Any]
    client_ms: float
    permitted: Collection[str]
    refusal: str = ""

    @property
    def astray(self) -> bool:
        """Whether the call ran where it must not."""
        return bool(self.placement) and self.placement["node"] not in self.permitted


@dataclass(slots=True)
class Caller:
    """Calls tools through ``client``, keeps a record of each, and tells ``on_call`` of it."""

    client: Client
    on_call: Callable[[CallRecord], None]
    records: list[CallRecord] = field(default_factory=list)

    async def call(
        self,
        tool: str,
        what: str,
        arguments: Mapping[str, Any],
        *,
        permitted: Collection[str] = EVERYWHERE,
        requirements: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call one tool; return its answer as a JSON object, or its text under ``text``.

        ``what`` says in a few words what the call works on.

        Raises:
            SanderlingError: the call ended in an error.
        """
        result = await self._send(tool, what, arguments, permitted, requirements)
        if result.is_error:
            where = self.records[-1].placement.get("node", "no node")
            raise SanderlingError(f"{tool} failed on {where}: {_text_of(result)}")
        return _as_object(_text_of(result))

    async def refused(
        self, tool: str, what: str, arguments: Mapping[str, Any], requirements: Mapping[str, Any]
    ) -> str:
        """Make a call that no node may run; return the refusal.

        Raises:
            SanderlingError: it was run all the same.
        """
        result = await self._send(tool, what, arguments, (), requirements)
        record = self.records[-1]
        if not record.refusal:
            raise SanderlingError(f"{tool} ({what}) was not refused: {_text_of(result)[:200]}")
        return record.refusal

    async def _send(
        self,
        tool: str,
        what: str,
        arguments: Mapping[str, Any],
        permitted: Collection[str],
        requirements: Mapping[str, Any] | None,
    ) -> Any:
        meta: Any = {REQUIREMENTS_KEY: dict(requirements)} if requirements else None
        start = time.perf_counter()
        result = await self.client.call_tool(tool, dict(arguments), meta=meta)
        client_ms = (time.perf_counter() - start) * 1000
        placement = (result.meta or {}).get(PLACEMENT_KEY, {})
        refusal = _text_of(result) if result.is_error and not placement else ""
        record = CallRecord(tool, what, placement, client_ms, permitted, refusal)
        self.records.append(record)
        self.on_call(record)
        return result


def _text_of(result: Any) -> str:
    return "\n".join(getattr(block, "text", "") for block in result.content)


def _as_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) else {"text": text}
