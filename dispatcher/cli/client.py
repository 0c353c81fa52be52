"""How commands talk to a dispatcher: one that runs, or one that is started for the purpose.

Plain http.client: a command that makes one request must not spend half a second on imports.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dispatcher.errors import ConfigError, SanderlingError
from dispatcher.serving.discovery import find, trace
from dispatcher.serving.executables import DISPATCHER, environment

CONNECT_S: Final = 5.0
READY_S: Final = 90.0
STOP_S: Final = 6.0
TOKEN_VARIABLE: Final = "SANDERLING_CLIENT_TOKEN"  # noqa: S105 - the name of a variable


class DispatcherError(SanderlingError):
    """The dispatcher's own words for why it did not do what it was asked."""


class DispatcherClient:
    """The JSON API of a dispatcher; see :mod:`dispatcher.serving.api` for the answers' shapes."""

    def __init__(self, url: str, token: str = "") -> None:
        """Talk to the dispatcher of an endpoint, given as printed: with or without ``/mcp``."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"--url {url!r}: write it as http://127.0.0.1:7333/mcp")
        self.url = url
        self._https = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/").removesuffix("/mcp")
        self._headers = {"Sanderling-Api": "1", "Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def health(self) -> dict[str, Any]:
        """Who answers there."""
        return self._ask("GET", "/healthz", timeout_s=CONNECT_S)

    def status(self) -> dict[str, Any]:
        """Version, process, counts."""
        return self._ask("GET", "/api/status")

    def tools(self) -> list[dict[str, Any]]:
        """The tools, as MCP tool objects with their ``server``."""
        return list(self._ask("GET", "/api/tools")["tools"])

    def tool_keys(self) -> list[tuple[str, str]]:
        """Server and name of each tool, as the policy names it."""
        return [(server, name) for server, name in self._ask("GET", "/api/tools")["keys"]]

    def agents(self) -> list[dict[str, Any]]:
        """The nodes that are known; each has the ``warnings`` about the policy."""
        return list(self._ask("GET", "/api/agents")["agents"])

    def warnings(self) -> list[str]:
        """What of the policy names nothing that is known."""
        return list(self._ask("GET", "/api/agents").get("warnings", ()))

    def servers(self) -> list[dict[str, Any]]:
        """The tool servers, and how they are."""
        return list(self._ask("GET", "/api/servers")["servers"])

    def recent_calls(self) -> list[dict[str, Any]]:
        """The last calls, newest first."""
        return list(self._ask("GET", "/api/calls")["calls"])

    def add_server(self, upload: Mapping[str, Any]) -> list[str]:
        """Register a tool server; see :class:`dispatcher.registry.added_servers.Upload`.

        Returns what to know of the names that change by that, one line each.
        """
        return list(self._ask("POST", "/api/tools/add", upload).get("names") or ())

    def remove_server(self, name: str) -> None:
        """Forget a tool server that was added."""
        self._ask("POST", "/api/tools/remove", {"name": name})

    def explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A dry run of ``{"tool", "arguments", "requirements"}``."""
        return self._ask("POST", "/api/explain", request)

    def call(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool; its MCP result object, also where it is an error."""
        return self._ask("POST", "/api/call", request)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT_S)
        try:
            connection.connect()
            if connection.sock is not None:
                connection.sock.settimeout(timeout_s)  # a call takes as long as it takes
            text = None if body is None else json.dumps(body)
            connection.request(method, self._base + path, text, self._headers)
            response = connection.getresponse()
            return self._answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SanderlingError(
                f"no dispatcher answers at {self.url}: {reason.lower()}; start one with "
                f"`sanderling up`, or name another with --url"
            ) from None
        finally:
            connection.close()

    def _answer(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except ValueError:
            value = None
        if status == http.client.UNAUTHORIZED:
            raise DispatcherError(
                f"{self.url} needs a token: set {TOKEN_VARIABLE} to what `sanderling token --client` "
                "prints where it runs"
            )
        if not isinstance(value, dict):
            said = body[:200].decode(errors="replace").strip()
            raise SanderlingError(f"{self.url} is no dispatcher (HTTP {status}: {said})")
        if status != http.client.OK:
            fault = value.get("error")
            message = fault.get("message") if isinstance(fault, dict) else None
            raise DispatcherError(message or f"{self.url}: HTTP {status}")
        return value


@dataclass(frozen=True, slots=True)
class Where:
    """Which dispatcher a command means.

    ``embed`` are the flags of `up` that ask for a new one, and ``alone`` asks for one without any.
    Without ``agents`` a new one is started alone, for requests that need no node.
    """

    url: str | None
    state: Path
    embed: Sequence[str] = field(default=())
    agents: bool = True
    alone: bool = False
    verbose: bool = False


@contextmanager
def connected(where: Where) -> Iterator[DispatcherClient]:
    """A client of the dispatcher that is meant: by URL, else the state directory's, else a new one.

    A new one has no other's policy: it is started where it is asked for, or where nothing tells
    of another, and then it is said on stderr.

    Raises:
        SanderlingError: none can be reached or started, or one is gone that was not stopped.
    """
    if where.url:
        yield DispatcherClient(where.url, os.environ.get(TOKEN_VARIABLE, ""))
        return
    if not where.embed and not where.alone:
        published = client_of_state(where.state)
        if published is not None:
            yield published
            return
        untraced(where.state, "add --embedded for one without its policy, for this command alone")
        sys.stderr.write(
            "sanderling: no dispatcher runs here; starting one for this command, "
            "without any policy (`sanderling up` keeps one)\n"
        )
    with embedded(where) as client:
        yield client


def client_of_state(state: Path) -> DispatcherClient | None:
    """A client of the dispatcher that runs on a state directory, if one does."""
    published = find(state)
    if published is None:
        return None
    client = DispatcherClient(published.url, published.token)
    try:
        alive = client.health().get("started") == published.started
    except SanderlingError:
        alive = False
    return client if alive else None


def untraced(state: Path, otherwise: str) -> None:
    """Return where nothing in a state directory tells of a dispatcher that should be there.

    Raises:
        SanderlingError: something does; ``otherwise`` says what to do instead of starting it.
    """
    found = trace(state)
    if found:
        raise SanderlingError(
            f"no dispatcher answers here: {found}; start it again (`sanderling up`, with its "
            f"--config), or {otherwise}"
        )


@contextmanager
def embedded(where: Where) -> Iterator[DispatcherClient]:
    """Start `sanderling up` on a state directory and ports of its own, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="sanderling-") as scratch:
        command = "up" if where.agents or where.embed else "dispatcher"
        line = [*DISPATCHER, command, "--state", scratch, "--port", "0"]
        line += ["--base", str(where.state)]
        line += ["--grpc-port", "0", "--parent-pid", str(os.getpid()), *where.embed]
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        log = _Tail(process, echo=where.verbose)
        try:
            yield DispatcherClient(_ready_url(process, log))
        finally:
            _stop(process)
            log.join()


class _Tail:
    """The last lines that a process writes to its log, read so that it never blocks."""

    def __init__(self, process: subprocess.Popen[str], *, echo: bool) -> None:
        self.lines: deque[str] = deque(maxlen=20)
        self._process, self._echo = process, echo
        self._thread = threading.Thread(target=self._read, name="log of up", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._process.stderr or ():
            self.lines.append(line.rstrip())
            if self._echo:
                sys.stderr.write(line)

    def join(self) -> None:
        self._thread.join(timeout=1.0)


def _ready_url(process: subprocess.Popen[str], log: _Tail) -> str:
    """Wait for the ready line."""
    deadline = threading.Timer(READY_S, process.kill)
    deadline.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
        return str(json.loads(line)["mcp"])
    except (ValueError, KeyError):
        process.wait()
        log.join()
        last = log.lines[-1].removeprefix("sanderling: ") if log.lines else "it said nothing"
        kind = ConfigError if process.returncode == 2 else SanderlingError  # noqa: PLR2004
        raise kind(last) from None
    finally:
        deadline.cancel()


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
