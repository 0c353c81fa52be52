"""Compiled code as one engine loads it: from disk where it is kept, else as it was compiled."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import closing
from typing import Final, Generic, TypeVar

import wasmtime

from edge_agent.engine.code.cache import ModuleCache
from edge_agent.engine.code.compiled import Compiled
from edge_agent.engine.code.compiler import Compile
from edge_agent.engine.code.error_text import one_line

_log = logging.getLogger(__name__)
_DIGEST_SHOWN: Final = 12

T = TypeVar("T")


class CodeLoader(Generic[T]):
    """Finds and keeps code of one kind, a ``what``; ``load`` reads it from a file.

    A ``cache`` of None keeps nothing.
    """

    def __init__(
        self,
        what: str,
        cache: ModuleCache | None,
        load: Callable[[str], T],
        compile_module: Compile,
    ) -> None:
        self._what = what
        self._cache = cache
        self._load = load
        self._compile = compile_module

    def find(self, key: str) -> T | None:
        """Return what is kept under a key, or None."""
        path = self._cache.find(key) if self._cache is not None else None
        if path is None or self._cache is None:
            return None
        try:
            return self._load(path)
        except wasmtime.WasmtimeError as error:
            # As after a change of the processor under a kept disk.
            shown = key[:_DIGEST_SHOWN]
            _log.warning("%s %s: compiled anew: %s", self._what, shown, one_line(error))
            self._cache.discard(key)
            return None

    def keep(self, key: str, compiled: Compiled) -> T:
        """Keep the code and load it."""
        with closing(compiled):
            if self._cache is not None:
                self._cache.store_file(key, compiled.code)
                found = self.find(key)
                if found is not None:  # mapped, so that what no call needs takes no memory
                    return found
            return self._load(compiled.path)

    def own(self, text: str, ending: str) -> T:
        """Return code of the agent's own, given as WebAssembly text; ``ending`` is of its key."""
        key = hashlib.sha256(text.encode()).hexdigest() + ending
        found = self.find(key)
        return self.keep(key, self._compile(text.encode(), own=True)) if found is None else found
