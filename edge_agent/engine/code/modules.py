"""Modules ready to run, by digest: in memory, else from disk, else compiled."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Final, Protocol

import wasmtime

from edge_agent.engine.abi import Kind
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.cache import ModuleCache
from edge_agent.engine.code.compiled import Compiled
from edge_agent.engine.code.compiler import Compile
from edge_agent.engine.code.error_text import one_line
from edge_agent.engine.code.loaded import CoreModule, LoadedComponent, LoadedModule
from edge_agent.engine.code.loader import CodeLoader
from edge_agent.engine.code.plan import CODE, Plan, plan_on_disk
from edge_agent.engine.code.sections import COMPONENT_MAGIC
from edge_agent.errors import CallCancelled, EdgeAgentError, ModuleRejected
from edge_agent.logs import log_unexpected
from protos.contract import LARGEST_MODULE_BYTES

# Each takes 200 KiB and more in memory, and is back from disk in a third of a millisecond.
LOADED_MODULES: Final = 32
_MAGIC: Final = b"\0asm\x01\0\0\0"
_OWN: Final = "-own"
_REJECTED_S: Final = 600.0
_MOST_REJECTED: Final = 256
_POLL_S: Final = 0.005
_log = logging.getLogger(__name__)

Source = Callable[[], bytes]


class ComponentLoader(Protocol):
    """Loads what is no core module."""

    def from_disk(self, digest: str, plan: Plan) -> LoadedComponent | None:
        """Return a component that was compiled before, or None."""

    def take(self, digest: str, compiled: Compiled) -> LoadedComponent:
        """Keep and load what was compiled."""


class _Loading:
    """A load under way, which others wait for instead of repeating it."""

    __slots__ = ("done", "error", "made_s", "module")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.module: LoadedModule | None = None
        self.error: Exception | None = None
        self.made_s = 0.0  # of the monotonic clock: when it began to be fetched and compiled


class ModuleStore:
    """Finds modules by the SHA-256 of their bytes, in lower-case hex.

    At most ``capacity`` stay loaded, the least recently used leave first.
    """

    def __init__(
        self,
        engine: wasmtime.Engine,
        linker: wasmtime.Linker,
        cache: ModuleCache | None,
        components: Callable[[], ComponentLoader],
        compile_module: Compile,
        capacity: int = LOADED_MODULES,
    ) -> None:
        self._loader = CodeLoader(
            "module",
            cache,
            lambda path: wasmtime.Module.deserialize_file(engine, path),
            compile_module,
        )
        self._linker = linker
        self.cache = cache
        self._components = components
        self._compile = compile_module
        self._capacity = capacity
        self._loaded: OrderedDict[str, LoadedModule] = OrderedDict()
        self._prepared: dict[str, None] = {}
        self._loading: dict[str, _Loading] = {}
        self._rejections = _Rejections()
        self._lock = threading.Lock()

    def prepare(self, digest: str, source: Source) -> None:
        """Have a module compiled on disk, where it waits without memory for its first call.

        Raises:
            ModuleRejected, ModuleUnavailable: as :meth:`get`.
        """
        _, cold = self.get(digest, source)
        if cold and self._is_on_disk(digest):
            self.drop(digest)

    def ready(self) -> list[str]:
        """Return the digests of the modules that answer without being fetched or compiled."""
        with self._lock:
            loaded, prepared = set(self._loaded), list(self._prepared)
        return [digest for digest in prepared if digest in loaded or self._is_on_disk(digest)]

    def preparing(self) -> list[tuple[str, float]]:
        """Return the digests that are being fetched and compiled, with for how long, in ms."""
        now_s = time.monotonic()
        with self._lock:
            return [
                (digest, (now_s - one.made_s) * 1000)
                for digest, one in self._loading.items()
                if one.made_s
            ]

    def _is_on_disk(self, digest: str) -> bool:
        endings = (*(kind.value for kind in Kind), CODE)
        return self.cache is not None and any(
            self.cache.has_checked(digest + ending) for ending in endings
        )

    def loaded(self) -> list[str]:
        """Return the digests of the modules in memory, least recently used first."""
        with self._lock:
            return list(self._loaded)

    def drop(self, digest: str) -> None:
        """Forget a module in memory; the disk cache keeps it."""
        with self._lock:
            self._loaded.pop(digest, None)

    def get(
        self,
        digest: str,
        source: Source,
        call: CallState | None = None,
        waits: Callable[[bool], None] = lambda _: None,
    ) -> tuple[LoadedModule, bool]:
        """Return the module and whether it had to be loaded (a cold start).

        ``source`` gives the module's bytes and is asked only when neither memory
        nor disk has it. Several callers at once share one load. ``call`` is the call that
        waits: it does so no longer when it is stopped, while the load goes on. ``waits`` is told
        when it begins to wait for a compiler, and when that is over.

        Raises:
            ModuleRejected: the bytes are not those of ``digest`` or no module
                that may run here.
            ModuleUnavailable: from ``source``.
            CallCancelled: the call was stopped meanwhile.
        """
        with self._lock:
            module = self._loaded.get(digest)
            if module is not None:
                self._loaded.move_to_end(digest)
                return module, False
            loading = self._loading.get(digest)
            mine = loading is None
            if loading is None:
                loading = self._loading[digest] = _Loading()
        if mine and not self._load(digest, loading, self._on_disk):
            loading.made_s = time.monotonic()
            make = partial(self._load, digest, loading, partial(self._make, source))
            if call is None:
                make()
            else:
                threading.Thread(target=make, name="load", daemon=True).start()
        if loading.made_s and not loading.done.is_set():
            waits(True)
            try:
                _await(loading, call)
            finally:
                waits(False)
        else:
            _await(loading, call)
        if loading.module is None:
            raise loading.error or ModuleRejected(f"module {digest[:12]}: could not be loaded")
        return loading.module, True

    def own(self, text: str) -> wasmtime.Module:
        """Return a module of the agent's own, given as WebAssembly text, which needs no ABI."""
        return self._loader.own(text, _OWN)

    def _load(
        self, digest: str, loading: _Loading, way: Callable[[str], LoadedModule | None]
    ) -> bool:
        """Try a way to the module; return whether the load has come to an end, for all."""
        try:
            loading.module = way(digest)
            if loading.module is None:
                return False
        except EdgeAgentError as error:
            loading.error = error
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
            log_unexpected(_log, f"module {digest[:12]}", error)
            loading.error = ModuleRejected(f"module {digest[:12]}: {one_line(error)}")
        with self._lock:
            del self._loading[digest]
            if loading.module is not None:
                self._loaded[digest] = loading.module
                self._prepared[digest] = None
                while len(self._loaded) > self._capacity:
                    self._loaded.popitem(last=False)
        loading.done.set()
        return True

    def _on_disk(self, digest: str) -> LoadedModule | None:
        for kind in Kind:
            found = self._loader.find(digest + kind.value)
            if found is not None:
                return self._linked(digest, found, kind)
        # A plan tells without the engine of components, which costs to make.
        plan = plan_on_disk(self.cache, digest) if self.cache else None
        return None if plan is None else self._components().from_disk(digest, plan)

    def _linked(self, digest: str, module: wasmtime.Module, kind: Kind) -> CoreModule:
        try:
            return CoreModule(digest, self._linker.instantiate_pre(module), kind)
        except wasmtime.WasmtimeError as error:
            raise ModuleRejected(
                f"module {digest[:12]}: {one_line(error)}; import only WASI"
            ) from None

    def _make(self, source: Source, digest: str) -> LoadedModule:
        self._rejections.check(digest)
        wasm = source()
        check_bytes(digest, wasm)
        with self.cache.alone(digest) if self.cache else nullcontext():
            found = self._on_disk(digest)  # another process may have done it since we looked
            return found if found is not None else self._compiled(digest, wasm)

    def _compiled(self, digest: str, wasm: bytes) -> LoadedModule:
        try:
            compiled = self._compile(wasm)
            if not isinstance(compiled.about, Kind):
                return self._components().take(digest, compiled)
            module = self._loader.keep(digest + compiled.about.value, compiled)
        except ModuleRejected as error:
            raise self._rejections.add(digest, str(error)) from None
        return self._linked(digest, module, compiled.about)


