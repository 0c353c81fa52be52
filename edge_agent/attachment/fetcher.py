"""Fetches modules from the dispatcher, on a stream of their own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import grpc

from edge_agent.attachment import stub
from edge_agent.backends.base import ModuleRef
from edge_agent.errors import ConnectionLost, ModuleUnavailable
from protos.contract import LARGEST_MODULE_BYTES

ATTEMPTS: Final = 5
FETCH_TIMEOUT_S: Final = 120.0
_PAUSE_S: Final = 0.2
_LASTING: Final = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
)
_log = logging.getLogger(__name__)


class ArtifactFetcher:
    """Fetches by digest; a cut connection goes on where it ended.

    ``channel`` gives the present channel to the dispatcher, or None between two.
    """

    def __init__(self, channel: Callable[[], grpc.Channel | None], token: str) -> None:
        self._channel = channel
        self._token = token

    def fetch(self, module: ModuleRef) -> bytes:
        """Return the bytes of a module; the caller checks their digest.

        Raises:
            ModuleUnavailable: the dispatcher does not have it, it is larger than
                announced or permitted, or the connection does not hold.
        """
        data = bytearray()
        reason = "no connection to the dispatcher"
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S * attempt)
            channel = self._channel()
            if channel is None:
                continue
            try:
                self._receive(channel, module, data)
            except grpc.RpcError as error:
                code = error.code()
                reason = error.details() or code.name
                if code in _LASTING:
                    break
                _log.info("module %s: fetching again: %s", module.sha256[:12], reason)
            except ConnectionLost as error:
                reason = str(error)
                break
            except ValueError:
                # The channel was closed between our look and our use.
                reason = "the connection to the dispatcher was lost"
            else:
                return bytes(data)
        raise ModuleUnavailable(
            f"module {module.sha256[:12]}: cannot be fetched from the dispatcher: {reason}"
        )

    def _receive(self, channel: grpc.Channel, module: ModuleRef, data: bytearray) -> None:
        """Append what is missing to ``data``."""
        stream = stub.fetch(channel, module.sha256, len(data), self._token, FETCH_TIMEOUT_S)
        most = min(module.size_bytes or LARGEST_MODULE_BYTES, LARGEST_MODULE_BYTES)
        for response in stream:
            data += response.data
            if len(data) > most or response.size_bytes > most:
                stream.cancel()
                raise ModuleUnavailable(
                    f"module {module.sha256[:12]}: larger than the {most} bytes "
                    "that were announced or are permitted"
                )
        if module.size_bytes and len(data) != module.size_bytes:
            got = len(data)
            data.clear()
            raise ModuleUnavailable(
                f"module {module.sha256[:12]}: {got} bytes of {module.size_bytes} came; "
                "register it again"
            )
