"""The settings that the agent's two engines share: for core modules, and for components."""

from __future__ import annotations

from typing import Final

import wasmtime

from edge_agent.engine.code.address_space import ON_DEMAND, AddressSpace
from edge_agent.engine.code.target import has_simd
from edge_agent.engine.guest.native import refuse_asynchronous
from edge_agent.engine.limits import MIB

# Below a thread's stack of 8 MiB with room for the host functions beneath.
STACK_BYTES: Final = MIB


def make_config(space: AddressSpace) -> wasmtime.Config:
    """Return the settings of an engine whose memories take no more room than that."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.max_wasm_stack = STACK_BYTES
    # What no module of the ABI needs is not offered to hostile ones.
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.wasm_gc = False  # whose heap is not within the limit of the memory
    config.wasm_exceptions = False  # which live on that heap
    if not has_simd():
        # A module with vectors is refused, where the compiler would fail over it.
        config.wasm_relaxed_simd = False
        config.wasm_simd = False
    if not space.is_ample:
        config.memory_reservation = space.reservation_bytes
        config.memory_reservation_for_growth = space.growth_bytes
    return config


def make_core_config(space: AddressSpace) -> wasmtime.Config:
    """Return the settings of the engine for core modules."""
    config = make_config(space)
    config.wasm_multi_memory = False  # the limit is one of each memory, not of their sum
    return config


def make_component_config(space: AddressSpace) -> wasmtime.Config:
    """Return the settings of the engine for components.

    Its memories come and go one by one, so where a whole pool fits, they do.
    """
    config = make_config(space if space.is_ample else ON_DEMAND)
    refuse_asynchronous(config)
    return config
