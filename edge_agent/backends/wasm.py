"""Tools in Wasm modules: a fresh instance per call, or per session where the call names one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from edge_agent.backends.base import ModuleRef, Reporter, ToolCall, ToolResult
from edge_agent.egress import Egress, Rule, parse_rule
from edge_agent.engine.call_state import GIT_SERVER, CallState
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallRefused, ConfigError, ModuleUnavailable
from edge_agent.jsonrpc import make_call, read_result
from edge_agent.mounts import Mount

Fetch = Callable[[ModuleRef], bytes]


class WasmBackend:
    """Runs the modules that ``fetch`` brings, with this agent's mounts and egress.

    ``env`` is what each server, by name, finds as its environment.
    """

    name = "wasm"

    def __init__(
        self,
        engine: WasmEngine,
        fetch: Fetch,
        mounts: Sequence[Mount] = (),
        egress: Egress | None = None,
        env: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.engine = engine
        self.fetch = fetch
        self._mounts = tuple(mounts)
        self._egress = egress or Egress()
        self._env = env or {}

    def prepare(self, call: ToolCall) -> WasmJob:
        """Return the job of a call, without starting it.

        Raises:
            ModuleUnavailable: the call names no module.
            CallRefused: its grants of egress cannot be read.
        """
        if call.module is None:
            raise ModuleUnavailable(f"{call.server}.{call.tool}: the call names no module to run")
        egress = self._egress.for_call(call.server, call.tool, call.id, _grants(call))
        env = self._env.get(call.server)
        git_user = call.server == GIT_SERVER
        state = CallState(call.limits, self._mounts, egress, env, git_user=git_user)
        return WasmJob(self, call, call.module, state)

    def prefetch(self, module: ModuleRef) -> None:
        """Fetch and compile a module before its first call.

        Raises:
            ModuleError: it cannot be had, or may not run here.
        """
        self.engine.modules.prepare(module.sha256, lambda: self.fetch(module))
        self.engine.gates.prepare()

    def warm(self) -> list[str]:
        """Return the digests of the modules that are compiled."""
        return self.engine.modules.ready()

    def preparing(self) -> list[tuple[str, float]]:
        """Return the digests of the modules that are being made, with for how long, in ms."""
        return self.engine.modules.preparing()

    def close(self) -> None:
        """End every running call."""
        self.engine.close()


def _grants(call: ToolCall) -> list[list[Rule]]:
    try:
        return [[parse_rule(text) for text in grant] for grant in call.egress]
    except ConfigError as error:
        raise CallRefused(f"the policy's {error}", "requires") from None


class WasmJob:
    """One call of one module."""

    def __init__(
        self,
        backend: WasmBackend,
        call: ToolCall,
        module: ModuleRef,
        state: CallState,
    ) -> None:
        self._backend = backend
        self._call = call
        self._module = module
        self._state = state

    def run(self, reporter: Reporter) -> ToolResult:
        """Load the module, run the call, and check the answer.

        Raises:
            ModuleError: the module cannot be had or used.
            CallFailed: the call ended without a result.
        """
        begun = time.perf_counter()
        module, cold = self._backend.engine.modules.get(
            self._module.sha256,
            lambda: self._backend.fetch(self._module),
            self._state,
            reporter.waits,
        )
        load_ms = (time.perf_counter() - begun) * 1000
        message = make_call(self._call.tool, self._call.arguments, self._call.meta)
        answer = self._backend.engine.send(module, message, self._state, self._call.session)
        if answer.stderr:
            reporter.log("info", self._call.server, answer.stderr.rstrip())
        if self._state.denied:
            reporter.log("warning", self._call.server, self._state.denied)
        return ToolResult(
            result=read_result(answer.data),
            start_ms=load_ms + answer.start_ms,
            exec_ms=answer.exec_ms,
            cold=cold,
            memory_peak_bytes=answer.memory_peak_bytes,
            session=answer.session,
        )

    def cancel(self) -> None:
        """End the call, whether it already runs or not."""
        self._backend.engine.cancel(self._state)
