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
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import wasmtime

from edge_agent.engine.abi import Kind
from edge_agent.engine.answer import Answer
from edge_agent.engine.call_state import CANCELLED, TIMED_OUT, Running, on_this_thread
from edge_agent.engine.code.address_space import ON_DEMAND, Space, find_space
from edge_agent.engine.code.cache import DEFAULT_CACHE_BYTES, ModuleCache
from edge_agent.engine.code.compiler import Compile, compile_apart, compile_here
from edge_agent.engine.code.error_text import cause, one_line
from edge_agent.engine.code.loaded import CoreModule, LoadedComponent, LoadedModule
from edge_agent.engine.code.modules import ModuleStore
from edge_agent.engine.code.settings import STACK_BYTES, make_core_config
from edge_agent.engine.code.target import compiled_for
from edge_agent.engine.commands import converse
from edge_agent.engine.component.files import ComponentFiles
from edge_agent.engine.component.own_thread import Apart
from edge_agent.engine.guest import native
from edge_agent.engine.guest.file_quota import Gates
from edge_agent.engine.guest.host import define_host
from edge_agent.engine.guest.polling import define_polling
from edge_agent.engine.limits import MIB
from edge_agent.engine.sessions import MOST_SESSIONS, Sessions
from edge_agent.engine.watch.descriptors import Descriptors, raise_limit
from edge_agent.engine.watch.watchdog import Watchdog
from edge_agent.errors import (
    BadAnswer,
    CallCancelled,
    CallFailed,
    CallTimeout,
    LimitExceeded,
    MemoryExceeded,
    ModuleTrapped,
    OutputTooLarge,
)

if TYPE_CHECKING:
    from edge_agent.engine.component.runner import Components

P = ParamSpec("P")
T = TypeVar("T")
_ALLOCATION_FAILED: Final = b"memory allocation of"
_U32: Final = 0xFFFF_FFFF
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
        self._apart = Apart()
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
        self, module: LoadedModule, message: bytes, running: Running, session: str = ""
    ) -> Answer:
        """Give one JSON-RPC message to a fresh instance and return its answer.

        With a ``session`` it is the instance of that session, which stays.

        Raises:
            CallFailed: of the kind that says how the guest ended.
        """
        if not isinstance(module, CoreModule):
            return self._send_to_component(module, message, running)
        if session and module.kind is Kind.REACTOR:
            return self._send_in_session(module, message, running, (module.digest, session))
        with on_this_thread(running):
            self.watchdog.watch(running)
            guest = native.Guest(self.wasmtime_engine, running)
            try:
                if module.kind is Kind.COMMAND:
                    return converse(guest, module.pre, message, running, self.watchdog)
                return _exchange(guest, module, message, running)
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                raise _explain(error, guest, running) from None
            except BadAnswer:
                if running.stopped is not None:  # woken from a sleep, it ended by itself
                    raise _stopped(running) from None
                raise
            finally:
                self.watchdog.release(running)
                guest.close()

    def _send_in_session(
        self, module: CoreModule, message: bytes, running: Running, key: tuple[str, str]
    ) -> Answer:
        with self.sessions.turn(key, running) as (held, note), on_this_thread(running):
            running.restart_clock()
            self.watchdog.watch(running)
            try:
                if held.guest is None:
                    held.guest = native.Guest(self.wasmtime_engine, running)
                    begun = time.perf_counter()
                    _instantiate(held.guest, module, running)
                else:
                    held.guest.serve(running)
                    begun = time.perf_counter()
                return replace(_ask(held.guest, message, running, begun), session=note)
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                failed = _explain(error, held.guest, running) if held.guest else None
                self.sessions.end(held, str(failed))
                raise failed or error from None
            except CallFailed as error:
                # Stopped in the middle, or never made whole; an answer that was only too
                # large leaves the instance sound.
                if note.fresh or running.stopped is not None:
                    self.sessions.end(held, str(error))
                raise
            finally:
                self.watchdog.release(running)

    def _send_to_component(
        self, module: LoadedComponent, message: bytes, running: Running
    ) -> Answer:
        work = partial(self._run_component, module, message, running)
        return self._apart.run(work, running, _stopped)

    def _run_component(self, module: LoadedComponent, message: bytes, running: Running) -> Answer:
        with on_this_thread(running):
            self.watchdog.watch(running)
            try:
                if running.stopped is not None:
                    raise _stopped(running)
                with self._component_files.watching(running):
                    return self.components().send(module, message, running, self.watchdog)
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                raise _explain_component(error, running) from None
            except BadAnswer:
                if running.stopped is not None:  # woken from a sleep, it ended by itself
                    raise _stopped(running) from None
                raise
            finally:
                self.watchdog.release(running)

    def cancel(self, running: Running) -> None:
        """End a call now, whether it has begun or not."""
        self.watchdog.cancel(running)

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


def _make_engine(concurrency: int) -> tuple[wasmtime.Engine, Space]:
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


def _exchange(guest: native.Guest, module: CoreModule, message: bytes, running: Running) -> Answer:
    begun = time.perf_counter()
    _instantiate(guest, module, running)
    return _ask(guest, message, running, begun)


def _instantiate(guest: native.Guest, module: CoreModule, running: Running) -> None:
    try:
        guest.set_wasi(running.mounts, env=running.env)
    except OSError as error:
        raise CallFailed(f"{error}; create it or change the agent's mounts") from None
    if running.stopped is not None:
        raise _stopped(running)
    guest.instantiate(module.pre)
    initialize = guest.function(b"_initialize")
    if initialize is not None:
        guest.call(initialize)


