"""A dispatcher and its agents as processes, each of which can be killed and started again."""

import asyncio
import itertools
import json
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx2

from edge_agent.config.directories import cache_directory
from tests import compiled
from tests.integration.conftest import command_lines, is_alive, wait_for
from wasm_tools import servers

BUILT_IN = [server.name for server in servers()]
LEDGER_SERVER = Path(__file__).parent / "programs/ledger_server.py"
ERA = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": ERA,
    "io.modelcontextprotocol/clientInfo": {"name": "chaos", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class House:
    """``nodes`` agents, each with a ledger server of its own, on one machine.

    They find the servers ``warm`` compiled, else every one that is built in.
    """

    def __init__(self, folder, nodes=2, slots=2, agent_port=None, more="", warm=None):
        self.warm = BUILT_IN if warm is None else warm
        self.folder, self.slots, self.more = folder, slots, more
        self.ledger = folder / "ledger.txt"
        self.port, self.grpc_port = free_port(), free_port()
        self.agent_port = agent_port or self.grpc_port
        self.names = [f"node{number}" for number in range(nodes)]
        self.processes = {}
        self.env = {}

    # ---- processes

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start_dispatcher()
        for name in self.names:
            self.start_agent(name)
        assert wait_for(lambda: set(self.names) <= set(self.attached()), 60), self.logs()
        assert wait_for(self.offered, 60), self.logs()

    def start_dispatcher(self):
        argv = ["dispatcher", "--port", self.port, "--grpc-port", self.grpc_port]
        self._start("dispatcher", "-m", "dispatcher", *argv, "--state", self.folder / "state")
        assert wait_for(self._answers, 60), self.logs()

    def start_agent(self, name):
        config = self.folder / f"{name}.toml"
        config.write_text(
            f'name = "{name}"\nslots = {self.slots}\n'
            f'[[servers]]\nname = "ledger"\n'
            f'command = ["{sys.executable}", "-S", "{LEDGER_SERVER}", "{self.ledger}"]\n{self.more}'
        )
        argv = ["--config", config, "--dispatcher", f"127.0.0.1:{self.agent_port}"]
        token = self.folder / "state/token"
        state = self.folder / name
        if self.warm and not cache_directory(state).exists():
            compiled.give(state, *self.warm)
        self._start(name, "-m", "edge_agent", "run", *argv, "--token-file", token, "--state", state)

    def _start(self, name, *argv):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *map(str, argv)],
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name):
        """``kill -9`` of a process of ours, and nothing else."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def write_at_most(self, size):
        """Let no process of ours write to a file past ``size`` bytes: a disk that is full at 0."""
        for process in self.processes.values():
            _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            soft = most if size is None else size
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, most))

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def servers(self):
        """The ledger servers that run now, whoever started them."""
        return self._with("ledger_server.py", str(self.ledger))

    def keepers(self):
        agents = {process.pid for process in self.processes.values()}
        return [
            pid for pid in self._with("edge_agent.backends.launch.keeper") if _parent(pid) in agents
        ]

    def left(self):
        """Every process that belongs to this house."""
        return self._with(str(self.folder))

    def _with(self, *words):
        return [
            pid
            for pid, line in command_lines().items()
            if all(word in " ".join(line) for word in words) and is_alive(pid)
        ]

    def size(self):
        """Threads and descriptors of each process."""
        found = {}
        for name, process in self.processes.items():
            base = Path(f"/proc/{process.pid}")
            counts = (len(list((base / kind).iterdir())) for kind in ("task", "fd"))
            found[name] = tuple(counts)
        return found

    def logs(self):
        parts = [path.read_text()[-3000:] for path in self.folder.glob("*.log")]
        return "\n".join(parts)

    # ---- asking

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _answers(self):
        with suppress(httpx2.HTTPError):
            return httpx2.get(f"{self.url}/healthz").status_code == 200
        return False

    def agents(self):
        """What the dispatcher knows of each node."""
        with suppress(httpx2.HTTPError):
            answer = httpx2.get(f"{self.url}/api/agents", headers={"Sanderling-Api": "1"})
            return answer.json()["agents"]
        return []

    def attached(self):
        return [one["name"] for one in self.agents() if one["connected"]]

    def offered(self):
        """Whether every server was asked what it offers."""
        found = self.agents()
        return bool(found) and all(one["tools"] for node in found for one in node["servers"])

    def ran(self):
        """How often each id was run, by tool."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        found = {"record": Counter(), "look": Counter()}
        for line in lines:
            name, _, number = line.partition(" ")
            found[name][number] += 1
        return found


class Load:
    """Calls as a client makes them, over HTTP, and what came of each."""

    def __init__(self, house, at_once=8):
        self.house = house
        self.at_once = at_once
        self.done, self.failed, self.cancelled = {}, {}, set()
        self._numbers = itertools.count(1)
        self._name = secrets.token_hex(3)

    async def run(self, count, *, ms=5, cancel_every=0, pad_every=0):
        """Make ``count`` calls; every ``cancel_every``th is cancelled after a moment, every
        ``pad_every``th is so large that it travels in parts.
        """
        limits = httpx2.Limits(max_connections=self.at_once * 2)
        async with httpx2.AsyncClient(timeout=90, limits=limits) as client:
            left = iter(range(count))

            async def work():
                for _ in left:
                    number = next(self._numbers)
                    tool = "record" if number % 2 else "look"
                    cancel = bool(cancel_every) and number % cancel_every == 0
                    name = f"{tool}-{self._name}-{number}"
                    arguments = {"id": name, "ms": 200 if cancel else ms}
                    if pad_every and number % pad_every == 0:
                        arguments["pad"] = "x" * 700_000
                    await self._one(client, tool, arguments, cancel)

            await asyncio.gather(*(work() for _ in range(self.at_once)))

    async def _one(self, client, tool, arguments, cancel):
        name = arguments["id"]
        calling = asyncio.create_task(call(client, self.house.url, tool, arguments))
        if cancel:
            await asyncio.sleep(0.03)
            calling.cancel()
        try:
            result = await calling
        except asyncio.CancelledError:
            self.cancelled.add(name)
        except httpx2.HTTPError as error:
            self.failed[name] = repr(error)
            await asyncio.sleep(0.05)
        else:
            text = result["content"][0]["text"]
            if result.get("isError") or text != name:
                self.failed[name] = text
            else:
                self.done[name] = result["_meta"]["dev.sanderling/placement"]["node"]

    def check(self):
        """Nothing acknowledged is lost, and what promises nothing ran once at most."""
        ran = self.house.ran()
        lost = [name for name in self.done if not ran[name.partition("-")[0]][name]]
        assert lost == []
        twice = [name for name, count in ran["record"].items() if count > 1]
        assert twice == []


async def call(client, url, tool, arguments):
    """One tools/call; the result, or what its error says as a result."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments, "_meta": _META},
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": ERA,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    response = await client.post(f"{url}/mcp", json=body, headers=headers)
    text = response.text
    if "data: " in text:
        text = text.rpartition("data: ")[2].partition("\n")[0]
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {"error": {"message": f"HTTP {response.status_code}: {text[:200]}"}}
    if "result" in answer:
        return answer["result"]
    return {"isError": True, "content": [{"type": "text", "text": answer["error"]["message"]}]}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def kill(pid, number=signal.SIGKILL):
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _parent(pid):
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
