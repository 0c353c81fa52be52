"""A process that speaks MCP in lines: its pipes, its last words, its end."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from edge_agent.backends.launch.keeper_client import Child, Command, KeeperClient
from edge_agent.backends.mcp_client.channel import LARGEST_MESSAGE_BYTES, Client
from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.engine.limits import MIB
from edge_agent.errors import BadAnswer, CallFailed, CallTimeout, NotSent, OutputTooLarge
from edge_agent.jsonrpc import objects_within, parse_foreign
from edge_agent.logs import log_unexpected

LINE_BYTES: Final = LARGEST_MESSAGE_BYTES
JUNK_BYTES: Final = MIB  # that is no MCP, before a server is given up
STDERR_BYTES: Final = 8 * 1024
END_S: Final = 1.0  # from the end of its input to SIGTERM
_READ_BYTES: Final = 256 * 1024
_POLL_MS: Final = 200
_WORDS: Final = 300
_NUMBER: Final = rb'"id"\s*:\s*"?(\d{1,18})"?\s*'
_VERSION: Final = rb'"jsonrpc"\s*:\s*"2\.0"\s*'
#: Where an answer that cannot be read has its id: at its head or its end, beside the version, or
#: (of one that is spread over lines) alone in a line. An id further inside is another thing's.
_IDS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rb"\s*\{\s*(?:" + _VERSION + rb",\s*)?" + _NUMBER + rb"[,}]",
        rb".*,\s*" + _VERSION + rb",\s*" + _NUMBER + rb"\}\s*$",
        rb".*,\s*" + _NUMBER + rb",\s*" + _VERSION + rb"\}\s*$",
        rb"\s*" + _NUMBER + rb",?\s*$",
    )
)
_METHOD: Final = re.compile(rb'(?<!\\)"method"\s*:')
_ENDS: Final = 256  # bytes at either end of a line that are looked at
_log = logging.getLogger(__name__)


class LineChannel:
    """Runs one command, and carries the messages of a :class:`Client` to it and back.

    ``over`` is called once, from the reading thread, when the process has ended.

    Raises:
        ModuleUnavailable: it cannot be started.
    """

    closing_cancels = False

    def __init__(
        self, keeper: KeeperClient, command: Command, client: Client, over: Callable[[], None]
    ) -> None:
        self._keeper = keeper
        self._client = client
        self._over = over
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._broken = ""
        self._junk = 0
        self._words = bytearray()
        self._line = bytearray()
        self.child: Child = keeper.start(command)
        for fd in (self.child.stdin, self.child.stdout, self.child.stderr):
            os.set_blocking(fd, False)
        self._reader = threading.Thread(
            target=self._read, name=f"server {client.name}", daemon=True
        )
        self._reader.start()

    # ---- towards the server

    def send(self, message: bytes, until_s: float, pending: PendingRequest | None = None) -> None:
        """Write one line; see :class:`edge_agent.backends.mcp_client.channel.Channel`."""
        if not self._writing.acquire(timeout=max(0.0, until_s - time.monotonic())):
            raise CallTimeout(f"{self._client.name}: does not read what is sent to it")
        try:
            self._write(memoryview(message + b"\n"), until_s, pending)
        finally:
            self._writing.release()

    def _write(self, rest: memoryview, until_s: float, pending: PendingRequest | None) -> None:
        whole = len(rest)
        poll = select.poll()
        while rest:
            if self.child.stdin < 0 or self._closing.is_set():
                raise NotSent(f"{self._client.name}: has ended")
            try:
                rest = rest[os.write(self.child.stdin, rest) :]
            except BlockingIOError:
                given_up = time.monotonic() > until_s or (pending is not None and pending.settled)
                if given_up and len(rest) < whole:
                    self.break_off("did not read a message to its end")
                if given_up:
                    raise CallTimeout(f"{self._client.name}: does not read its input") from None
                poll.register(self.child.stdin, select.POLLOUT)
                poll.poll(_POLL_MS)
            except OSError:
                self._await_reason()
                raise NotSent(f"{self._client.name}: {self._client.gone or 'has ended'}") from None

    def _await_reason(self) -> None:
        """Let the reader find out why it has ended."""
        until_s = time.monotonic() + END_S
        while (
            self._client.gone is None
            and threading.current_thread() is not self._reader
            and time.monotonic() < until_s
        ):
            time.sleep(0.01)

    def abandon(self, pending: PendingRequest) -> None:
        """Do nothing: the pipe goes on."""

    def agreed(self, version: str) -> None:
        """Do nothing: lines are the same in every version."""

    def hear(self) -> None:
        """Do nothing: all comes on the one pipe."""

    # ---- its end

    def break_off(self, reason: str) -> None:
        """Kill it; ``reason`` is what its callers are told."""
        self._broken = self._broken or reason
        self._closing.set()
        self._keeper.end(self.child, now=True)
        self._client.lost(self._reason())

    def close_input(self) -> None:
        """End its input, which asks a stdio server to end."""
        self._closing.set()
        with self._writing:
            fd, self.child.stdin = self.child.stdin, -1
            if fd >= 0:
                os.close(fd)

    def end(self) -> None:
        """End it: its input first, then SIGTERM, then SIGKILL. Returns when it has ended."""
        self.close_input()
        if not self.child.ended.wait(END_S):
            self._keeper.end(self.child)
            self.child.ended.wait(END_S * 5)
        self._reader.join(END_S)

    # ---- from the server

    def _read(self) -> None:
        """Read until the process has ended; should that fail, nobody waits for its answers."""
        try:
            self._read_to_end()
        except Exception as error:  # noqa: BLE001 - nothing is above it
            log_unexpected(_log, f"the reader of {self._client.name}", error)
            self.break_off("what it said could not be taken in")
            self._over()

    def _read_to_end(self) -> None:
        """Read both streams until the process has ended."""
        child = self.child
        poll = select.poll()
        poll.register(child.stdout, select.POLLIN)
        poll.register(child.stderr, select.POLLIN)
        open_fds = {child.stdout, child.stderr}
        while open_fds:
            ended = child.ended.is_set()
            ready = poll.poll(0 if ended else _POLL_MS)
            for fd, _ in ready:
                if not self._take(fd):
                    poll.unregister(fd)
                    open_fds.discard(fd)
                    if fd == child.stdout:
                        self._keeper.end(child)  # it can answer nothing more
            if ended and not ready:
                break
        child.ended.wait(END_S * 5)
        self._client.lost(self._reason())
        self.close_input()
        os.close(child.stdout)
        os.close(child.stderr)
        self._over()

    def _take(self, fd: int) -> bool:
        """Read what is there; False at the end of the stream."""
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if fd == self.child.stderr:
            self._words += data
            del self._words[:-STDERR_BYTES]
        elif not self._broken:
            self._add(data)
        return bool(data)

    def _add(self, data: bytes) -> None:
        *ended, rest = data.split(b"\n")
        for part in ended:
            line = bytes(self._line) + part
            self._line.clear()
            self._heard(line)
        self._line += rest
        if len(self._line) > LINE_BYTES:
            self._line.clear()
            self.break_off(f"wrote a line of more than {LINE_BYTES} bytes")

    def _heard(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = parse_foreign(line)
        except OutputTooLarge as error:
            self._unread(line, error)
            return
        except ValueError as error:
            # Two threads, or a print without a line end, may have shared the line.
            message = [one for one in objects_within(line) if self._is_answer(one)]
            if not message:
                reason = f"{self._client.name}: its answer is no JSON in one line: {error}"
                self._unread(line, BadAnswer(reason))
        known = [one for one in _batch(message) if self._is_message(one)]
        if known:
            self._junk = 0
            for one in known:
                self._client.received(one)
            return
        # Programs that print to their output by mistake are many; most do it once.
        self._junk += len(line)
        _log.debug("%s: wrote what is no message: %.200r", self._client.name, line)
        if self._junk > JUNK_BYTES:
            self.break_off("writes what is no MCP to its output")

    def words(self) -> str:
        """The last of what it wrote to standard error, on one line."""
        return " ".join(self._words.decode(errors="replace").split())[-_WORDS:]

    def _is_message(self, message: Any) -> bool:
        """Whether it is JSON-RPC: by its word, or since it answers what waits for an answer."""
        if not isinstance(message, dict):
            return False
        return message.get("jsonrpc") == "2.0" or self._is_answer(message)

    def _is_answer(self, message: Any) -> bool:
        """Whether it answers a request that waits."""
        if not isinstance(message, dict) or "method" in message:
            return False
        told = "result" in message or "error" in message
        return told and self._client.waits_for(message.get("id")) is not None

    def _unread(self, line: bytes, error: CallFailed) -> None:
        """End the request that a line answers, where that can be told."""
        head, end = line[:_ENDS], line[-_ENDS:]
        if _METHOD.search(head):
            return  # its own request, or the echo of one of ours
        for pattern, part in zip(_IDS, (head, end, end, line[:_ENDS]), strict=True):
            found = pattern.match(part)
            number = self._client.waits_for(int(found[1])) if found else None
            if number is not None:
                self._client.failed(number, error)
                return

    def _reason(self) -> str:
        """Why it ended, with its last words."""
        reason = self._broken or _how_it_ended(self.child)
        words = self.words()
        return f"{reason} (its last words: {words})" if words else reason


def _batch(message: Any) -> list[Any]:
    """The messages of a line: several as a list, which protocol 2025-03-26 had."""
    return message if isinstance(message, list) else [message]


def _how_it_ended(child: Child) -> str:
    code = child.code
    if code is None:
        return "closed its output"
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"
