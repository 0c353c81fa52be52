"""What is ready to run: a core module or a component, compiled and its imports resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import wasmtime

from edge_agent.engine.abi import Kind
from edge_agent.engine.code.plan import Plan

if TYPE_CHECKING:  # an agent that runs no component does without these
    from wasmtime.component import Component, ExportIndex, Linker


@dataclass(frozen=True, slots=True)
class CoreModule:
    """A compiled core module with its imports resolved."""

    digest: str
    pre: wasmtime.InstancePre
    kind: Kind = Kind.REACTOR


@dataclass(frozen=True, slots=True)
class LoadedComponent:
    """A compiled component with what its imports resolve to."""

    digest: str
    plan: Plan
    compiled: Component
    linker: Linker
    entry: ExportIndex


LoadedModule: TypeAlias = CoreModule | LoadedComponent
