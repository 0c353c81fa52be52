"""What a component is, as far as running it takes: told by its compiler, kept beside its code.

Reading types off a compiled component walks what a stranger wrote, as deep and as long as it
is. So the compiler does it once, within its bounds, and an agent reads only what is said here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edge_agent.errors import ModuleRejected

if TYPE_CHECKING:
    import wasmtime
    from wasmtime.component import Component

    from edge_agent.engine.code.cache import ModuleCache

RUN: Final = "wasi:cli/run"
HANDLER: Final = "wasi:http/incoming-handler"
OUTGOING_HANDLER: Final = "wasi:http/outgoing-handler"
HTTP_TYPES: Final = "wasi:http/types"
#: Linear memories of a component at most; they share the limit of the call.
MOST_MEMORIES: Final = 8
#: What the name of a component's code on disk ends with, after its digest.
CODE: Final = "-component"
#: A plan as JSON at most, in bytes. That of a component with all of WASI and HTTP has 5,000.
_LARGEST: Final = 256 * 1024
_MOST_IMPORTS: Final = 1000
_KEPT: Final = "-plan"
_FUNCTIONS: Final = {RUN: "run", HANDLER: "handle"}
# What the engine offers itself. HTTP to the outside is not among it.
_WASI: Final = frozenset(
    f"wasi:{package}" for package in ("cli", "clocks", "filesystem", "io", "random", "sockets")
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a component is linked and called.

    ``entry`` is the full name of the interface with the function to call, ``memories`` how many
    linear memories it may make. ``imports`` has the full names of the interfaces it imports;
    with those that the agent offers in the engine's place, what they hold: by name, whether it
    is a resource (else it is a function).
    """

    entry: str
    memories: int
    imports: Mapping[str, Mapping[str, bool]]

    @property
    def is_http(self) -> bool:
        """Whether it is a handler of HTTP, not a program."""
        return interface_of(self.entry) == HANDLER

    @property
    def function(self) -> str:
        """The name of the function to call."""
        return _FUNCTIONS[interface_of(self.entry)]

    @property
    def sends(self) -> bool:
        """Whether it may send requests over HTTP."""
        return any(interface_of(name) == OUTGOING_HANDLER for name in self.imports)

    def as_json(self) -> bytes:
        """Return it as it is kept.

        Raises:
            ModuleRejected: it is too large to be kept.
        """
        held = {"entry": self.entry, "memories": self.memories, "imports": self.imports}
        text = json.dumps(held).encode()
        if len(text) > _LARGEST:
            raise ModuleRejected("component imports too much to be linked; build it for WASI only")
        return text

    @classmethod
    def from_json(cls, text: bytes) -> Plan:
        """Return what :meth:`as_json` wrote."""
        held = json.loads(text)
        return cls(held["entry"], held["memories"], held["imports"])


def keep_plan(cache: ModuleCache, digest: str, plan: Plan) -> None:
    """Keep the plan of a component on disk."""
    cache.store(digest + _KEPT, plan.as_json())


def plan_on_disk(cache: ModuleCache, digest: str) -> Plan | None:
    """Return the plan of a component that was compiled before, or None."""
    text = cache.read(digest + _KEPT)
    return None if text is None else Plan.from_json(text)


def interface_of(name: str) -> str:
    """Return the name of an interface without its version."""
    return name.partition("@")[0]


def is_engines(name: str) -> bool:
    """Say whether the engine itself offers an interface of that full name."""
    return interface_of(name).partition("/")[0] in _WASI


def plan_of(component: Component, engine: wasmtime.Engine, memories: int) -> Plan:
    """Look at a compiled component with that many memories.

    Raises:
        ModuleRejected: it cannot be spoken to, or asks for what no agent has.
    """
    if memories > MOST_MEMORIES:
        raise ModuleRejected(
            f"{memories} linear memories, more than the {MOST_MEMORIES} that an agent "
            "gives a component"
        )
    found = component.type
    entry = _entry(component, found.exports(engine), engine)
    imports: dict[str, dict[str, bool]] = {}
    for name, item in found.imports(engine).items():
        if len(imports) >= _MOST_IMPORTS:
            raise ModuleRejected(
                f"component imports more than {_MOST_IMPORTS} interfaces; build it for WASI only"
            )
        imports[name] = {} if is_engines(name) else _exports(name, item.ty, engine)
    plan = Plan(entry, max(1, memories), imports)
    plan.as_json()  # which has a bound
    return plan


def _check_type(interface: str, function: Any) -> None:
    """Check the type of a function that is called as that of its interface, unlooked at.

    Raises:
        ModuleRejected: it is another.
    """
    from wasmtime.component import OwnType, ResultType

    parameters, result = [kind for _, kind in function.params], function.result
    if interface == RUN:
        fits = isinstance(result, ResultType) and not (parameters or result.ok or result.err)
    else:
        fits = result is None and [type(kind) for kind in parameters] == [OwnType, OwnType]
    if not fits:
        raise ModuleRejected(
            f"a component whose {interface} has a {_FUNCTIONS[interface]!r} of another type; "
            "build it for WASI 0.2"
        )


def _exports(name: str, imported: Any, engine: wasmtime.Engine) -> dict[str, bool]:
    from wasmtime.component import ComponentInstanceType, FuncType, ResourceType

    if not isinstance(imported, ComponentInstanceType):
        raise ModuleRejected(f"component imports {name}, which this agent does not offer")
    return {
        export: isinstance(item.ty, ResourceType)
        for export, item in imported.exports(engine).items()
        if isinstance(item.ty, (ResourceType, FuncType))
    }


def _entry(component: Component, exports: Mapping[str, Any], engine: wasmtime.Engine) -> str:
    """Find the interface to call: a program's, else a handler's of HTTP."""
    for interface, function in _FUNCTIONS.items():
        for name, item in exports.items():
            if interface_of(name) == interface:
                instance = component.get_export_index(name)
                if component.get_export_index(function, instance) is not None:
                    _check_type(interface, item.ty.exports(engine)[function].ty)
                    return name
    raise ModuleRejected(
        f"a component that exports neither {RUN} nor {HANDLER}; "
        "build it as a command or for wasi:http/proxy"
    )