def _ask(guest: native.Guest, message: bytes, running: Running, begun: float) -> Answer:
    """Ask a ready instance; its start is counted from ``begun``."""
    limits = running.limits
    place = _call_alloc(guest, len(message), limits.memory_mib)
    guest.write(place, message)
    ready = time.perf_counter()
    packed = guest.call(_export(guest, b"mcp_call"), place, len(message)).i64
    ended = time.perf_counter()
    if running.stopped is not None:  # it came back from a sleep that was cut short
        raise _stopped(running)
    start, size = packed >> 32 & _U32, packed & _U32
    if size > limits.output_bytes:
        raise OutputTooLarge(
            f"answer of {size} bytes is over the limit of {limits.output_bytes}; "
            "ask for less or raise output_mib"
        )
    try:
        data = guest.read(start, size) if size else b""
    except IndexError as error:
        raise BadAnswer(f"mcp_call answered with a forged pointer: {error}") from None
    stderr = running.stderr.decode(errors="replace") if running.stderr else ""
    return Answer(
        data, guest.memory_bytes(), (ready - begun) * 1000, (ended - ready) * 1000, stderr
    )


def _call_alloc(guest: native.Guest, size: int, memory_mib: int) -> int:
    place = int(guest.call(_export(guest, b"mcp_alloc"), size).i32) & _U32
    if place + size <= guest.memory_bytes() and (place or not size):
        return place
    if place == 0:
        raise MemoryExceeded(
            f"module has no room for a message of {size} bytes within {memory_mib} MiB; "
            "send less or raise memory_mib"
        )
    raise BadAnswer(f"mcp_alloc answered with a forged pointer: {size} bytes at {place}")


def _export(guest: native.Guest, name: bytes) -> Any:
    function = guest.function(name)
    if function is None:  # the ABI check saw it, so the cache was tampered with
        raise BadAnswer(f"module has no export {name.decode()!r}")
    return function


def _stopped(running: Running) -> CallFailed:
    if running.stopped == TIMED_OUT:
        return CallTimeout(
            f"stopped after its wall time of {running.limits.wall_ms} ms; "
            "ask for less or raise wall_ms"
        )
    if running.stopped == CANCELLED:
        return CallCancelled("stopped: the call was cancelled")
    return LimitExceeded(str(running.stopped))


def _explain(
    error: wasmtime.WasmtimeError | wasmtime.Trap, guest: native.Guest, running: Running
) -> CallFailed:
    """Say in words how the guest ended."""
    if running.stopped is not None:
        return _stopped(running)
    limits = running.limits
    if _ran_out_of_memory(error, guest, running):
        return MemoryExceeded(
            f"ran out of memory with {guest.memory_bytes() / MIB:.1f} of its "
            f"{limits.memory_mib} MiB in use; ask for less or raise memory_mib"
        )
    if _table_is_denied(error):
        return _too_large_table(running)
    if isinstance(error, wasmtime.ExitTrap):
        return _trapped(f"module ended itself with exit code {error.code}", running)
    if isinstance(error, wasmtime.Trap):
        code = error.trap_code
        reason = code.name.lower().replace("_", " ") if code else cause(error)
        return _trapped(f"module trapped: {reason}{_last_words(running)}", running)
    return _trapped(f"module failed: {cause(error)}{_last_words(running)}", running)


def _explain_component(
    error: wasmtime.WasmtimeError | wasmtime.Trap, running: Running
) -> CallFailed:
    """Say in words how a component ended, whose engine tells it at the end of many lines."""
    if running.stopped is not None:
        return _stopped(running)
    if _table_is_denied(error):
        return _too_large_table(running)
    if isinstance(error, wasmtime.ExitTrap):
        return _trapped(f"module ended itself with exit code {error.code}", running)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1].partition(": ")[2] or lines[-1] if lines else type(error).__name__
    if "memory limit" in str(error) or _ALLOCATION_FAILED in running.stderr:
        return MemoryExceeded(
            f"ran out of its {running.limits.memory_mib} MiB of memory; "
            "ask for less or raise memory_mib"
        )
    return _trapped(f"module trapped: {reason[:200]}{_last_words(running)}", running)


def _trapped(text: str, running: Running) -> ModuleTrapped:
    """Return the error, with what the guest was denied and may have ended of."""
    return ModuleTrapped(f"{text}; {running.denied}" if running.denied else text)


def _table_is_denied(error: wasmtime.WasmtimeError | wasmtime.Trap) -> bool:
    return isinstance(error, wasmtime.WasmtimeError) and "exceeds table limits" in str(error)


def _too_large_table(running: Running) -> LimitExceeded:
    return LimitExceeded(
        f"has a table of more than {running.limits.table_elements} elements; "
        "build it with less or raise table_elements"
    )


def _ran_out_of_memory(
    error: wasmtime.WasmtimeError | wasmtime.Trap, guest: native.Guest, running: Running
) -> bool:
    """Judge whether a denied growth of the memory lies behind the error.

    The engine tells nobody of a denial, and guests turn it into a trap of their
    own making. So this reads the signs: a start refused by the limit, the words
    that Rust's allocator dies with, or the trap that allocators end in (by
    "unreachable") with so much in use that doubling it would be denied.
    """
    if isinstance(error, wasmtime.WasmtimeError):
        return "exceeds memory limits" in str(error)
    if _ALLOCATION_FAILED in running.stderr:
        return True
    return (
        error.trap_code == wasmtime.TrapCode.UNREACHABLE
        and guest.memory_bytes() * 2 > running.limits.memory_bytes
    )


def _last_words(running: Running) -> str:
    """Return what the guest wrote last on standard error, as Rust's panics do."""
    lines = running.stderr.decode(errors="replace").split("\n")
    words = [line.strip() for line in lines if line.strip() and not line.startswith("note:")]
    text = "".join(char for char in " ".join(words) if char.isprintable())
    return f": {text[:200]}" if text else ""
