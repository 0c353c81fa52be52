"""What the server of a running call asks of the MCP client, from its node and back.

Servers ask for sampling, elicitation and roots. Who called can be asked if the request has a
:class:`Client`; what that is in each protocol era is the gateway's affair.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from dispatcher import background
from dispatcher.agents.messages import ClientRequest
from dispatcher.call import Client
from dispatcher.calls.waiting.patience import Patience
from dispatcher.errors import ClientRefused
from protos.contract import (
    CAPABILITY_OF,
    CLIENT_ANSWER_S,
    LARGEST_CLIENT_REQUEST_BYTES,
    OPEN_CLIENT_REQUESTS,
)

log = logging.getLogger("sanderling.calls")

#: What servers may ask of clients, as clients declare it.
KINDS: Final = tuple(CAPABILITY_OF.values())
OPEN_MAX: Final = 2 * OPEN_CLIENT_REQUESTS  # of one call; agents let fewer pass
_INTERNAL: Final = -32603


def capabilities(client: Client | None, privacy: str) -> bytes:
    """What of a client a call of this privacy may be told, as JSON; empty for nothing.

    What is sampled goes to a model, wherever that runs: under ``node`` it must not.
    """
    if client is None:
        return b""
    declared = client.capabilities  # made anew each time that it is looked at
    kinds = [kind for kind in KINDS if privacy != "node" or kind != "sampling"]
    found = {kind: declared[kind] for kind in kinds if kind in declared}
    return json.dumps(found, separators=(",", ":")).encode() if found else b""


class ClientRequests:
    """The client requests of one call on one node. Owned by the event loop.

    ``send`` sends the reply to the request of an id. One that comes again, since its stream
    broke, gets the reply that it had.
    """

    def __init__(
        self, client: Client, patience: Patience, send: Callable[[str, bytes], None]
    ) -> None:
        self._client = client
        self._patience = patience
        self._send = send
        self._parts: dict[str, bytearray] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._replies: dict[str, bytes] = {}

    def heard(self, request: ClientRequest) -> None:
        """One came, or a part of one, or it is withdrawn."""
        number = request.id
        if request.withdrawn:
            self._parts.pop(number, None)
            task = self._tasks.get(number)
            if task is not None:
                task.cancel()
        elif number in self._replies:
            if not request.more:
                self._send(number, self._replies[number])
        elif number not in self._tasks:
            self._take(request)

    def interrupted(self) -> None:
        """The stream broke: what is not whole comes anew."""
        self._parts.clear()

    def close(self) -> None:
        """The call is over: nothing more is asked."""
        for task in self._tasks.values():
            task.cancel()

    def _take(self, request: ClientRequest) -> None:
        body = self._parts.setdefault(request.id, bytearray())
        body += request.params
        too_much = (
            len(body) > LARGEST_CLIENT_REQUEST_BYTES
            or len(self._parts) + len(self._tasks) > OPEN_MAX
        )
        if request.more and not too_much:
            return
        del self._parts[request.id]
        if too_much:
            self._reply(request, _error(_INTERNAL, "asks more than a dispatcher takes"))
            return
        self._patience.pause()
        task = asyncio.create_task(self._ask(request, bytes(body)), name="a client's answer")
        task.add_done_callback(background.noticed)
        self._tasks[request.id] = task
        task.add_done_callback(lambda _: self._done(request.id))

    def _done(self, number: str) -> None:
        self._tasks.pop(number, None)
        self._patience.resume()

    async def _ask(self, request: ClientRequest, params: bytes) -> None:
        try:
            asked = json.loads(params or b"{}")
            if request.method not in CAPABILITY_OF or not isinstance(asked, dict):
                raise ClientRefused(f"{request.method}: no request of a server to its client")  # noqa: TRY301
            async with asyncio.timeout(CLIENT_ANSWER_S):
                reply = {"result": await self._client.ask(request.method, asked)}
        except ClientRefused as error:
            reply = _error(error.code, str(error), error.data)
        except TimeoutError:
            reply = _error(_INTERNAL, f"the client gave no answer within {CLIENT_ANSWER_S:.0f} s")
        except Exception as error:  # noqa: BLE001 - a client must not end its own call
            log.warning("a client could not be asked: %s", background.described(error))
            reply = _error(_INTERNAL, f"the client could not be asked: {type(error).__name__}")
        self._reply(request, reply)

    def _reply(self, request: ClientRequest, reply: Mapping[str, Any]) -> None:
        body = json.dumps(reply, separators=(",", ":")).encode()
        if len(body) > LARGEST_CLIENT_REQUEST_BYTES:
            too_large = f"the client's answer of {len(body)} bytes is over the limit of {LARGEST_CLIENT_REQUEST_BYTES}"
            body = json.dumps(_error(_INTERNAL, too_large)).encode()
        self._replies[request.id] = body
        self._send(request.id, body)


def _error(code: int, message: str, data: Any = None) -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"error": error if data is None else {**error, "data": data}}
