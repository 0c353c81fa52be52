"""A home to play the documents' commands in: files, ports, and programs that run until it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from dispatcher.demo.samples.pictures import write_pictures

ROOT = Path(__file__).parents[2]
READY_S = 60
_SERVERS = re.compile(r"(sanderling (up|dispatcher)|edge-agent (run|serve)) ")
#: What differs from run to run, and from machine to machine.
_SHAPES = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(\+\d\d:\d\d|Z)?"), "TIME"),
    (re.compile(r"(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"), "DAY"),
    (re.compile(r"\b(warm|cold)\b"), "START"),
    (re.compile(r"\b(x86_64|aarch64|riscv64)\b"), "ISA"),
    (re.compile(r"-?\d[\d,]*(\.\d+)?"), "N"),
    (re.compile(r"\s+"), " "),
)


def shape(line):
    """A line without what may differ."""
    for pattern, word in _SHAPES:
        line = pattern.sub(word, line)
    return line.strip()


def fits(expected, printed):
    """Whether what was printed is what a document shows.

    A line of `...` stands for any lines, and `...` within a line for any text.
    """
    wanted = [line for line in expected if line.strip()]
    lines = [line for line in printed if line.strip()]
    pattern = "".join(
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else ".*?".join(re.escape(shape(part)) for part in line.split("...")) + r"\n"
        for line in wanted
    )
    return re.fullmatch(pattern, "".join(f"{shape(line)}\n" for line in lines)) is not None


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def own_address():
    """An address of this machine that is not loopback; "" where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))  # of a documentation network: nothing is sent
        except OSError:
            return ""
        address = one.getsockname()[0]
    return "" if address.startswith("127.") else address


class World:
    """A directory with what the documents speak of, as it is seen from the project's folder."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("logs", "photos", "data"):
            (folder / name).mkdir()
        (folder / "logs/web.log").write_text("2026-11-23T08:15:00Z ERROR disk is full\n")
        self.pictures = write_pictures(folder / "photos")
        (folder / "wasm_tools").symlink_to(ROOT / "wasm_tools")
        kept = {key: os.environ[key] for key in ("LANG", "LC_ALL", "TMPDIR") if key in os.environ}
        self.environment = {
            **kept,
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            # Compiled modules are kept where other tests have them.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
        }
        self.ports = {"7410": str(free_port()), "8000": str(free_port())}
        if address := own_address():
            self.ports["192.168.1.10"] = address
        self._running = []

    def close(self):
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        self._running = []

    def settled(self, command):
        """A command with this world's ports."""
        for written, port in self.ports.items():
            command = command.replace(written, port)
        return command

    def start(self, command):
        """Start what runs on; returns its ready line, "" where it prints none."""
        if command.startswith("sanderling"):
            self.close()  # one state has one dispatcher
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self.settled(command)}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "log").open("ab"),
            text=True,
            cwd=self.folder,
            env=self.environment,
        )
        self._running.append(process)
        if " serve " in command:
            return ""
        line = process.stdout.readline()
        assert line, (command, (self.folder / "log").read_text())
        if match := re.search(r"http://[^:]+:(\d+)/mcp", line):
            self.ports["7333"] = match[1]
        return line

    def run(self, command):
        """Run a command to its end: (exit code, the lines that it printed)."""
        done = subprocess.run(
            ["bash", "-c", self.settled(command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()

    def play(self, block):
        """Play a console block; what it prints must be what it shows."""
        for command, expected in block.commands():
            if _SERVERS.match(f"{command} "):
                printed = [self.start(command)]
                if not expected:
                    continue
            else:
                code, printed = self.run(command)
                assert code == 0, (str(block), command, printed)
                until = time.monotonic() + READY_S
                # A node tells some of what is shown with its next heartbeat.
                while command == "sanderling agents" and not fits(expected, printed):
                    if time.monotonic() > until:
                        break
                    _, printed = self.run(command)
            assert fits(expected, printed), (str(block), command, expected, printed)
