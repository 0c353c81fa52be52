"""Runs components: `wasi:cli/run` with MCP over stdin and stdout, or a handler of HTTP.

Components get an engine of their own, made when the first one comes: without the
pool of memories, whose places are measured for core modules, and with what compilers
of components take for granted. Limits, mounts and stopping are those of all modules.
"""

from __future__ import annotations

import time
from typing import Any, Final

import wasmtime
from wasmtime.component import Component, Func, Linker

from edge_agent.engine.answer import Answer
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.address_space import AddressSpace
from edge_agent.engine.code.cache import ModuleCache
from edge_agent.engine.code.compiled import Compiled
from edge_agent.engine.code.compiler import Compile
from edge_agent.engine.code.loaded import LoadedComponent
from edge_agent.engine.code.loader import CodeLoader
from edge_agent.engine.code.plan import CODE, Plan, interface_of, is_engines, keep_plan
from edge_agent.engine.code.settings import make_component_config
from edge_agent.engine.commands import FAREWELL_S
from edge_agent.engine.component.exchange import PATHS, Exchange, HttpSink, WrongPath
from edge_agent.engine.component.host_calls import guard_components
from edge_agent.engine.component.http import define_others
from edge_agent.engine.component.resources import Resources
from edge_agent.engine.component.response_bodies import HELPER as BODY_HELPER
from edge_agent.engine.component.response_bodies import PREOPENS, ResponseBodies, define_directories
from edge_agent.engine.component.streams import Pipes, Reader
from edge_agent.engine.component.wasi import (
    CLOCK,
    HELPER,
    STDOUT,
    HostContext,
    define_clock,
    define_log,
    host_context,
    set_host_context,
)
from edge_agent.engine.conversation import Conversation, Output
from edge_agent.engine.guest.instance import Guest, StoreBounds, Streams
from edge_agent.engine.watch.watchdog import Watchdog
from edge_agent.errors import BadAnswer, ModuleRejected, NotStarted

_OWN: Final = "-own-component"


