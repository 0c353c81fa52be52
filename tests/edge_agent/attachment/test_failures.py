"""An agent that cannot attach: one line with the mend, then silence and a count."""

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from edge_agent.attachment.attachment import Tries
from edge_agent.attachment.failures import in_words
from edge_agent.config.agent_config import load_config
from edge_agent.errors import ConfigError, ConnectionLost
from protos.edge.v1 import edge_pb2

TRIES = 4


class Stranger:
    """A server that is no dispatcher; counts who dials it."""

    def __init__(self, answer):
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.dialled = threading.Semaphore(0)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                if self._answer is not None:
                    connection.settimeout(5)
                    connection.recv(1000)
                    connection.sendall(self._answer)
            self.dialled.release()

    def close(self):
        self._listener.close()


@contextmanager
def stranger(answer):
    served = Stranger(answer)
    try:
        yield served
    finally:
        served.close()


@contextmanager
def an_agent(address, tmp_path):
    command = [sys.executable, "-m", "edge_agent", "run", "--dispatcher", address, "--token", "t"]
    env = {**os.environ, "no_proxy": "*", "no_grpc_proxy": "*"}
    agent = subprocess.Popen(
        [*command, "--state", str(tmp_path)], stderr=subprocess.PIPE, text=True, env=env
    )
    try:
        yield agent
    finally:
        agent.kill()
        agent.wait()
        agent.stderr.close()


HTTP = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
ALERT = bytes.fromhex("15030100020246")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HTTP, "a web server answers there"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "no dispatcher"),
        (ALERT, "wants TLS"),
        (None, "ended from there"),
    ],
)
def test_a_stranger_at_the_port_is_told_once(tmp_path, answer, said):
    with stranger(answer) as served, an_agent(f"127.0.0.1:{served.port}", tmp_path) as agent:
        for _ in range(TRIES):
            assert served.dialled.acquire(timeout=60)
        agent.terminate()
        _, err = agent.communicate(timeout=30)
    lines = [line for line in err.splitlines() if "draining" not in line]
    told = [line for line in lines if said in line]
    assert len(told) == 1
    assert "calls grpc" in told[0]
    assert len(lines) <= 2  # the connection may be reset before its answer is read
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ("last error: UNKNOWN: ipv4:1.2.3.4:1: Connection refused", "nothing listens there"),
        ("errors resolving x:1: [field:hostname lookup error]", "no such host"),
        ("DNS resolution failed for x:1: C-ares status is not ARES_SUCCESS", "no such host"),
        ("(Trying to connect an http1.x server (HTTP status 400))", "a web server answers"),
        ("Received http2 header with status: 502", "a web server or a proxy"),
        ("connection attempt timed out before receiving SETTINGS frame", "nothing answers"),
        ("Deadline Exceeded", "nothing answers"),
        ("No route to host", "no way there"),
        ("something\nnew", "something new"),
    ],
)
def test_grpcs_words_in_ours(details, said):
    line = in_words("10.0.0.2:7410", details)
    assert line.startswith("10.0.0.2:7410: ")
    assert said in line
    assert "\n" not in line


def test_the_tries_are_counted_until_it_is_attached(caplog):
    tries = Tries()
    for _ in range(37):
        tries.failed(ConnectionLost("x:1: nothing listens there"))
    assert [record.message for record in caplog.records] == [
        "x:1: nothing listens there; the agent tries again by itself"
    ]
    assert tries.so_far().startswith(" after 37 failed tries in ")
    assert Tries().so_far() == ""


@pytest.mark.parametrize(
    ("address", "mend"),
    [
        ("http://10.0.0.2:7333/mcp", "calls grpc"),
        ("https://example.org", "calls grpc"),
        ("grpc://10.0.0.2:7410", "not a URL"),
        ("10.0.0.2", "HOST:PORT"),
        ("10.0.0.2:", "HOST:PORT"),
        (":7410", "HOST:PORT"),
        ("10.0.0.2:0", "HOST:PORT"),
        ("10.0.0.2:70000", "HOST:PORT"),
        ("10.0.0.2:7410/mcp", "HOST:PORT"),
        ("10.0.0.2 :7410", "HOST:PORT"),
        ("::1:7410", "[::1]:7410"),
        ("10.0.0.2:" + "1" * 9000, "HOST:PORT"),
    ],
)
def test_an_address_that_is_none_is_refused_with_its_mend(address, mend):
    with pytest.raises(ConfigError, match="dispatcher") as refused:
        load_config(None, {"dispatcher": address, "token": "t"}, {})
    assert mend in str(refused.value)


@pytest.mark.parametrize(
    "address", ["10.0.0.2:7410", "[::1]:7410", "pi_4.local:1", "[fe80::1%eth0]:7410"]
)
def test_an_address_that_is_one_is_taken(address):
    assert load_config(None, {"dispatcher": address, "token": "t"}, {}).dispatcher == address


WELCOME = edge_pb2.AttachResponse(welcome=edge_pb2.Welcome(heartbeat_ms=100)).SerializeToString()


@contextmanager
def dispatching(messages):
    """A server of gRPC that sends these bytes on each stream, and ends it."""
    streams = threading.Semaphore(0)

    def attach(requests, _context):
        next(requests)
        yield from messages
        streams.release()

    server = grpc.server(ThreadPoolExecutor(4))
    handler = grpc.stream_stream_rpc_method_handler(attach)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("edge.v1.Edge", {"Attach": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, streams
    finally:
        server.stop(0)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([b"\xff\xff\xff"], "cannot be read"),
        ([WELCOME, b"\xff\xff\xff"], "cannot be read"),
        ([WELCOME], "ended the stream"),
        ([], "ended the stream"),
    ],
)
def test_a_stream_that_says_nonsense_or_ends_early_is_told_once(tmp_path, messages, said):
    with (
        dispatching(messages) as (port, streams),
        an_agent(f"127.0.0.1:{port}", tmp_path) as agent,
    ):
        for _ in range(TRIES):
            assert streams.acquire(timeout=60)
        agent.terminate()
        _, err = agent.communicate(timeout=30)
    lines = [line for line in err.splitlines() if " WARNING " in line or " ERROR " in line]
    assert len(lines) == 1, err
    assert said in lines[0]
    assert "Traceback" not in err
    assert err.count("attached to") <= 2
