"""Runs core modules that only have ``_start``: MCP over standard input and output."""

from __future__ import annotations

import time
from typing import Final

import wasmtime

from edge_agent.engine.answer import Answer
from edge_agent.engine.call_state import CallState
from edge_agent.engine.conversation import Conversation, Output
from edge_agent.engine.guest.instance import Guest, Streams
from edge_agent.engine.watch.watchdog import Watchdog
from edge_agent.errors import BadAnswer, NotStarted

# A server that has answered may tidy up; one that goes on for ever is not waited for.
FAREWELL_S: Final = 0.5


def converse(
    guest: Guest,
    pre: wasmtime.InstancePre,
    message: bytes,
    call: CallState,
    watchdog: Watchdog,
) -> Answer:
    """Let a fresh instance read the message, and return what it answers.

    Raises:
        CallFailed: it ended without an answer.
        wasmtime.WasmtimeError, wasmtime.Trap: as the engine says.
    """
    begun = time.perf_counter()
    conversation = Conversation(message)
    if not conversation.expects_answer:
        return Answer(b"", 0, 0.0, 0.0)  # there is no one whom it could tell anything
    output = Output(
        conversation,
        call.limits.output_bytes,
        done=lambda: watchdog.hasten(call, FAREWELL_S),
    )
    try:
        streams = Streams(conversation.input, output.feed)
        guest.set_wasi(call.mounts, streams, call.env)
    except OSError as error:
        raise NotStarted(f"{error}; create it or change the agent's mounts") from None
    guest.instantiate(pre)
    start = guest.function(b"_start")
    if start is None:
        raise BadAnswer("module has no export '_start'")
    ready = time.perf_counter()
    ended: wasmtime.WasmtimeError | wasmtime.Trap | None = None
    try:
        guest.call(start)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        ended = error  # a server often ends by an exit, which is no less an end
    data = output.result()
    if data is None:
        is_exit = isinstance(ended, wasmtime.ExitTrap) and ended.code == 0
        if ended is not None and not is_exit:
            raise ended
        raise BadAnswer("the module ended without an answer to the message")
    took = time.perf_counter()
    return Answer(
        data,
        guest.memory_bytes(),
        (ready - begun) * 1000,
        (took - ready) * 1000,
        call.stderr.decode(errors="replace"),
    )
