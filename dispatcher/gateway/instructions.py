"""What servers say of their use (``instructions`` of MCP), handed on to clients.

They come from servers that the operator configured, and are as trustworthy as those; each stands
under its server's name. Clients put them before a model's every request, so they are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dispatcher.registry.nodes import NodeState

EACH_BYTES: Final = 2 * 1024
ALL_BYTES: Final = 16 * 1024


def instructions(own: str, nodes: Iterable[NodeState]) -> str:
    """The dispatcher's ``own`` words, then each server's; of one name the first node's count."""
    said: dict[str, str] = {}
    for node in nodes:
        for one in node.servers.values():
            text = _printable(one.instructions)
            if text:
                said.setdefault(one.server, text)
    parts, left_out = [own], []
    left = ALL_BYTES
    for server, text in sorted(said.items()):
        shown = f"Server {server}:\n{_cut(text)}"
        if len(shown.encode()) > left:
            left_out.append(server)
            continue
        left -= len(shown.encode())
        parts.append(shown)
    if left_out:
        parts.append(f"[left out for their length: instructions of {', '.join(left_out)}]")
    return "\n\n".join(parts)


def _cut(text: str) -> str:
    data = text.encode()
    if len(data) <= EACH_BYTES:
        return text
    kept = data[:EACH_BYTES].decode(errors="ignore").rstrip()
    return f"{kept} [cut: {EACH_BYTES} of {len(data)} bytes]"


def _printable(text: str) -> str:
    kept = (char for char in text if char.isprintable() or char in "\n\t")
    return "".join(kept).strip()
