"""What private calls give on its way to the client, and what later calls hold of it.

A result is fingerprinted before anybody gets it, and so is whatever comes earlier: progress, log
lines, what the server asks of the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic_core import from_json

from dispatcher.agents.outcome import Outcome, Status
from dispatcher.call import CallRequest, Client
from dispatcher.errors import ClientRefused
from dispatcher.placement.labels import implied
from dispatcher.placement.task import Placement, Task
from dispatcher.policy.flow.flow import Flow
from dispatcher.policy.flow.labels import Label, Raised
from protos.contract import PREFIX

#: Results of more bytes are fingerprinted in a thread of their own: 1 MiB takes some 20 ms.
_LONG: Final = 256 * 1024


class Watch:
    """Labels that follow data, as the life of a call sees them. Owned by the event loop."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def raised(self, request: CallRequest) -> Raised | None:
        """What a call's content, or its session, adds to its label."""
        sent = request.arguments
        told = {key: one for key, one in request.meta.items() if not key.startswith(PREFIX)}
        if told:
            sent = {**sent, "_meta": told}
        return self._flow.raised(sent, request.session)

    def watched(self, request: CallRequest, task: Task) -> CallRequest:
        """The request, so that what its client hears before the result is remembered as well."""
        if self._flow.mode == "off":
            return request
        if request.client is not None:
            asked = _Overheard(request.client, self, request, task)
            request = replace(request, client=asked)
        if self._output(task) is None:
            return request
        progress, log = request.progress, request.log

        async def heard_progress(done: float, total: float | None, message: str) -> None:
            self.gave(request, task, message)
            if progress is not None:
                await progress(done, total, message)

        async def heard_log(level: str, logger: str, message: str) -> None:
            self.gave(request, task, message)
            if log is not None:
                await log(level, logger, message)

        return replace(
            request,
            progress=None if progress is None else heard_progress,
            log=None if log is None else heard_log,
        )

    async def ended(self, request: CallRequest, placement: Placement, outcome: Outcome) -> None:
        """A call came back: remember its result, or its error, if it is private."""
        task = placement.task
        label = self._output(task)
        if label is None:
            return
        if self._declassified(task) and outcome.status == Status.DONE:
            self._flow.release(_parsed(outcome.body))
        if label.privacy == "public":
            return
        seen = hash((outcome.body, outcome.message, str(request.arguments), request.session))
        seen = hash((seen, label, task.raised is None, task.entry.key))
        if self._flow.gave_just_now(seen):
            return
        done = outcome.status == Status.DONE
        value = _parsed(outcome.body) if done else outcome.message
        if len(outcome.body) > _LONG:
            prints = await asyncio.to_thread(self._flow.kept, value)
        else:
            prints = self._flow.kept(value)
        self._remember(request, task, label, prints, placement.node.name)

    def gave(self, request: CallRequest, task: Task, value: Any) -> None:
        """A call said something on its way: remember it, if it is private."""
        label = self._output(task)
        if label is not None:
            node = label.origin if label.privacy == "node" else ""
            self._remember(request, task, label, self._flow.kept(value), node)

    def _remember(
        self, request: CallRequest, task: Task, label: Label, prints: Sequence[int], node: str
    ) -> None:
        own: frozenset[int] = frozenset()
        if task.raised is None and len(prints):
            own = self._flow.own(request.arguments)
        entry = task.entry
        self._flow.gave(prints, label, tool=entry.key, node=node, session=request.session, own=own)

    def _output(self, task: Task) -> Label | None:
        """The label of what a call gives; None where it runs under none."""
        if self._flow.mode == "off" or task.constraints.privacy == "public":
            return None
        return task.own if self._declassified(task) else task.label

    def _declassified(self, task: Task) -> bool:
        return self._flow.declassifies(task.entry.server, task.entry.name)


@dataclass(frozen=True, slots=True)
class _Overheard:
    """A client whose questions are remembered, and whose answers are looked at.

    A question tells the client what a private call knows; an answer tells the call what the client
    knows of others.
    """

    client: Client
    watch: Watch
    request: CallRequest
    task: Task

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client declared."""
        return self.client.capabilities

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The client's reply.

        Raises:
            ClientRefused: the client says no, or its reply holds what may not go to this call.
        """
        self.watch.gave(self.request, self.task, params)
        reply = await self.client.ask(method, params)
        raised = self.watch.raised(replace(self.request, arguments=reply, meta={}))
        if raised is not None and not all(implied(one, self.task.label) for one in raised.labels):
            raise ClientRefused(
                f"{method}: the answer may not go to a tool of a wider privacy: {raised.why}"
            )
        return reply


def _parsed(body: bytes) -> Any:
    """A result's values; a body that is no JSON goes to nobody."""
    try:
        return from_json(body)
    except ValueError:
        return body.decode(errors="replace")
