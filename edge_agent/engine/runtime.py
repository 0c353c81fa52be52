"""The engine as the rest of the agent sees it: load a module, send it a message."""

from __future__ import annotations

import hashlib
import logging
import platform
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import wasmtime

from edge_agent.engine.abi import Kind
from edge_agent.engine.answer import Answer
from edge_agent.engine.call_state import CallState, on_this_thread
from edge_agent.engine.code.address_space import ON_DEMAND, AddressSpace, find_space
from edge_agent.engine.code.cache import DEFAULT_CACHE_BYTES, ModuleCache
from edge_agent.engine.code.compiler import Compile, compile_apart, compile_here
from edge_agent.engine.code.error_text import one_line
from edge_agent.engine.code.loaded import CoreModule, LoadedComponent, LoadedModule
from edge_agent.engine.code.modules import ModuleStore
from edge_agent.engine.code.settings import STACK_BYTES, make_core_config
from edge_agent.engine.code.target import compiled_for
from edge_agent.engine.commands import converse
from edge_agent.engine.component.files import ComponentFiles
from edge_agent.engine.component.own_thread import OwnThreads
from edge_agent.engine.endings import explain, explain_component, stopped_error
from edge_agent.engine.guest import native
from edge_agent.engine.guest.file_quota import Gates
from edge_agent.engine.guest.host import define_host
from edge_agent.engine.guest.instance import Guest
from edge_agent.engine.guest.polling import define_polling
from edge_agent.engine.reactors import ask, exchange, instantiate
from edge_agent.engine.sessions import MOST_SESSIONS, Sessions
from edge_agent.engine.watch.descriptors import Descriptors, raise_limit
from edge_agent.engine.watch.watchdog import Watchdog
from edge_agent.errors import (
    BadAnswer,
    CallFailed,
)

if TYPE_CHECKING:
    from edge_agent.engine.component.runner import Components

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


