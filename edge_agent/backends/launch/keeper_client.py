"""The agent's side of its keeper: start a process, hear of its end, end it."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge_agent.backends.launch import keeper as program
from edge_agent.errors import ModuleUnavailable
from edge_agent.threads import start_essential

_REPLY_S: Final = 10.0
_CLOSE_S: Final = 3.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. ``limits`` are pairs of a number of ``resource`` and a value."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: str = "/"
    limits: Sequence[tuple[int, int]] = ()


@dataclass(slots=True, eq=False)
class Child:
    """A process that runs, and this side's ends of its standard streams."""

    number: int
    pid: int = 0
    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    fault: str = ""
    code: int | None = None  # negative: the signal that killed it
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class KeeperClient:
    """Starts processes through a keeper process, which it starts when first asked. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._children: dict[int, Child] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def start(self, command: Command) -> Child:
        """Start a process in a session of its own.

        Raises:
            ModuleUnavailable: it cannot be started; says why.
        """
        child = Child(next(self._numbers))
        (theirs_in, child.stdin), (child.stdout, theirs_out), (child.stderr, theirs_err) = (
            os.pipe2(os.O_CLOEXEC) for _ in range(3)
        )
        message = {
            "do": "start",
            "id": child.number,
            "argv": list(command.argv),
            "env": dict(command.environment),
            "cwd": command.directory,
            "limits": list(command.limits),
        }
        theirs = [theirs_in, theirs_out, theirs_err]
        try:
            with self._lock:
                self._children[child.number] = child
                self._say(message, theirs)
            if not child.started.wait(_REPLY_S):
                child.fault = "the keeper does not answer"
        except OSError as error:
            child.fault = f"the keeper cannot be asked: {error}"
        finally:
            for fd in theirs:
                os.close(fd)
        if child.fault:
            self._children.pop(child.number, None)
            for fd in (child.stdin, child.stdout, child.stderr):
                os.close(fd)
            raise ModuleUnavailable(child.fault)
        return child

    def end(self, child: Child, *, now: bool = False) -> None:
        """Ask a process to end (SIGTERM, then SIGKILL), or kill it ``now``; all of its group."""
        with self._lock, contextlib.suppress(OSError):
            if not child.ended.is_set() and self._socket is not None:
                self._say({"do": "kill" if now else "end", "id": child.number})

    def close(self) -> None:
        """End every process, and the keeper."""
        with self._lock:
            process, self._process = self._process, None
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
        if process is not None:
            try:
                process.wait(_CLOSE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _say(self, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        """Send a message; the lock is held."""
        data = json.dumps(message).encode()
        if len(data) > program.MESSAGE_BYTES:
            raise OSError("command and environment are too long")
        if self._socket is None:
            self._launch()
        assert self._socket is not None  # noqa: S101 - launched above
        socket.send_fds(self._socket, [data], list(fds))

    def _launch(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(program.__file__)), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
            )
        self._socket = ours
        process = self._process
        start_essential(lambda: self._listen(ours, process), "keeper")

    def _listen(self, sock: socket.socket, process: subprocess.Popen[bytes]) -> None:
        """Take in what the keeper tells, until it ends."""
        with contextlib.suppress(OSError):
            while data := sock.recv(program.MESSAGE_BYTES):
                self._heard(json.loads(data))
        with self._lock:
            if self._socket is sock:
                self._socket = None
            left, self._children = list(self._children.values()), {}
        sock.close()
        process.wait()
        for child in left:
            # The kernel has killed the servers with their keeper; what they started is killed here.
            if child.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
            child.fault = child.fault or "the keeper has ended"
            child.code = -int(signal.SIGKILL)
            child.started.set()
            child.ended.set()

    def _heard(self, message: Mapping[str, Any]) -> None:
        child = self._children.get(message["id"])
        if child is None:
            return
        if "exit" in message:
            self._children.pop(child.number, None)
            child.code = message["exit"]
            child.ended.set()
            return
        child.pid = message.get("pid", 0)
        child.fault = message.get("error", "")
        child.started.set()
