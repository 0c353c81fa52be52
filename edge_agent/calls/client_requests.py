"""Questions of running calls on their way to the MCP client, and the answers on their way back."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from edge_agent.attachment.outbox import CHUNK_BYTES
from edge_agent.backends.client_request import (
    INTERNAL_ERROR,
    QUESTION_BYTES,
    Question,
    error_answer,
)
from edge_agent.jsonrpc import parse_foreign
from protos.edge.v1 import edge_pb2

_log = logging.getLogger(__name__)
_NO_ANSWER: Final = error_answer(INTERNAL_ERROR, "the client's answer cannot be used")

Send = Callable[[edge_pb2.AttachRequest], None]


@dataclass(slots=True)
class _Open:
    question: Question
    body: bytearray = field(default_factory=bytearray)


class Inquiries:
    """The open questions of an agent's calls. Thread-safe.

    They outlive a stream: after a reconnect they are sent :meth:`again`. ``waits`` is told when
    a call begins to wait for answers, and when it has all of them.
    """

    def __init__(self, send: Send, waits: Callable[[str, bool], None] = lambda *_: None) -> None:
        self._send = send
        self._waits = waits
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], _Open] = {}

    def ask(self, call_id: str, question: Question) -> None:
        """Send a question of a call."""
        key = (call_id, str(next(self._ids)))
        question.withdrawn = lambda: self._withdraw(key)
        with self._lock:
            if not self._of(call_id):
                self._waits(call_id, True)
            self._open[key] = _Open(question)
        self._put(key, question)

    def answer(self, message: edge_pb2.Answer) -> None:
        """Take an answer, or a part of one. It is handed on by a thread of its own."""
        key = (message.call_id, message.id)
        with self._lock:
            found = self._open.get(key)
            if found is None:
                return
            found.body += message.body
            too_large = len(found.body) > QUESTION_BYTES
            if message.more and not too_large:
                return
            self._close(key)
        body = b"" if too_large else bytes(found.body)
        threading.Thread(
            target=_settle, args=(found.question, body), name="answer", daemon=True
        ).start()

    def over(self, call_id: str) -> None:
        """A call has ended, and its questions with it."""
        if not self._open:
            return
        with self._lock:
            ended = [self._close(key) for key in self._of(call_id)]
        for question in ended:
            question.withdraw()

    def again(self) -> None:
        """Send what is open on a new stream; what came of an answer in parts comes anew."""
        with self._lock:
            still = list(self._open.items())
            for _, one in still:
                one.body.clear()
        for key, one in still:
            self._put(key, one.question)

    def _of(self, call_id: str) -> list[tuple[str, str]]:
        return [key for key in self._open if key[0] == call_id]

    def _close(self, key: tuple[str, str]) -> Question:
        """Forget a question that is open; the lock is held."""
        question = self._open.pop(key).question
        if not self._of(key[0]):
            self._waits(key[0], False)
        return question

    def _put(self, key: tuple[str, str], question: Question) -> None:
        rest = memoryview(question.params)
        while True:
            part, rest = rest[:CHUNK_BYTES], rest[CHUNK_BYTES:]
            self._send(
                edge_pb2.AttachRequest(
                    question=edge_pb2.Question(
                        call_id=key[0],
                        id=key[1],
                        method=question.method,
                        params=bytes(part),
                        more=bool(rest),
                    )
                )
            )
            if not rest:
                return

    def _withdraw(self, key: tuple[str, str]) -> None:
        with self._lock:
            known = key in self._open
            if known:
                self._close(key)
        if known:
            told = edge_pb2.Question(call_id=key[0], id=key[1], withdrawn=True)
            self._send(edge_pb2.AttachRequest(question=told))


def _settle(question: Question, body: bytes) -> None:
    try:
        answer = parse_foreign(body)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the server must hear
        _log.debug("an answer to %s: %s", question.method, error)
        answer = None
    good = isinstance(answer, dict) and ("result" in answer or "error" in answer)
    question.settle(answer if good else _NO_ANSWER)
