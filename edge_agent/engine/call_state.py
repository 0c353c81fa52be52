"""A call while it runs: what stops it, and what its host functions may touch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge_agent.engine.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.egress.gate import CallEgress
    from edge_agent.mounts import Mount

STDERR_BYTES: Final = 8 * 1024
TIMED_OUT: Final = "timed out"
CANCELLED: Final = "cancelled"
#: The one server that may know what its node's user tells git.
GIT_SERVER: Final = "git"

_ambient = threading.local()


class FileGate(Protocol):
    """What counts a guest's open files and what it takes of a disk."""

    written: int  # bytes, so far

    def allow(self, limits: Limits) -> None:
        """Set what the call that begins may write; files that are open stay counted."""

    def may_open(self, limits: Limits) -> bool:
        """Whether the guest may have one more file open."""

    def disk_is_full(self, mounts: Sequence[Mount]) -> bool:
        """Whether a disk that the guest may write to has too little left."""

    def pass_on(self, name: str, cells: Any, count: int) -> int:
        """Let the call of a gated function through; return 0, or the address of a trap."""


class Guest(Protocol):
    """The instance that works for a call, as host functions meet it."""

    gate: FileGate | None  # made when it first opens or writes a file

    def read(self, address: int, size: int) -> bytes:
        """Read from its memory; IndexError where the range is not within that."""


class CallState:
    """One call on its thread.

    Host functions are linked once for all calls, so they find the call that
    they serve through the thread, which runs one guest at a time.
    """

    __slots__ = (
        "_event",
        "_host_calls",
        "_lock",
        "_logged_bytes",
        "_told",
        "_wake",
        "capture",
        "clock_zero",
        "deadline",
        "denied",
        "egress",
        "env",
        "git_user",
        "guest",
        "interrupt",
        "limits",
        "mounts",
        "placing",
        "stderr",
        "stopped",
    )

    def __init__(
        self,
        limits: Limits = DEFAULT_LIMITS,
        mounts: Sequence[Mount] = (),
        egress: CallEgress | None = None,
        env: Mapping[str, str] | None = None,
        *,
        git_user: bool = False,
    ) -> None:
        self.limits = limits
        self.mounts = mounts
        self.egress = egress
        self.env = env or {}
        self.git_user = git_user  # whether it may know what its node's user tells git
        self.clock_zero = time.monotonic()  # where the guest's monotonic clock starts
        self.deadline = self.clock_zero + limits.wall_ms / 1000
        # Why the guest must end: TIMED_OUT, CANCELLED, or what its error is to say.
        self.stopped: str | None = None
        # What the guest was refused without being stopped, for when it fails of it.
        self.denied = ""
        self.guest: Guest | None = None  # the instance that works for the call
        self.interrupt: Callable[[], None] = _nothing  # has the guest see that it is stopped
        self.placing = False  # whether the host asks the guest where an answer may be put
        self.stderr = bytearray()
        # Takes what is written on standard error in its place, for as long as it is set.
        self.capture: Callable[[bytes], None] | None = None
        self._host_calls = 0
        self._logged_bytes = 0
        self._event: threading.Event | None = None
        self._wake: Callable[[], None] | None = None
        self._told: threading.Event | None = None
        self._lock = threading.Lock()

    def restart_clock(self) -> None:
        """Count the wall time from now: waiting for a slot is not the guest's fault."""
        self.clock_zero = time.monotonic()
        self.deadline = self.clock_zero + self.limits.wall_ms / 1000

    def stop(self, reason: str) -> bool:
        """Ask the guest to end; return whether this is the first reason given."""
        with self._lock:
            if self.stopped is not None:
                return False
            self.stopped = reason
            if self._event is not None:
                self._event.set()
            if self._wake is not None:
                self._wake()
            if self._told is not None:
                self._told.set()
            return True

    def was_stopped(self) -> bool:
        """Whether a guest that has ended without an answer was stopped, or just should have been.

        One that sleeps wakes at its deadline, and may end before the watchdog has looked.
        """
        if self.stopped is None and time.monotonic() >= self.deadline:
            self.stop(TIMED_OUT)
        return self.stopped is not None

    def tell_stop(self, event: threading.Event) -> None:
        """Have an event set when the call is stopped."""
        with self._lock:
            self._told = event
            if self.stopped is not None:
                event.set()

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have ``wake`` called when the call is stopped, for as long as this is open.

        For a host function that waits where the engine cannot reach it. ``wake``
        runs on the thread that stops the call and must not block.
        """
        with self._lock:
            self._wake = wake
            if self.stopped is not None:
                wake()
        try:
            yield
        finally:
            with self._lock:
                self._wake = None

    def sleep(self, seconds: float) -> None:
        """Sleep for the guest, but wake when the call is stopped."""
        with self._lock:
            if self.stopped is not None:
                return
            if self._event is None:
                self._event = threading.Event()
            event = self._event
        # The deadline bounds the sleep as well, so an absurd time is no error.
        event.wait(max(0.0, min(seconds, self.deadline - time.monotonic() + 1.0, 86_400.0)))

    def exceed(self, what: str, name: str) -> None:
        """End the guest for going over a limit, ``name`` as people write it."""
        if self.stop(f"{what}; ask for less or raise {name}"):
            self.interrupt()

    def deny(self, what: str, name: str) -> None:
        """Note that the guest was refused ``what``, by the limit of that name."""
        self.denied = f"it was denied {what}; ask for less or raise {name}"

    def count_host_call(self) -> bool:
        """Count a call of a host function; return whether it is within the limit."""
        self._host_calls += 1
        most = self.limits.host_calls
        if self._host_calls <= most:
            return True
        self.exceed(f"stopped after {most} calls of the host", "host_calls")
        return False

    def take_stderr(self, data: bytes) -> None:
        """Take what the guest has written on standard error."""
        if self.capture is not None:
            self.capture(data)
        else:
            self.add_stderr(data, len(data))

    def add_stderr(self, data: bytes, size: int) -> None:
        """Keep the first bytes that the guest writes on its standard error.

        ``size`` is how many it wrote, of which ``data`` has at least those to keep.
        """
        room = STDERR_BYTES - len(self.stderr)
        if room > 0:
            self.stderr += data[:room]
        self._logged_bytes += size
        most = self.limits.log_bytes
        if self._logged_bytes > most:
            self.exceed(f"stopped after {most} bytes on standard error", "log_kib")


def _nothing() -> None:
    """Stand for what interrupts a guest, where none runs."""


def current() -> CallState | None:
    """Return the call that this thread runs, or None."""
    return getattr(_ambient, "call", None)


@contextmanager
def on_this_thread(call: CallState) -> Iterator[None]:
    """Make ``call`` the call of this thread."""
    _ambient.call = call
    try:
        yield
    finally:
        _ambient.call = None
