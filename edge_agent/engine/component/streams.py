"""The standard output and error of components: pipes, which the engine writes at once.

The engine's other kind of stream, of which a callback is told, hands what is written to a task
that passes it on; the task ends with the stream, so a component that drops its stream before it
has flushed it loses what was under way. A file is written before the component goes on. So the
engine is given the pipe as a file, and whatever a component wrote before it called the host, or
ended, can be read to the last byte.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import Final

from edge_agent.threads import start_essential

_PIECE_BYTES: Final = 256 * 1024

Feed = Callable[[bytes], None]


class Pipe:
    """One stream. ``feed`` gets what is written, from one thread at a time; it raises nothing."""

    def __init__(self, feed: Feed, reader: Reader) -> None:
        self._feed = feed
        self._reader = reader
        self._lock = threading.Lock()
        self._from, self._to = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_open = True
        reader.add(self._from, self)

    @property
    def path(self) -> str:
        """Where the engine opens it, before :meth:`begin`."""
        return f"/proc/self/fd/{self._to}"

    def begin(self) -> None:
        """Leave the other end to the engine alone."""
        to, self._to = self._to, -1
        if to >= 0:
            os.close(to)

    def drain(self) -> None:
        """Feed all that has been written until now."""
        with self._lock, contextlib.suppress(BlockingIOError):
            while self._is_open and (data := os.read(self._from, _PIECE_BYTES)):
                self._feed(data)

    def read(self) -> None:
        """Feed what there is, some of it, from the reader's thread."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._is_open:
                data = os.read(self._from, _PIECE_BYTES)
                if data:
                    self._feed(data)
                else:
                    self._close()

    def close(self) -> None:
        """Feed nothing any more; who still writes is told so."""
        self.begin()
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._reader.remove(self._from)
            os.close(self._from)


class Reader:
    """Reads pipes on a thread of its own, so that nobody who writes waits for long."""

    def __init__(self) -> None:
        self._pipes: dict[int, Pipe] = {}
        self._poll = select.epoll()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._over, select.EPOLLIN)

    def add(self, handle: int, pipe: Pipe) -> None:
        """Begin to read a pipe."""
        self._pipes[handle] = pipe
        self._poll.register(handle, select.EPOLLIN)
        with self._lock:
            if self._thread is None:
                self._thread = start_essential(self._run, "streams")

    def remove(self, handle: int) -> None:
        """Read a pipe no longer, before it is closed."""
        self._pipes.pop(handle, None)
        with contextlib.suppress(ValueError):  # this was closed before
            self._poll.unregister(handle)

    def close(self) -> None:
        """End the thread; pipes that are still open are read by nobody."""
        os.eventfd_write(self._over, 1)
        with self._lock:
            if self._thread is not None:
                self._thread.join()
        self._poll.close()
        os.close(self._over)

    def _run(self) -> None:
        while True:
            for handle, _ in self._poll.poll():
                if handle == self._over:
                    return
                # It may be another's number by now, whose pipe can be read as well.
                pipe = self._pipes.get(handle)
                if pipe is not None:
                    pipe.read()


class Pipes:
    """The two streams of one component."""

    def __init__(self, output: Feed, error: Feed, reader: Reader) -> None:
        self.output = Pipe(output, reader)
        self.error = Pipe(error, reader)

    def begin(self) -> None:
        """Leave the other ends to the engine, which has opened them."""
        self.output.begin()
        self.error.begin()

    def drain(self) -> None:
        """Feed all that has been written until now."""
        self.output.drain()
        self.error.drain()

    def close(self) -> None:
        """Let go of both."""
        self.output.close()
        self.error.close()
