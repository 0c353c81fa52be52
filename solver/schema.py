"""The JSON form of a problem: checked here, once, so that nothing behind it has to check.

A name that *refers* (``origin``, ``after``, a link's ends) must exist. A name that is only
*looked up in a set* (``exec_ms``, ``start_ms``, ``allow``, ``deny``) may be unknown: it then
matches no node, since a profile or a policy may well know nodes that are away today.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from solver.errors import ProblemError, UnknownNode
from solver.problem import Call, Link, Mode, Node, Objective, Place, Privacy, Problem, Spread

# Above this, sums and products of costs could overflow a float.
LARGEST = 1e100
# A transfer divides by the bandwidth, so a bandwidth has a floor for the same reason.
SMALLEST_MBIT_S = 1e-100
# No batch has more calls than this, so more slots make no difference to any of them.
SLOTS_ENOUGH = 2**31


def _whole(value: object) -> object:
    """JSON knows one kind of number: 2.0 is as whole as 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Name = Annotated[str, Field(min_length=1)]
Amount = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Bandwidth = Annotated[float, Field(ge=SMALLEST_MBIT_S, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=0)]


def _or_endless(value: float | None) -> float:
    return math.inf if value is None else value


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _BudgetForm(_Form):
    money: Amount | None = None
    energy_j: Amount | None = None


class _NodeForm(_Form):
    id: Name
    tier: str | None = None
    site: str | None = None
    isa: str | None = None
    features: list[str] = []
    backends: list[str] = ["wasm"]
    memory_mib: Amount
    slots: Count
    queue_ms: Amount = 0.0
    mounts: list[str] = []
    tenants: list[Name] | None = None
    egress: list[Name] = []
    budget: _BudgetForm = _BudgetForm()

    def value(self) -> Node:
        return Node(
            id=self.id,
            memory_mib=self.memory_mib,
            slots=min(self.slots, SLOTS_ENOUGH),
            tier=self.tier,
            site=self.site,
            isa=self.isa,
            features=frozenset(self.features),
            backends=frozenset(self.backends),
            queue_ms=self.queue_ms,
            mounts=tuple(self.mounts),
            tenants=None if self.tenants is None else frozenset(self.tenants),
            egress=tuple(self.egress),
            budget_money=_or_endless(self.budget.money),
            budget_energy_j=_or_endless(self.budget.energy_j),
        )


class _LinkForm(_Form):
    a: Name
    b: Name
    rtt_ms: Amount
    mbit_s: Bandwidth

    def value(self) -> Link:
        return Link(self.a, self.b, self.rtt_ms, self.mbit_s)


class _CallForm(_Form):
    id: Name
    tool: str = ""
    origin: Name
    input_kib: Amount = 0.0
    output_kib: Amount = 0.0
    memory_mib: Amount = 0.0
    backend: list[str] | None = None
    requires: list[str] = []
    privacy: Privacy = "public"
    declassifies: bool = False
    data: list[str] = []
    exec_ms: dict[str, Amount]
    start_ms: dict[str, Amount] = {}
    after: list[Name] = []
    allow: list[str] | None = None
    deny: list[str] = []
    tenant: Name | None = None
    egress: list[Name] = []
    groups: list[Name] = []
    money: dict[str, Amount] = {}
    energy_j: dict[str, Amount] = {}
    deadline_ms: Amount | None = None
    warm_on: str | None = None
    migration_ms: Amount = 0.0

    def value(self) -> Call:
        return Call(
            id=self.id,
            origin=self.origin,
            exec_ms=self.exec_ms,
            start_ms=self.start_ms,
            tool=self.tool,
            input_kib=self.input_kib,
            output_kib=self.output_kib,
            memory_mib=self.memory_mib,
            backend=None if self.backend is None else tuple(self.backend),
            requires=tuple(self.requires),
            privacy=self.privacy,
            declassifies=self.declassifies,
            data=tuple(self.data),
            after=tuple(dict.fromkeys(self.after)),
            allow=None if self.allow is None else frozenset(self.allow),
            deny=frozenset(self.deny),
            tenant=self.tenant,
            egress=tuple(self.egress),
            groups=frozenset(self.groups),
            money=self.money,
            energy_j=self.energy_j,
            deadline_ms=_or_endless(self.deadline_ms),
            warm_on=self.warm_on,
            migration_ms=self.migration_ms,
        )


class _SpreadForm(_Form):
    group: Name
    per: Place
    at_most: Count

    def value(self) -> Spread:
        return Spread(self.group, self.per, min(self.at_most, SLOTS_ENOUGH))


class _WeightsForm(_Form):
    money: Amount = 0.0
    energy_j: Amount = 0.0
    migration: Amount = 0.0