class _Rejections:
    """The modules that were refused lately: compiling one anew would cost as much again."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, digest: str) -> None:
        """Do nothing for a module that may be compiled.

        Raises:
            ModuleRejected: it was refused lately.
        """
        with self._lock:
            at_s, words = self._found.get(digest, (0.0, ""))
        if words and time.monotonic() - at_s < _REJECTED_S:
            raise ModuleRejected(words)

    def add(self, digest: str, reason: str) -> ModuleRejected:
        """Note that a module was refused, and return the error that says so."""
        words = f"module {digest[:12]}: {reason}"
        with self._lock:
            self._found[digest] = (time.monotonic(), words)
            while len(self._found) > _MOST_REJECTED:
                self._found.popitem(last=False)
        return ModuleRejected(words)


def _await(loading: _Loading, call: CallState | None) -> None:
    if call is None:
        loading.done.wait()
        return
    while not loading.done.wait(_POLL_S):
        if call.stopped is not None:
            raise CallCancelled("stopped: the call was cancelled while its module was loaded")


def check_bytes(digest: str, wasm: bytes) -> None:
    """Check a module's bytes before anything reads into them.

    Raises:
        ModuleRejected: they are too many, of another digest, or no WebAssembly.
    """
    if len(wasm) > LARGEST_MODULE_BYTES:
        raise ModuleRejected(
            f"module {digest[:12]}: {len(wasm)} bytes, "
            f"more than the {LARGEST_MODULE_BYTES} that an agent takes; build it smaller"
        )
    found = hashlib.sha256(wasm).hexdigest()
    if found != digest:
        raise ModuleRejected(
            f"module {digest[:12]}: its bytes have digest {found[:12]}; "
            "register the module again with the bytes that are served"
        )
    if wasm[:8] not in {_MAGIC, COMPONENT_MAGIC}:
        raise ModuleRejected(f"module {digest[:12]}: not a WebAssembly module")
