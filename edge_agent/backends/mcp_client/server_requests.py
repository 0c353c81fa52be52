"""The questions that one server asks over its channel: whose they are, and their way back."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from edge_agent.backends.client_request import INTERNAL_ERROR, Answer, Question, error_answer
from edge_agent.backends.mcp_client.request import Ask
from edge_agent.errors import CallFailed

_REPLY_S: Final = 5.0
_log = logging.getLogger(__name__)

Send = Callable[[bytes, float], None]
"""Sends a message before a moment of ``time.monotonic``; raises CallFailed."""


class Asking:
    """Open questions of one server, by the ids that it gave them. Thread-safe.

    ``timed_out`` ends a request whose time is over; it is called on a thread that may wait.
    """

    def __init__(self, name: str, send: Send, timed_out: Callable[[Ask], None]) -> None:
        self._name = name
        self._send = send
        self._timed_out = timed_out
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Ask, Question]] = {}

    def asked(
        self,
        method: str,
        number: Any,
        params: Mapping[str, Any],
        running: Sequence[Ask],
        ask: Ask | None,
    ) -> None:
        """A question came, on the stream of ``ask`` or on one that ``running`` requests share."""
        ask = ask or (running[0] if len(running) == 1 else None)
        if ask is None or ask.listener is None:
            self._reply(number, _not_asked(method, len(running)))
            return
        key = repr(number)
        question = Question(
            method,
            json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"),
            lambda answer: self._answered(key, number, answer),
        )
        ask.pause()
        with self._lock:
            known = self._open.setdefault(key, (ask, question))
        if known[1] is not question:
            ask.resume()
            return  # of one id there is one question
        refused = ask.listener.ask(question)
        if refused is not None:
            question.settle(refused)
        if ask.settled:
            self.over(ask)  # it ended meanwhile

    def withdrawn(self, number: Any) -> None:
        """The server cancels a question of its own."""
        found = self._take(repr(number))
        if found is not None:
            found[0].resume()
            found[1].withdraw()

    def over(self, ask: Ask) -> None:
        """A request has ended: so have its questions."""
        if not self._open:
            return
        with self._lock:
            mine = [question for other, question in self._open.values() if other is ask]
        for question in mine:
            question.withdraw(error_answer(INTERNAL_ERROR, "the call that asked has ended"))

    def _take(self, key: str) -> tuple[Ask, Question] | None:
        with self._lock:
            return self._open.pop(key, None)

    def _answered(self, key: str, number: Any, answer: Answer) -> None:
        found = self._take(key)
        if found is None:
            return
        ask = found[0]
        self._reply(number, answer)
        ask.resume()
        if ask.watch():
            # Over HTTP the request's own thread reads its stream and looks at no clock meanwhile.
            threading.Thread(
                target=self._watch, args=(ask,), name=f"clock of {self._name}", daemon=True
            ).start()

    def _watch(self, ask: Ask) -> None:
        if not ask.wait(ask.until_s):
            self._timed_out(ask)

    def _reply(self, number: Any, answer: Answer) -> None:
        message = {"jsonrpc": "2.0", "id": number, **answer}
        data = json.dumps(message, separators=(",", ":")).encode()
        try:
            self._send(data, time.monotonic() + _REPLY_S)
        except CallFailed as error:
            _log.debug("%s: could not be answered: %s", self._name, error)


def _not_asked(method: str, running: int) -> Answer:
    if running > 1:
        why = (
            f"{running} calls run in this process, and nothing tells which of them asks; "
            'give each MCP session a process of its own by state = "session"'
        )
    else:
        why = "no call runs that it could belong to"
    return error_answer(INTERNAL_ERROR, f"{method}: {why}")
