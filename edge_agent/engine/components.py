"""Runs components: `wasi:cli/run` with MCP over stdin and stdout, or a handler of HTTP.

Components get an engine of their own, made when the first one comes: without the
pool of memories, whose places are measured for core modules, and with what compilers
of components take for granted. Limits, mounts and stopping are those of all modules.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import wasmtime
from wasmtime.component import Component, ExportIndex, Func, Linker

from edge_agent.engine import native
from edge_agent.engine.answer import Answer
from edge_agent.engine.cache import ModuleCache
from edge_agent.engine.commands import FAREWELL_S
from edge_agent.engine.component_host import (
    CLOCK,
    HELPER,
    STDOUT,
    Scene,
    define_clock,
    define_log,
    scene,
    set_scene,
)
from edge_agent.engine.component_http import (
    HTTP_TYPES,
    PATHS,
    Exchange,
    HttpSink,
    Resources,
    WrongPath,
    define_others,
)
from edge_agent.engine.component_outgoing import HELPER as BODY_HELPER
from edge_agent.engine.component_outgoing import (
    OUTGOING_HANDLER,
    PREOPENS,
    Bodies,
    define_directories,
)
from edge_agent.engine.conversation import Conversation, Output
from edge_agent.engine.running import Running
from edge_agent.engine.settings import make_config
from edge_agent.engine.shapes import memories_of
from edge_agent.engine.space import ON_DEMAND, Space
from edge_agent.engine.watchdog import Watchdog
from edge_agent.engine.words import cause
from edge_agent.errors import BadAnswer, CallFailed, ModuleRejected

RUN: Final = "wasi:cli/run"
HANDLER: Final = "wasi:http/incoming-handler"
_KEY: Final = "-component"
_SEPARATOR: Final = "@"
# What the engine offers itself. HTTP to the outside is not among it.
_WASI: Final = frozenset(
    f"wasi:{package}" for package in ("cli", "clocks", "filesystem", "io", "random", "sockets")
)


@dataclass(frozen=True, slots=True)
class LoadedComponent:
    """A compiled component with what its imports resolve to.

    ``memories`` is how many linear memories it may make; they share the limit.
    """

    digest: str
    compiled: Component
    linker: Linker
    entry: ExportIndex
    is_http: bool
    memories: int
    sends: bool = False  # HTTP requests


class Components:
    """Compiles components and runs each message in a fresh instance of one."""

    def __init__(
        self, cache_directory: Path | None, engine_id: str, cache_bytes: int, space: Space
    ) -> None:
        native.guard_components()
        # Memories come and go one by one, so where a whole pool fits, they do.
        self.engine = wasmtime.Engine(make_config(space if space.is_ample else ON_DEMAND))
        self._cache: ModuleCache | None = None
        if cache_directory is not None:
            self._cache = ModuleCache(cache_directory, f"{engine_id}{_KEY}", cache_bytes)
        self._helper = Component(self.engine, HELPER)
        self._body_helper: Component | None = None
        self._plain = Linker(self.engine)
        self._plain.add_wasip2()

    def from_disk(self, digest: str) -> LoadedComponent | None:
        """Return a component that was compiled before, or None."""
        if self._cache is None:
            return None
        for memories in range(1, native.MOST_MEMORIES + 1):
            path = self._cache.find(f"{digest}-{memories}")
            if path is None:
                continue
            try:
                compiled = Component.deserialize_file(self.engine, path)
            except wasmtime.WasmtimeError:
                self._cache.discard(f"{digest}-{memories}")
                continue
            return self._link(digest, compiled, memories)
        return None

    def compile(self, digest: str, wasm: bytes) -> LoadedComponent:
        """Compile a component and check that it can be spoken to.

        Raises:
            ModuleRejected: it is not valid, or exports nothing that speaks MCP.
        """
        try:
            memories = max(1, memories_of(wasm))
            compiled = Component(self.engine, wasm)
        except (wasmtime.WasmtimeError, ValueError) as error:
            raise ModuleRejected(
                f"module {digest[:12]}: not a valid component: {cause(error)}"
            ) from None
        if memories > native.MOST_MEMORIES:
            raise ModuleRejected(
                f"module {digest[:12]}: {memories} linear memories, more than the "
                f"{native.MOST_MEMORIES} that an agent gives a component"
            )
        linked = self._link(digest, compiled, memories)
        if self._cache is not None:
            self._cache.store(f"{digest}-{memories}", compiled.serialize())
        return linked

    def _link(self, digest: str, compiled: Component, memories: int) -> LoadedComponent:
        exports = list(compiled.type.exports(self.engine))
        entry, is_http = _entry(digest, compiled, exports)
        linker = Linker(self.engine)
        linker.allow_shadowing = True
        linker.add_wasip2()
        imports = dict(compiled.type.imports(self.engine))
        sends = any(name.partition(_SEPARATOR)[0] == OUTGOING_HANDLER for name in imports)
        for name, imported in imports.items():
            interface = name.partition(_SEPARATOR)[0]
            if interface == CLOCK:
                define_clock(linker, name)
            elif interface == PREOPENS and sends:
                define_directories(linker, name)
            elif interface == STDOUT and is_http:
                define_log(linker, name)
            elif interface == HTTP_TYPES or interface.partition("/")[0] not in _WASI:
                define_others(linker, self.engine, name, imported.ty)
        return LoadedComponent(digest, compiled, linker, entry, is_http, memories, sends)

    def send(
        self, loaded: LoadedComponent, message: bytes, running: Running, watchdog: Watchdog
    ) -> Answer:
        """Give one message to a fresh instance and return its answer.

        Raises:
            CallFailed: it ended without an answer.
            wasmtime.WasmtimeError: as the engine says.
        """
        conversation = Conversation(message, handshake=not loaded.is_http)
        if not conversation.expects_answer:
            return Answer(b"", 0, 0.0, 0.0)
        if not loaded.is_http:
            return self._converse(loaded, conversation, running, watchdog)
        for path in PATHS:
            try:
                return self._converse(loaded, conversation, running, watchdog, path)
            except WrongPath:
                continue
        raise BadAnswer(f"the component serves MCP at none of {', '.join(PATHS)}")

    def _converse(
        self,
        loaded: LoadedComponent,
        conversation: Conversation,
        running: Running,
        watchdog: Watchdog,
        path: str = "",
    ) -> Answer:
        begun = time.perf_counter()

        def done() -> None:
            watchdog.hasten(running, FAREWELL_S)

        limit = running.limits.output_bytes
        sink = HttpSink(limit, done) if path else Output(conversation, limit, done)
        shape = native.Shape.of_component(loaded.memories, helpers=int(loaded.sends))
        guest = native.Guest(self.engine, running, shape)
        bodies = Bodies() if loaded.sends else None
        try:
            store, function = self._instantiate(
                guest, loaded, native.Streams(conversation.input, sink.feed), running, bodies
            )
            ready = time.perf_counter()
            if isinstance(sink, HttpSink):
                exchange = scene().http = Exchange(conversation, sink, path)
                data = exchange.run(store, function)
            else:
                scene().http = Resources()
                data = _run(store, function, sink)
            took = time.perf_counter()
        finally:
            set_scene(None)
            guest.close()
            if bodies is not None:
                bodies.close()
        stderr = running.stderr.decode(errors="replace")
        return Answer(data, 0, (ready - begun) * 1000, (took - ready) * 1000, stderr)

    def _helper_of_bodies(self) -> Component:
        if self._body_helper is None:
            self._body_helper = Component(self.engine, BODY_HELPER)
        return self._body_helper

    def _instantiate(
        self,
        guest: native.Guest,
        loaded: LoadedComponent,
        streams: native.Streams,
        running: Running,
        bodies: Bodies | None,
    ) -> tuple[Any, Func]:
        """Make an instance; return its store and the function that runs it."""
        try:
            mounts = [*running.mounts, *([bodies.mount] if bodies is not None else [])]
            guest.set_wasi(mounts, streams, running.env)
        except OSError as error:
            raise CallFailed(f"{error}; create it or change the agent's mounts") from None
        store: Any = guest.storelike()
        played = Scene(running, self._plain.instantiate(store, self._helper), bodies=bodies)
        if bodies is not None:
            played.body_helper = self._plain.instantiate(store, self._helper_of_bodies())
        set_scene(played)
        instance = loaded.linker.instantiate(store, loaded.compiled)
        function = instance.get_func(store, loaded.entry)
        if function is None:
            raise BadAnswer("the component's export is no function")
        return store, function


def _run(store: Any, function: Func, output: Output) -> bytes:
    ended: wasmtime.WasmtimeError | wasmtime.Trap | None = None
    try:
        function(store)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        ended = error
    data = output.result()
    if data is not None:
        return data
    is_exit = isinstance(ended, wasmtime.ExitTrap) and ended.code == 0
    if ended is not None and not is_exit:
        raise ended
    raise BadAnswer("the module ended without an answer to the message")


def _entry(digest: str, compiled: Component, exports: list[str]) -> tuple[ExportIndex, bool]:
    """Find the function to call: a program's, else a handler's of HTTP."""
    for interface, function in ((RUN, "run"), (HANDLER, "handle")):
        for name in exports:
            if name.partition(_SEPARATOR)[0] == interface:
                instance = compiled.get_export_index(name)
                entry = compiled.get_export_index(function, instance)
                if entry is not None:
                    return entry, interface == HANDLER
    raise ModuleRejected(
        f"module {digest[:12]}: a component that exports neither {RUN} nor {HANDLER}; "
        "build it as a command or for wasi:http/proxy"
    )
