"""What a component finds in place of the engine's own WASI where that would not do.

A host function of the engine's component API may return a resource, but cannot make
one of WASI's: a pollable, a stream. So each store also holds a *helper*, a component
that only passes on the engine's functions, and from which such resources are had.

Sleeping is the case in point: the engine sleeps in the host, where no deadline
reaches it, so the clock here gives no pollable that is ready later than the call ends.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Final

import wasmtime
from wasmtime import component

from edge_agent.engine.call_state import CallState
from edge_agent.engine.component.streams import Pipes

CLOCK: Final = "wasi:clocks/monotonic-clock"
STDOUT: Final = "wasi:cli/stdout"
# A guest whose time is up wakes this much later, to be ended at its next step.
_PAST_DEADLINE_S: Final = 0.01

HELPER: Final = """
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "input-stream" (type (sub resource)))
    (export "output-stream" (type (sub resource)))))
  (alias export $streams "input-stream" (type $input))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdin@0.2.0" (instance $stdin
    (alias outer 1 $input (type $type)) (export "input-stream" (type (eq $type)))
    (export "get-stdin" (func (result (own $type))))))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $type)) (export "output-stream" (type (eq $type)))
    (export "get-stdout" (func (result (own $type))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $output (type $type)) (export "output-stream" (type (eq $type)))
    (export "get-stderr" (func (result (own $type))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $type)) (export "pollable" (type (eq $type)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $type))))))
  (core func $stdin (canon lower (func $stdin "get-stdin")))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core func $sleep (canon lower (func $clock "subscribe-duration")))
  (func (export "stdin") (result (own $input)) (canon lift (core func $stdin)))
  (func (export "stdout") (result (own $output)) (canon lift (core func $stdout)))
  (func (export "stderr") (result (own $output)) (canon lift (core func $stderr)))
  (func (export "sleep") (param "when" u64) (result (own $pollable))
    (canon lift (core func $sleep)))
)
"""


@dataclass(slots=True)
class HostContext:
    """What the host's functions find of the component that this thread runs.

    Its call, the helpers, and its HTTP request where it has one.
    """

    call: CallState
    helper: component.Instance
    http: Any = None
    bodies: Any = None  # of responses, where the component may send requests
    pipes: Pipes | None = None
    body_helper: component.Instance | None = None

    def resource(self, store: Any, name: str, *arguments: int) -> Any:
        """Return a resource of the engine's WASI from a helper."""
        function = self.helper.get_func(store, name)
        if function is None and self.body_helper is not None:
            function = self.body_helper.get_func(store, name)
        if function is None:
            raise wasmtime.WasmtimeError(f"the helper has no {name}")
        return function(store, *arguments)


_ambient = threading.local()


def set_host_context(context: HostContext | None) -> None:
    """Say what the host's functions find on this thread."""
    _ambient.context = context


def host_context() -> HostContext:
    """Return what belongs to the component that this thread runs.

    Raises:
        wasmtime.WasmtimeError: it runs none.
    """
    found: HostContext | None = getattr(_ambient, "context", None)
    if found is None:
        raise wasmtime.WasmtimeError("no component runs on this thread")
    return found


def define_clock(linker: component.Linker, name: str) -> None:
    """Put this clock in the place of the engine's, under the full name that is imported."""
    with linker.root() as root, root.add_instance(name) as clock:
        clock.add_func("now", _now)
        clock.add_func("resolution", lambda _: 1000)
        clock.add_func("subscribe-duration", _subscribe_duration)
        clock.add_func("subscribe-instant", _subscribe_instant)


def define_log(linker: component.Linker, name: str) -> None:
    """Let what a server of HTTP prints go to standard error: its output is the response."""
    with linker.root() as root, root.add_instance(name) as output:
        output.add_func("get-stdout", lambda store: host_context().resource(store, "stderr"))


def _now(_: Any) -> int:
    return int((time.monotonic() - host_context().call.clock_zero) * 1e9)


def _subscribe_duration(store: Any, duration_ns: int) -> Any:
    return _wake_after(store, duration_ns / 1e9)


def _subscribe_instant(store: Any, instant_ns: int) -> Any:
    return _wake_after(store, instant_ns / 1e9 - _now(store) / 1e9)


def _wake_after(store: Any, seconds: float) -> Any:
    call = host_context().call
    if not call.count_host_call():
        raise wasmtime.WasmtimeError("the call is over")
    left = call.deadline - time.monotonic() + _PAST_DEADLINE_S
    if call.stopped is not None:
        left = 0.0
    return host_context().resource(store, "sleep", int(max(0.0, min(seconds, left)) * 1e9))
