"""What this node itself permits, whatever the dispatcher placed here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from edge_agent.backends.client_request import capabilities
from edge_agent.errors import CallRefused
from edge_agent.mounts import Mount, uncovered

PRIVACY_LEVELS: Final = ("", "public", "site", "node")


@dataclass(frozen=True, slots=True)
class Policy:
    """Globs over ``tool`` and ``server.tool``: ``deny`` wins, ``allow`` None allows all."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    def check_tool(self, server: str, tool: str) -> None:
        """Refuse a tool that the operator of this node does not want here.

        Raises:
            CallRefused: names the pattern or its absence.
        """
        names = (tool, f"{server}.{tool}")
        for pattern in self.deny:
            if any(fnmatchcase(name, pattern) for name in names):
                raise CallRefused(f"{server}.{tool}: this node's policy denies {pattern!r}", "deny")
        if self.allow is not None and not any(
            fnmatchcase(name, pattern) for pattern in self.allow for name in names
        ):
            raise CallRefused(
                f"{server}.{tool}: not in the allow list of this node's policy", "allow"
            )


@dataclass(frozen=True, slots=True)
class Label:
    """The privacy label of a call: ``privacy`` is public, site or node."""

    privacy: str = "public"
    origin: str = ""
    site: str = ""


def check_label(label: Label, node: str, site: str) -> None:
    """Refuse a call whose data may not be on this node.

    Raises:
        CallRefused: says what the label asks for.
    """
    if label.privacy not in PRIVACY_LEVELS:
        raise CallRefused(
            f"privacy {label.privacy!r} is unknown to this agent; update the agent of {node}",
            "privacy",
        )
    if label.privacy == "node" and label.origin != node:
        raise CallRefused(
            f"privacy: the call may run only on {label.origin or 'its origin'}, this is {node}",
            "privacy",
        )
    if label.privacy == "site" and (not site or label.site != site):
        raise CallRefused(
            f"privacy: the call may run only at site {label.site!r}, {node} is at {site!r}",
            "privacy",
        )


def askable(client: bytes, label: Label) -> bytes:
    """What of a client's capabilities (JSON) a call with this label may use.

    What is sampled goes to a model, wherever that runs; under ``node`` it must not.
    """
    if not client or label.privacy != "node":
        return client
    found = capabilities(client)
    return json.dumps({key: value for key, value in found.items() if key != "sampling"}).encode()


def check_data(paths: Sequence[str], mounts: Sequence[Mount]) -> None:
    """Refuse a call that reads or writes what this node does not mount.

    Raises:
        CallRefused: names the first such path.
    """
    path = uncovered(paths, mounts) if paths else None
    if path is not None:
        raise CallRefused(f"data: this node mounts nothing above {path}", "data")
