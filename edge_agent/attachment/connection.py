"""One connection to a dispatcher: a channel with an Attach stream on it."""

from __future__ import annotations

import threading
import time
from typing import Final

import grpc

from edge_agent.attachment import stub
from edge_agent.attachment.failures import in_words
from edge_agent.attachment.heartbeat import AlreadyTold
from edge_agent.attachment.messages import Received, Registration, Welcome, read
from edge_agent.attachment.outbox import Outbox
from edge_agent.errors import ConfigError, ConnectionLost, EdgeAgentError, TokenRefused

WELCOME_TIMEOUT_S: Final = 10.0
_OPTIONS: Final = (
    # A connection of its own for each try: shared ones bring their own backoff.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    # Heartbeats find a dead peer through TCP_USER_TIMEOUT, which gRPC sets to the
    # keepalive timeout. Pings are for the rest, no more often than any server allows.
    ("grpc.keepalive_time_ms", 310_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


class Connection:
    """Opens the stream, registers, and waits for the welcome.

    ``told`` is what the registration tells.

    Raises:
        TokenRefused, ConfigError: trying again would not help.
        ConnectionLost: it may.
    """

    def __init__(
        self, address: str, token: str, registration: Registration, told: AlreadyTold
    ) -> None:
        self.address = address
        self.outbox = Outbox()
        self.reading = threading.Lock()
        self.ended = threading.Event()
        self.error: EdgeAgentError | None = None
        self.opened_s = time.monotonic()
        self.told = told
        self.channel = grpc.insecure_channel(address, options=_OPTIONS)
        self.outbox.put(registration)
        self._stream = stub.attach(self.channel, iter(self.outbox), token)
        try:
            self.welcome = self._await_welcome()
        except EdgeAgentError:
            self.close()
            raise

    def receive(self) -> Received | None:
        """Return the next message, or None once the stream has ended."""
        try:
            return read(next(self._stream))
        except StopIteration:
            self._end(ConnectionLost("the dispatcher ended the stream"))
        except grpc.RpcError as error:
            self._end(self._translate(error))
        except ConnectionLost as error:
            self._end(error)
        return None

    def close(self) -> None:
        """Give everything back. Other threads that read see the end of the stream."""
        self.outbox.close()
        self.ended.set()
        self._stream.cancel()
        self.channel.close()

    def _end(self, error: EdgeAgentError) -> None:
        if self.error is None:
            self.error = error
        self.outbox.close()  # frees gRPC's sender, which waits for our next message
        self.ended.set()

    def _await_welcome(self) -> Welcome:
        timer = threading.Timer(WELCOME_TIMEOUT_S, self._stream.cancel)
        timer.daemon = True
        timer.start()
        try:
            message = self.receive()
        finally:
            timer.cancel()
        if message is None:
            raise self.error or ConnectionLost("the stream ended before the welcome")
        if not isinstance(message, Welcome):
            raise ConnectionLost("the dispatcher did not begin with a welcome")
        return message

    def _translate(self, error: grpc.RpcError) -> EdgeAgentError:
        code, details = error.code(), error.details() or ""
        if code in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
            return TokenRefused(
                f"{self.address}: the dispatcher refused the token; "
                "give the one that it was started with, by --token-file"
            )
        if code == grpc.StatusCode.INVALID_ARGUMENT:
            return ConfigError(
                f"{self.address}: the dispatcher refused the registration: {details}"
            )
        if code == grpc.StatusCode.UNIMPLEMENTED and "http2 header" not in details:
            return ConfigError(
                f"{self.address}: no dispatcher of this protocol there; check the port"
            )
        if code == grpc.StatusCode.ALREADY_EXISTS:
            return ConnectionLost(f"{self.address}: {details}")
        return ConnectionLost(in_words(self.address, details or code.name.lower()))
