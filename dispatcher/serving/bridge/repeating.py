"""Which requests may be sent again when nobody knows whether they were carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protos.contract import REFUSAL_KEY

#: Methods that change nothing, or to what they say whenever they are sent.
_SAFE: Final = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "subscriptions/listen",
        "tools/list",
    }
)
_UNKNOWN_NAME: Final = (-32602, -32002)
_UNKNOWN: Final = ("no tool is called", "no prompt is called", "no server has the resource")


class Repeatable:
    """Learns from lists of tools which calls may be made twice."""

    def __init__(self) -> None:
        self._tools: dict[str, bool] = {}

    def learn(self, tools: Any) -> None:
        """Take in the tools of a list."""
        for tool in tools if isinstance(tools, list) else ():
            notes = tool.get("annotations") if isinstance(tool, Mapping) else None
            name = tool.get("name") if isinstance(tool, Mapping) else None
            if isinstance(name, str):
                hints = notes if isinstance(notes, Mapping) else {}
                self._tools[name] = True in (
                    hints.get("readOnlyHint"),
                    hints.get("idempotentHint"),
                )

    def allows(self, message: Mapping[str, Any]) -> bool | None:
        """Whether a request may be sent twice; None: of a tool that no list had yet."""
        if message.get("method") != "tools/call":
            return message.get("method") in _SAFE
        params = message.get("params")
        name = params.get("name") if isinstance(params, Mapping) else None
        return self._tools.get(name) if isinstance(name, str) else False


def ran_nothing(answer: Mapping[str, Any]) -> bool:
    """Whether an answer says that nothing was run, for want of a node or of a name.

    After a dispatcher's restart its nodes are a moment behind it.
    """
    error, result = answer.get("error"), answer.get("result")
    if isinstance(error, Mapping):
        said = str(error.get("message", ""))
        return error.get("code") in _UNKNOWN_NAME and said.startswith(_UNKNOWN)
    meta = result.get("_meta") if isinstance(result, Mapping) else None
    return isinstance(meta, Mapping) and REFUSAL_KEY in meta
