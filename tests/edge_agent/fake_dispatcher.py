"""A dispatcher for tests: real gRPC on loopback, with a script in the test's hands."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from protos.edge.v1 import artifacts_pb2, artifacts_pb2_grpc, edge_pb2, edge_pb2_grpc

TOKEN = "a-token-for-tests"
CHUNK_BYTES = 256 * 1024
HANGS_S = 60  # by now it never comes


class Attached:
    """One Attach stream as the dispatcher sees it."""

    def __init__(self, register):
        self.register = register
        self.outgoing = queue.SimpleQueue()
        self.incoming = queue.SimpleQueue()
        self.unseen = []

    def send(self, **message):
        self.outgoing.put(edge_pb2.AttachResponse(**message))

    def end(self):
        self.outgoing.put(None)

    def receive(self, kind, timeout_s=HANGS_S):
        """Return the next message of this kind, passing over the others; "" is the end."""
        while True:
            message = self.incoming.get(timeout=timeout_s)
            found = message.WhichOneof("message") if message is not None else ""
            if found == kind:
                return getattr(message, kind) if message is not None else None
            assert message is not None, f"the stream ended before a {kind} came"
            if found == "result":
                self.unseen.append(message.result)

    def result(self, call_id=None, timeout_s=HANGS_S):
        """Return the result of that call, or the first unseen one, and its whole payload."""
        result = next((r for r in self.unseen if call_id in (None, r.call_id)), None)
        if result is not None:
            self.unseen.remove(result)
        while result is None:
            result = self.receive("result", timeout_s)
            if call_id not in (None, result.call_id):
                self.unseen.append(result)
                result = None
        payload = bytes(result.result.inline)
        while len(payload) < result.result.size_bytes:
            chunk = self.receive("chunk", timeout_s)
            assert chunk.call_id == result.call_id
            assert len(chunk.data) <= CHUNK_BYTES
            payload += chunk.data
        return result, payload


class FakeDispatcher(edge_pb2_grpc.EdgeServicer, artifacts_pb2_grpc.ArtifactsServicer):
    """Listens on a port of its own; every agent that attaches lands in ``attached``."""

    def __init__(self, modules=None, heartbeat_ms=200, port=0):
        self.modules = dict(modules or {})
        self.heartbeat_ms = heartbeat_ms
        self.prefetch = []
        self.fetches = []
        self.cut_after_bytes = None
        self.attached = queue.SimpleQueue()
        self._server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0)])
        edge_pb2_grpc.add_EdgeServicer_to_server(self, self._server)
        artifacts_pb2_grpc.add_ArtifactsServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def next_agent(self, timeout_s=HANGS_S):
        return self.attached.get(timeout=timeout_s)

    def stop(self):
        self._server.stop(0).wait()

    def Attach(self, requests, context):  # noqa: N802 - the wire names it
        self._check_token(context)
        first = next(requests)
        agent = Attached(first.register)
        threading.Thread(target=self._drain_into, args=(requests, agent), daemon=True).start()
        agent.send(
            welcome=edge_pb2.Welcome(
                dispatcher_version="fake", heartbeat_ms=self.heartbeat_ms, modules=self.prefetch
            )
        )
        context.add_callback(agent.end)
        self.attached.put(agent)
        yield from iter(agent.outgoing.get, None)

    def Fetch(self, request, context):  # noqa: N802 - the wire names it
        self._check_token(context)
        self.fetches.append((request.sha256, request.offset_bytes))
        data = self.modules.get(request.sha256)
        if data is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "nobody registered this digest")
        sent = 0
        for start in range(request.offset_bytes, len(data), 1024):
            part = data[start : start + 1024]
            if self.cut_after_bytes is not None and sent + len(part) > self.cut_after_bytes:
                self.cut_after_bytes = None
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut for the test")
            sent += len(part)
            yield artifacts_pb2.FetchResponse(
                data=part, size_bytes=len(data) if start == request.offset_bytes else 0
            )

    def _check_token(self, context):
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong token")

    @staticmethod
    def _drain_into(requests, agent):
        try:
            for request in requests:
                agent.incoming.put(request)
        except grpc.RpcError:
            pass
        agent.incoming.put(None)