class _ProblemForm(_Form):
    nodes: list[_NodeForm]
    links: list[_LinkForm] = []
    calls: list[_CallForm]
    mode: Mode = "sum"
    time_limit_s: Amount = 1.0
    gap: Amount = 0.0
    anti_affinity: list[Name] = []
    spread: list[_SpreadForm] = []
    weights: _WeightsForm = _WeightsForm()
    objectives: list[Objective] = []

    def value(self) -> Problem:
        return Problem(
            nodes=tuple(node.value() for node in self.nodes),
            calls=tuple(call.value() for call in self.calls),
            links=tuple(link.value() for link in self.links),
            mode=self.mode,
            time_limit_s=self.time_limit_s,
            gap=self.gap,
            anti_affinity=tuple(dict.fromkeys(self.anti_affinity)),
            spread=tuple(form.value() for form in self.spread),
            weights={name: weight for name, weight in self.weights if weight},
            objectives=tuple(self.objectives),
        )


def parse_problem(source: str | bytes | dict[str, Any]) -> Problem:
    """Read a problem from JSON text or from the value that such text stands for.

    Raises:
        ProblemError: naming the first field that breaks the schema, and the mend.
    """
    value = source if isinstance(source, dict) else _load(source)
    try:
        problem = _ProblemForm.model_validate(value).value()
    except ValidationError as error:
        raise _first(error) from None
    check(problem)
    return problem


def check(problem: Problem) -> None:
    """Check what one field alone cannot tell: ids, references, cycles.

    Raises:
        ProblemError: naming the first field that is wrong.
    """
    nodes = _distinct("nodes", (node.id for node in problem.nodes))
    calls = _distinct("calls", (call.id for call in problem.calls))
    _check_links(problem, nodes)
    for i, call in enumerate(problem.calls):
        # Without any node every origin is unknown, and the answer (infeasible) is plain.
        if nodes and call.origin not in nodes:
            raise UnknownNode(f"calls.{i}.origin", call.origin)
        for k, other in enumerate(call.after):
            if other not in calls:
                raise ProblemError(f"calls.{i}.after.{k}", f"no call is called {other!r}")
    _check_cycles(problem)
    _check_objectives(problem)


def _check_objectives(problem: Problem) -> None:
    for i, name in enumerate(problem.objectives):
        if name in problem.objectives[:i]:
            raise ProblemError(f"objectives.{i}", f"{name!r} stands twice")
    if problem.weights and (problem.mode == "makespan" or problem.objectives):
        raise ProblemError(
            "weights", "need mode 'sum' and no objectives; name what comes first in objectives"
        )


def _load(text: str | bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ProblemError("problem", "is nested too deep to be one") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ProblemError("problem", f"is not JSON: {error}") from None
    except ValueError as error:  # a whole number with thousands of digits
        raise ProblemError("problem", f"holds a number that cannot be read: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for k, key in enumerate(keys) if key in keys[:k])
        raise ProblemError("problem", f"the key {twice!r} stands twice in one object")
    return value


_MENDS = {
    "missing": "is missing",
    "extra_forbidden": "is no field of this object; remove it or correct its name",
    "greater_than_equal": "must be >= {ge:g}",
    "less_than_equal": "must be <= {le:g}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
}


def _first(error: ValidationError) -> ProblemError:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "problem"
    mend = _MENDS.get(first["type"])
    text = mend.format(**first.get("ctx", {})) if mend else first["msg"]
    if first["type"] not in ("missing", "extra_forbidden"):
        shown = repr(first["input"])
        text += f" (is {shown if len(shown) <= 60 else shown[:57] + '...'})"  # noqa: PLR2004
    return ProblemError(field, text)


def _distinct(what: str, ids: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    for i, name in enumerate(ids):
        if name in seen:
            raise ProblemError(f"{what}.{i}.id", f"{name!r} stands twice; ids must differ")
        seen.add(name)
    return seen


def _check_links(problem: Problem, nodes: set[str]) -> None:
    seen: set[frozenset[str]] = set()
    for i, link in enumerate(problem.links):
        for end in ("a", "b"):
            name = getattr(link, end)
            if name not in nodes:
                raise UnknownNode(f"links.{i}.{end}", name)
        pair = frozenset((link.a, link.b))
        if pair in seen:
            raise ProblemError(
                f"links.{i}", f"the pair {link.a!r}, {link.b!r} stands twice (links are symmetric)"
            )
        seen.add(pair)


def _check_cycles(problem: Problem) -> None:
    """Peel off calls with nothing before them; what stays is on or behind a cycle."""
    waiting = {call.id: set(call.after) for call in problem.calls}
    followers: dict[str, list[str]] = {name: [] for name in waiting}
    for name, before in waiting.items():
        for other in before:
            followers[other].append(name)
    ready = [name for name, before in waiting.items() if not before]
    while ready:
        done = ready.pop()
        del waiting[done]
        for name in followers[done]:
            waiting[name].discard(done)
            if not waiting[name]:
                ready.append(name)
    if waiting:
        cycle = _cycle(waiting)
        index = next(i for i, call in enumerate(problem.calls) if call.id == cycle[0])
        raise ProblemError(f"calls.{index}.after", f"{' after '.join(cycle)} is a cycle")


def _cycle(waiting: dict[str, set[str]]) -> list[str]:
    name = next(iter(waiting))
    walk: list[str] = []
    while name not in walk:
        walk.append(name)
        name = min(waiting[name])
    return [*walk[walk.index(name) :], name]