class WasmEngine:
    """Runs modules, each message in a fresh instance.

    Those of the WasmMCP ABI, and programs that speak MCP over stdin and stdout.

    ``concurrency`` is the number of calls that run at once; ``cache_directory``
    None keeps nothing on disk. ``compiles_apart``: modules are compiled in processes of
    their own, as those of strangers must be. Safe to use from many threads.
    """

    def __init__(
        self,
        cache_directory: Path | None,
        concurrency: int,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        *,
        compiles_apart: bool = True,
    ) -> None:
        self.wasmtime_engine, self.space = _make_engine(concurrency + MOST_SESSIONS)
        linker = wasmtime.Linker(self.wasmtime_engine)
        linker.define_wasi()
        define_polling(linker)
        define_host(linker)
        cache = None
        if cache_directory is not None:
            cache = ModuleCache(cache_directory, self.engine_id, cache_bytes)
        self._components: Components | None = None
        self._components_lock = threading.Lock()
        compile_module = compile_apart if compiles_apart else compile_here
        self._compile: Compile = partial(compile_module, space=self.space)
        self.modules = ModuleStore(
            self.wasmtime_engine,
            linker,
            cache,
            _weakly(self.components),
            self._compile,
        )
        raise_limit()
        self.descriptors = Descriptors()
        self.gates = Gates(
            self.wasmtime_engine, linker, _weakly(self.modules.own), self.descriptors
        )
        self._component_files = ComponentFiles(
            self.descriptors, self.gates.held, self.gates.written
        )
        self._own_threads = OwnThreads()
        self.watchdog = Watchdog(_weakly(self._interrupt))
        self.sessions = Sessions()

    def components(self) -> Components:
        """What runs components, made when the first one comes."""
        from edge_agent.engine.component.runner import Components

        with self._components_lock:
            if self._components is None:
                self._components = Components(self.modules.cache, self._compile, self.space)
            return self._components

    def _interrupt(self) -> None:
        self.wasmtime_engine.increment_epoch()
        if self._components is not None:
            self._components.engine.increment_epoch()

    @property
    def version(self) -> str:
        """Name the engine for people: ``wasmtime 50.0.1``."""
        return f"wasmtime {native.ENGINE_VERSION}"

    @property
    def engine_id(self) -> str:
        """Name version, ISA and settings: compiled code fits exactly one such name."""
        settings = f"{STACK_BYTES} {self.space} {native.TABLE_ELEMENTS} epoch, one 32-bit memory"
        settings += ", no gc; components beside, not async"
        settings += compiled_for()
        digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
        return f"wasmtime-{native.ENGINE_VERSION}-{platform.machine()}-{digest}"

    def send(
        self, module: LoadedModule, message: bytes, call: CallState, session: str = ""
    ) -> Answer:
        """Give one JSON-RPC message to a fresh instance and return its answer.

        With a ``session`` it is the instance of that session, which stays. The call's wall time
        counts from now.

        Raises:
            CallFailed: of the kind that says how the guest ended.
        """
        call.restart_clock()
        if not isinstance(module, CoreModule):
            return self._send_to_component(module, message, call)
        if session and module.kind is Kind.REACTOR:
            return self._send_in_session(module, message, call, (module.digest, session))
        with on_this_thread(call):
            self.watchdog.watch(call)
            guest = Guest(self.wasmtime_engine, call)
            try:
                if module.kind is Kind.COMMAND:
                    return converse(guest, module.pre, message, call, self.watchdog)
                return exchange(guest, module, message, call)
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                raise explain(error, guest, call) from None
            except BadAnswer:
                if call.was_stopped():  # woken from a sleep, it ended by itself
                    raise stopped_error(call) from None
                raise
            finally:
                self.watchdog.release(call)
                guest.close()

    def _send_in_session(
        self, module: CoreModule, message: bytes, call: CallState, key: tuple[str, str]
    ) -> Answer:
        with self.sessions.turn(key, call) as (held, note), on_this_thread(call):
            call.restart_clock()
            self.watchdog.watch(call)
            try:
                if held.guest is None:
                    held.guest = Guest(self.wasmtime_engine, call)
                    begun = time.perf_counter()
                    instantiate(held.guest, module, call)
                else:
                    held.guest.serve(call)
                    begun = time.perf_counter()
                return replace(ask(held.guest, message, call, begun), session=note)
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                failed = explain(error, held.guest, call) if held.guest else None
                self.sessions.end(held, str(failed))
                raise failed or error from None
            except CallFailed as error:
                # Stopped in the middle, or never made whole; an answer that was only too
                # large leaves the instance sound.
                if note.fresh or call.stopped is not None:
                    self.sessions.end(held, str(error))
                raise
            finally:
                self.watchdog.release(call)

    def _send_to_component(
        self, module: LoadedComponent, message: bytes, call: CallState
    ) -> Answer:
        work = partial(self._run_component, module, message, call)
        return self._own_threads.run(work, call, stopped_error)

    def _run_component(self, module: LoadedComponent, message: bytes, call: CallState) -> Answer:
        with on_this_thread(call):
            self.watchdog.watch(call)
            try:
                if call.stopped is not None:
                    raise stopped_error(call)
                with self._component_files.watching(call):
                    return self.components().send(module, message, call, self.watchdog)
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                raise explain_component(error, call) from None
            except BadAnswer:
                if call.was_stopped():  # woken from a sleep, it ended by itself
                    raise stopped_error(call) from None
                raise
            finally:
                self.watchdog.release(call)

    def cancel(self, call: CallState) -> None:
        """End a call now, whether it has begun or not."""
        self.watchdog.cancel(call)

    def close(self) -> None:
        """End every running call and stop the watchdog."""
        self.watchdog.cancel_all()
        self.watchdog.close()
        self.sessions.close()
        self.descriptors.close()
        if self._components is not None:
            self._components.close()


def _weakly(method: Callable[P, T]) -> Callable[P, T]:
    """Return a way to a method that does not keep its engine.

    An engine holds terabytes of address space and thousands of mappings, of which a process has
    some 65,000: it must go with its last user, and not when cycles are looked for.
    """
    weak = weakref.WeakMethod(method)

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        found = weak()
        if found is None:
            raise ReferenceError("the engine was let go")
        return found(*args, **kwargs)

    return call


def _make_engine(concurrency: int) -> tuple[wasmtime.Engine, AddressSpace]:
    """Make an engine with pooled memories, or without where address space is short."""
    space = find_space(concurrency)
    try:
        config = make_core_config(space)
        if space.pooled:
            native.use_pooling(config, concurrency, space.reservation_bytes)
        return wasmtime.Engine(config), space
    except (wasmtime.WasmtimeError, OSError) as error:
        _log.info("no pooling allocator: %s", one_line(error))
        return wasmtime.Engine(make_core_config(ON_DEMAND)), ON_DEMAND