class Components:
    """Loads components and runs each message in a fresh instance of one."""

    def __init__(
        self, cache: ModuleCache | None, compile_module: Compile, space: AddressSpace
    ) -> None:
        guard_components()
        self.engine = engine = wasmtime.Engine(make_component_config(space))
        self._cache = cache
        self._loader = CodeLoader(
            "component",
            cache,
            lambda path: Component.deserialize_file(engine, path),
            compile_module,
        )
        self._reader = Reader()
        self._helper = self._loader.own(HELPER, _OWN)
        self._body_helper: Component | None = None
        self._plain = Linker(self.engine)
        self._plain.add_wasip2()

    def close(self) -> None:
        """Let go of what it holds beside the engine."""
        self._reader.close()

    def from_disk(self, digest: str, plan: Plan) -> LoadedComponent | None:
        """Return a component that was compiled before, or None."""
        compiled = self._loader.find(digest + CODE)
        return None if compiled is None else self._link(digest, compiled, plan)

    def take(self, digest: str, compiled: Compiled) -> LoadedComponent:
        """Keep and load what was compiled.

        Raises:
            ModuleRejected: it is no component.
        """
        plan = compiled.about
        if not isinstance(plan, Plan):
            raise ModuleRejected("not a component")
        if self._cache is not None:
            keep_plan(self._cache, digest, plan)
        return self._link(digest, self._loader.keep(digest + CODE, compiled), plan)

    def _link(self, digest: str, compiled: Component, plan: Plan) -> LoadedComponent:
        instance = compiled.get_export_index(plan.entry)
        entry = compiled.get_export_index(plan.function, instance)
        if entry is None:  # the compiler saw it, so the cache was tampered with
            raise ModuleRejected(f"no function {plan.function!r} in {plan.entry}")
        linker = Linker(self.engine)
        linker.allow_shadowing = True
        linker.add_wasip2()
        for name, exports in plan.imports.items():
            interface = interface_of(name)
            if interface == CLOCK:
                define_clock(linker, name)
            elif interface == PREOPENS and plan.sends:
                define_directories(linker, name)
            elif interface == STDOUT and plan.is_http:
                define_log(linker, name)
            elif not is_engines(name):
                define_others(linker, name, exports)
        return LoadedComponent(digest, plan, compiled, linker, entry)

    def send(
        self, loaded: LoadedComponent, message: bytes, call: CallState, watchdog: Watchdog
    ) -> Answer:
        """Give one message to a fresh instance and return its answer.

        Raises:
            CallFailed: it ended without an answer.
            wasmtime.WasmtimeError: as the engine says.
        """
        conversation = Conversation(message, handshake=not loaded.plan.is_http)
        if not conversation.expects_answer:
            return Answer(b"", 0, 0.0, 0.0)
        if not loaded.plan.is_http:
            return self._converse(loaded, conversation, call, watchdog)
        for path in PATHS:
            try:
                return self._converse(loaded, conversation, call, watchdog, path)
            except WrongPath:
                continue
        raise BadAnswer(f"the component serves MCP at none of {', '.join(PATHS)}")

    def _converse(
        self,
        loaded: LoadedComponent,
        conversation: Conversation,
        call: CallState,
        watchdog: Watchdog,
        path: str = "",
    ) -> Answer:
        begun = time.perf_counter()

        def done() -> None:
            watchdog.hasten(call, FAREWELL_S)

        limit = call.limits.output_bytes
        sink = HttpSink(limit, done) if path else Output(conversation, limit, done)
        shape = StoreBounds.of_component(loaded.plan.memories, helpers=int(loaded.plan.sends))
        guest = Guest(self.engine, call, shape)
        bodies = ResponseBodies() if loaded.plan.sends else None
        pipes = Pipes(sink.feed, call.take_stderr, self._reader)
        try:
            store, function = self._instantiate(
                guest, loaded, conversation.input, call, bodies, pipes
            )
            ready = time.perf_counter()
            if isinstance(sink, HttpSink):
                exchange = host_context().http = Exchange(conversation, sink, path)
                data = exchange.run(store, function, pipes)
            else:
                host_context().http = Resources()
                data = _run(store, function, sink, pipes)
            took = time.perf_counter()
        finally:
            pipes.drain()  # its last words
            set_host_context(None)
            pipes.close()
            guest.close()
            if bodies is not None:
                bodies.close()
        stderr = call.stderr.decode(errors="replace")
        return Answer(data, 0, (ready - begun) * 1000, (took - ready) * 1000, stderr)

    def _helper_of_bodies(self) -> Component:
        if self._body_helper is None:
            self._body_helper = self._loader.own(BODY_HELPER, _OWN)
        return self._body_helper

    def _instantiate(
        self,
        guest: Guest,
        loaded: LoadedComponent,
        data: bytes,
        call: CallState,
        bodies: ResponseBodies | None,
        pipes: Pipes,
    ) -> tuple[Any, Func]:
        """Make an instance; return its store and the function that runs it."""
        try:
            mounts = [*call.mounts, *([bodies.mount] if bodies is not None else [])]
            streams = Streams(data, files=(pipes.output.path, pipes.error.path))
            guest.set_wasi(mounts, streams, call.env)
            pipes.begin()
        except OSError as error:
            raise NotStarted(f"{error}; create it or change the agent's mounts") from None
        store: Any = guest.storelike()
        helper = self._plain.instantiate(store, self._helper)
        context = HostContext(call, helper, bodies=bodies, pipes=pipes)
        if bodies is not None:
            context.body_helper = self._plain.instantiate(store, self._helper_of_bodies())
        set_host_context(context)
        instance = loaded.linker.instantiate(store, loaded.compiled)
        function = instance.get_func(store, loaded.entry)
        if function is None:
            raise BadAnswer("the component's export is no function")
        return store, function


def _run(store: Any, function: Func, output: Output, pipes: Pipes) -> bytes:
    ended: wasmtime.WasmtimeError | wasmtime.Trap | None = None
    try:
        function(store)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        ended = error
    pipes.drain()
    data = output.result()
    if data is not None:
        return data
    is_exit = isinstance(ended, wasmtime.ExitTrap) and ended.code == 0
    if ended is not None and not is_exit:
        raise ended
    raise BadAnswer("the module ended without an answer to the message")
