"""The keeper: a small process that starts tool servers, and outlives none of them.

An agent has threads and gRPC in it, so it must not fork; and it may be killed at any moment, when
nobody is left to end what it started. So it has one keeper, which does nothing else. It is the
subreaper (prctl(2)) of all that it starts: what a server leaves behind becomes the keeper's child,
wherever it has hidden in a session of its own. When the agent is gone the socket to it ends, and
the keeper ends everything; when the keeper itself is killed, the kernel kills the servers
(PR_SET_PDEATHSIG).

Run as ``python -I -S keeper.py FD``, where FD is one end of a SOCK_SEQPACKET pair. Messages are
JSON objects. To it: ``{"do": "start", "id", "argv", "env", "cwd", "limits": [[number, value]]}``
with three descriptors (standard input, output and error), ``{"do": "end" | "kill", "id"}``. From
it: ``{"id", "pid"}`` or ``{"id", "error"}``, and ``{"id", "exit"}`` (negative: a signal).

It imports nothing of ours: it is small to start and small to keep.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any, Final, NoReturn

MESSAGE_BYTES: Final = 192 * 1024
TERM_S: Final = 2.0  # from SIGTERM to SIGKILL
FAREWELL_S: Final = 0.5  # the same, when the agent is gone
_LAST_S: Final = 5.0
_MARK: Final = "SANDERLING_KEPT"
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_DEFAULTS: Final = (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_EXEC_FAILED: Final = 127


class Keeper:
    """Starts, ends and reaps servers for one agent."""

    def __init__(self, agent: socket.socket) -> None:
        self._agent = agent
        agent.set_inheritable(False)  # a server that held it would hide the agent's end from us
        self._pids: dict[int, int] = {}  # of servers that run, by id
        self._ids: dict[int, int] = {}  # and back
        self._kill_at: dict[int, float] = {}  # when a server that was told to end is killed
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._woken, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # The agent's threads block signals, and what a thread starts inherits that.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def run(self) -> None:
        """Serve the agent until it is gone; then end everything."""
        poll = select.poll()
        poll.register(self._agent, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(self._patience_ms())}
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._reap()
            self._kill_late()
            if self._agent.fileno() in ready and not self._take():
                break
        self._end_all()

    def _patience_ms(self) -> float | None:
        if not self._kill_at:
            return None
        return max(0.0, min(self._kill_at.values()) - time.monotonic()) * 1000 + 1

    def _take(self) -> bool:
        """Do what one message says; False when the agent is gone."""
        try:
            data, ancillary, _, _ = self._agent.recvmsg(
                MESSAGE_BYTES, socket.CMSG_SPACE(3 * 4), socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionError:
            return False
        if not data:
            return False
        fds: list[int] = []
        for _, _, part in ancillary:
            fds += [int.from_bytes(part[i : i + 4], sys.byteorder) for i in range(0, len(part), 4)]
        message = json.loads(data)
        try:
            if message["do"] == "start":
                self._start(message, fds)
            elif message["id"] in self._pids:
                self._stop(message["id"], now=message["do"] == "kill")
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _tell(self, **message: Any) -> None:
        with contextlib.suppress(OSError):  # the agent has gone; the next read says so
            self._agent.send(json.dumps(message).encode())

    # ---- starting

    def _start(self, message: dict[str, Any], fds: list[int]) -> None:
        number = message["id"]
        told, tells = os.pipe2(os.O_CLOEXEC)
        me = os.getpid()
        pid = os.fork()
        if not pid:
            self._become(message, fds, tells, me)
        os.close(tells)
        with os.fdopen(told, "rb") as pipe:
            fault = pipe.read()  # ends with exec
        if fault:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            self._tell(id=number, error=fault.decode(errors="replace"))
            return
        self._pids[number], self._ids[pid] = pid, number
        self._tell(id=number, pid=pid)

    def _become(self, message: dict[str, Any], fds: list[int], tells: int, keeper: int) -> NoReturn:
        """In the child: become the server."""
        try:
            os.setsid()
            self._libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != keeper:  # it died before the line above
                os._exit(_EXEC_FAILED)
            signal.set_wakeup_fd(-1)
            for number in _DEFAULTS:
                signal.signal(number, signal.SIG_DFL)
            for place, fd in enumerate(fds):
                os.dup2(fd, place)
            os.chdir(message["cwd"])
            for kind, value in message["limits"]:
                _, hard = resource.getrlimit(kind)
                least = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(kind, (least, least))
            environment = {**message["env"], _MARK: f"{keeper}:{message['id']}"}
            os.execvpe(message["argv"][0], message["argv"], environment)  # noqa: S606
        except OSError as error:
            what = message["cwd"] if error.filename == message["cwd"] else message["argv"][0]
            os.write(tells, f"{what}: {os.strerror(error.errno or 0).lower()}".encode())
        except BaseException as error:  # noqa: BLE001 - it must not return into the keeper
            os.write(tells, repr(error).encode())
        os._exit(_EXEC_FAILED)

    # ---- ending

    def _stop(self, number: int, *, now: bool) -> None:
        pid = self._pids[number]
        _signal_group(pid, signal.SIGKILL if now else signal.SIGTERM)
        self._kill_at.setdefault(number, time.monotonic() + (0.0 if now else TERM_S))

    def _kill_late(self) -> None:
        now = time.monotonic()
        for number in [one for one, at in self._kill_at.items() if at <= now]:
            del self._kill_at[number]
            if number in self._pids:
                _signal_group(self._pids[number], signal.SIGKILL)

    def _reap(self) -> None:
        """Take in who has ended, tell the agent of servers, and end what they left."""
        ended = set()
        foreign = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            number = self._ids.pop(pid, None)
            if number is None:
                foreign = True
                continue
            ended.add(pid)
            _signal_group(pid, signal.SIGKILL)
            del self._pids[number]
            self._kill_at.pop(number, None)
            self._tell(id=number, exit=os.waitstatus_to_exitcode(status))
        if ended or foreign:
            self._sweep()

    def _sweep(self) -> None:
        """Kill what was left to us by servers that have ended."""
        living = {f"{os.getpid()}:{number}" for number in self._pids}
        for pid in _children():
            if pid not in self._ids and _mark_of(pid) not in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        """End every server and all that servers left, whatever it takes."""
        self._agent.close()
        for pid in self._ids:
            _signal_group(pid, signal.SIGTERM)
        begun = time.monotonic()
        while time.monotonic() - begun < _LAST_S:
            # Only the kernel knows that nobody is left: whoever dies hands its children to us
            # before it can be reaped, while a look at /proc may miss both.
            try:
                pid = os.waitpid(-1, os.WNOHANG)[0]
            except ChildProcessError:
                return
            if pid:
                if pid in self._ids:
                    del self._pids[self._ids.pop(pid)]
                    _signal_group(pid, signal.SIGKILL)
                continue
            if time.monotonic() - begun > FAREWELL_S or not self._ids:
                for child in _children():
                    _signal_group(child, signal.SIGKILL)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
            time.sleep(0.01)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _children() -> list[int]:
    """Whoever has this process as its parent, those that wait to be reaped apart."""
    me = os.getpid()
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib is slow to import
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
                if int(parent) == me and state != b"Z":
                    found.append(int(name))
    return found


def _mark_of(pid: int) -> str:
    """The server that a process descends from, as its environment tells; "" if it does not."""
    mark = _MARK.encode() + b"="
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
        for entry in file.read().split(b"\0"):
            if entry.startswith(mark):
                return entry.removeprefix(mark).decode(errors="replace")
    return ""


if __name__ == "__main__":
    Keeper(socket.socket(fileno=int(sys.argv[1]))).run()
