"""Where a call runs: registry, profiles and policy in the solver's arrays, and what it says.

The solver's table is kept up to date by what happens (registrations, placements, results), so
that placing a call reads arrays and writes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from dispatcher.call import NOTHING_ASKED, Requirements
from dispatcher.config import Config
from dispatcher.placement.costs import Costs, cheapest
from dispatcher.placement.explanation import Explanation, explained, refusal
from dispatcher.placement.exploration import Explorer
from dispatcher.placement.guard import guarded
from dispatcher.placement.labels import bound, here, shut
from dispatcher.placement.lines.loads import Load
from dispatcher.placement.lines.server_lines import ServerLines
from dispatcher.placement.network import Network
from dispatcher.placement.origins import Origins
from dispatcher.placement.prices import Prices
from dispatcher.placement.profiles import Profiles
from dispatcher.placement.task import Placement, Task
from dispatcher.policy import egress
from dispatcher.policy.constraints import Constraints, Policy, constraints_asked
from dispatcher.policy.flow.labels import Label, Raised
from dispatcher.policy.locality import paths_of, resolved
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.registry import Registry
from dispatcher.registry.tools import WASM, Offer, ToolEntry
from solver import CallSpec, Node, NodeTable, Placed, Refused

MEMORY_MIB: Final = 16  # what a module is taken to need where neither policy nor tool says
_REJECTED_MAX: Final = 1024  # kept counts


class Scheduler:
    """Places calls. A :class:`dispatcher.registry.nodes.NodeObserver`; owned by the event loop.

    Raises:
        ConfigError: the scheduler that the configuration names cannot be made.
    """

    def __init__(self, config: Config, registry: Registry, profiles: Profiles) -> None:
        self._guard = guarded(config.dispatcher.scheduler)
        self.name = self._guard.name
        self._choose = self._guard.choose
        #: Whether calls may be held and placed in batches: where each goes to its cheapest node.
        self.joins = self.name in ("exact", "cp_sat")
        self.table = NodeTable()
        self.network = Network(self.table, config.links)
        self._config = config
        self._registry = registry
        self._profiles = profiles
        self._policy = Policy(config.policy)
        self._explorer = Explorer(config.dispatcher.explore if self.joins else 0.0, profiles)
        self.prices = Prices(config.policy)
        self.costs = Costs(self.table, registry, profiles, self.prices)
        self._origins = Origins(config, registry, self.table)
        self._permits: dict[Constraints, tuple[frozenset[str] | None, frozenset[str]]] = {}
        self._rejected: dict[Any, Mapping[str, int]] = {}
        self._version = -1  # of the table, at which the two above were filled
        self._loads: dict[str, Load] = {}
        self._servers = ServerLines(self.table)
        self._nodes: dict[str, NodeState] = {}  # those of the table
        self._known_origins: set[str] = set()
        for node in registry.nodes():
            self.node_described(node)
        registry.observe(self)

    @property
    def overruled(self) -> int:
        """How many choices of the scheduler would have broken a constraint."""
        return self._guard.overruled

    # ---- what happens to nodes

    def node_described(self, node: NodeState) -> None:
        """Add it to the table, or describe it anew."""
        self.table.add(_solver_node(node))
        self._nodes[node.name] = node
        load = self._loads.setdefault(node.name, Load())
        load.described(node)
        load.changed = partial(load.tell, self.table, node)
        self.network.joined(node.name)
        self.costs.node_changed(node)
        load.tell(self.table, node)
        self._servers.described(node)
        if not node.placeable:
            self.table.remove(node.name)

    def node_loaded(self, node: NodeState) -> None:
        """Take in the load that a heartbeat told."""
        if node.name in self.table:
            load = self._loads[node.name]
            load.told(node)
            load.tell(self.table, node)
            if load.warm != node.warm or load.preparing != node.preparing:
                load.warm, load.preparing = set(node.warm), node.preparing
                self.costs.node_changed(node)

    def node_left(self, node: NodeState) -> None:
        """Take it out of the table."""
        if node.name in self.table:
            self.table.remove(node.name)

    # ---- placing

    def task(
        self,
        entry: ToolEntry,
        arguments: Mapping[str, Any],
        asked: Requirements,
        input_kib: float,
        raised: Raised | None = None,
    ) -> Task:
        """Work out what binds a call: policy, locality, origin, and the labels of what it holds."""
        ruled = constraints = self._policy.for_tool(entry.server, entry.name, entry.hint)
        if asked is not NOTHING_ASKED:
            constraints = constraints.narrowed(constraints_asked(asked))
        paths = paths_of(arguments, entry.data_arguments, self._mounted)
        allow, deny = self._permitted(constraints)
        private = constraints.privacy != "public"
        named = asked.origin or self._origins.held(paths, allow, deny, private=private)
        if named is None and raised is not None:
            named = raised.labels[0].origin  # where its data lives, before what is taken for it
        origin = named or self._origins.default()
        if origin not in self._known_origins:
            self._know(origin)
        offers = _permitted_offers(entry, constraints)
        node = self._nodes.get(origin)
        own = Label(ruled.privacy, origin, "" if node is None else node.site)
        site = own.site
        held = None
        if raised is not None:
            held = bound(Label(constraints.privacy, origin, site), raised, self._registry.nodes())
        if held is not None and held.raised is not None:
            site = held.label.site
            origin = held.label.origin
            if origin not in self._known_origins:
                self._know(origin)
            constraints = replace(constraints, privacy=held.label.privacy)
            if held.allow is not None:
                allow = held.allow if allow is None else allow & held.allow
            if held.closed:
                constraints, offers = shut(constraints), here(offers)
        column = self.costs.column(entry, input_kib, offers)
        queue = None
        if offers and offers[-1].native:  # a module's offer comes first
            queue = self._servers.queue(offers, list(self._nodes.values()))
        spec = CallSpec(
            origin=origin,
            profile=column.profile,
            spends=column.spending,
            input_kib=input_kib,
            output_kib=self._profiles.output_kib(entry.key),
            memory_mib=float(constraints.limits.memory_mib or _memory_mib(offers)),
            backend=tuple(offer.name for offer in offers),
            requires=tuple(
                sorted({*constraints.requires, *self._reaches(entry, constraints, arguments)})
            ),
            privacy=constraints.privacy,  # type: ignore[arg-type]  # checked by the policy
            data=resolved(paths, self._origins.base(origin)) if paths else (),
            allow=allow,
            deny=deny,
            queue=queue,
        )
        return Task(
            entry,
            constraints,
            spec,
            input_kib,
            offers,
            site,
            own=own,
            raised=None if held is None else held.raised,
        )

    def place(self, task: Task, without: frozenset[str] = frozenset()) -> Placement:
        """The scheduler's choice of the nodes that may run a call, ``without`` those tried.

        Raises:
            CallRefused: no node may.
        """
        spec = task.spec if not without else replace(task.spec, deny=task.spec.deny | without)
        answer = self._choose(self.table, spec)
        if isinstance(answer, Refused):
            with self._memory_alone():
                answer = self._choose(self.table, spec)
                if isinstance(answer, Refused):
                    explanation = explained(self.table, spec, self._guard)
                    raise refusal(task, self._said(task, explanation), self._registry)
        node = self._nodes[answer.node]
        rejected = partial(self._rejections, task)
        offer = self._offer(task, node)
        line = self._servers.line(node, offer) if offer.native else None
        line = line or self._loads[node.name]
        waits = offer.warm in node.preparing
        ready = offer.warm in node.warm
        return Placement(task, node, offer, answer, rejected, line, waits=waits, ready=ready)

    def trial(self, task: Task) -> Task | None:
        """The same call, bound to where its tool has not run yet, if it is time to try that."""
        entry, explorer = task.entry, self._explorer
        if not explorer.due(entry):
            return None
        explorer.passed(entry)
        nodes = self._registry.nodes()
        hopes, ways = explorer.hopes(entry, task.offers, nodes, self.table, task.input_kib)
        best = self._choose(self.table, replace(task.spec, profile=hopes)) if ways else None
        usual = self._choose(self.table, task.spec)
        if (
            not isinstance(best, Placed)
            or not isinstance(usual, Placed)
            or best.cost_ms >= usual.cost_ms
            or explorer.unknown(entry, self._offer(task, self._nodes[usual.node]), usual.node)
        ):
            return None
        way = ways[best.node]
        explorer.tried(entry, way, best.node)
        column = self.costs.column(entry, task.input_kib, (way,))
        spec = replace(
            task.spec,
            profile=column.profile,
            spends=column.spending,
            backend=(way.name,),
            allow=frozenset({best.node}),
        )
        return replace(task, spec=spec, trial=way, usual=task.spec)

    def explain(self, task: Task) -> Explanation:
        """Every connected node's cost or reasons, as things are now."""
        now = explained(self.table, task.spec, self._guard)
        if now.placed is None:
            with self._memory_alone():
                now = explained(self.table, task.spec, self._guard)
        return self._said(task, now)

    def wait_ms(self, task: Task, nodes: Iterable[str]) -> float:
        """How long it takes until half of the shortest line of some nodes is gone, as predicted."""
        queue = task.spec.queue or self.table
        waits = [float(queue.queue_ms[self.table.index[node]]) for node in nodes]
        return min(waits, default=0.0) / 2

    # ---- what happens to calls

    def began(self, placement: Placement) -> None:
        """A call is sent to a node: it will hold a slot there."""
        placement.line.began(placement.placed, waits=placement.waits)

    def ended(self, placement: Placement) -> None:
        """A call is back, or lost."""
        placement.line.ended(placement.placed, waits=placement.waits)

    # ---- within

    def _offer(self, task: Task, node: NodeState) -> Offer:
        """The way to run a call on the node that it was placed on."""
        if task.trial is not None:
            return task.trial
        if len(task.offers) > 1:
            best = cheapest(task.entry, task.offers, node, self._profiles, task.input_kib)
            if best is not None:
                return best.offer
        return task.offers[0] if task.offers else task.entry.offers[0]

    def _rejections(self, task: Task) -> Mapping[str, int]:
        """Reason -> number of connected nodes that may not run the call."""
        self._drop_stale()
        spec = task.usual or task.spec
        small = int((self.table.memory_mib < spec.memory_mib).sum())
        key = (spec.signature(), spec.origin, spec.memory_mib, small)
        counts = self._rejected.get(key)
        if counts is None:
            if len(self._rejected) > _REJECTED_MAX:
                self._rejected.clear()
            counts = self._rejected[key] = Refused(self.table, spec).rejected
        return counts

    @contextmanager
    def _memory_alone(self) -> Iterator[None]:
        """The table with the memory that a call finds when those that run now are done.

        Where no node has enough now, the call waits for one that will.
        """
        now = self.table.memory_mib.copy()
        for name, load in self._loads.items():
            self.table.memory_mib[self.table.index[name]] = load.alone_mib()
        try:
            yield
        finally:
            self.table.memory_mib[:] = now

    def _reaches(
        self, entry: ToolEntry, constraints: Constraints, arguments: Mapping[str, Any]
    ) -> list[str]:
        """What a node must permit for the URLs that a call of a tool with egress names."""
        if not any(one.partition(":")[0] == egress.FEATURE for one in constraints.requires):
            return []
        targets = egress.targets_of(arguments, entry.definition)
        known = (node.features for node in self.table.nodes)
        return list(egress.needed(targets, entry.key, constraints.egress or (), known))

    def _mounted(self, path: str) -> bool:
        return bool(self.table.serving(path).any())

    def _said(self, task: Task, explanation: Explanation) -> Explanation:
        """The same with the label of the call's content, and the rules that stand behind reasons."""
        return explanation.of(task, self._policy.places(task.entry.server, task.entry.name))

    def _know(self, origin: str) -> None:
        """The solver needs the origin in its table, also when it has never registered."""
        if origin not in self.table.index:
            site = self._origins.site(origin)
            self.table.add(Node(id=origin, memory_mib=0, slots=0, site=site))
            self.table.remove(origin)
        self.network.origin(origin)
        self._known_origins.add(origin)

    def _permitted(self, constraints: Constraints) -> tuple[frozenset[str] | None, frozenset[str]]:
        self._drop_stale()
        permitted = self._permits.get(constraints)
        if permitted is None:
            nodes = self._registry.nodes() if constraints.allow or constraints.deny else []
            permitted = (constraints.allowed(nodes), constraints.denied(nodes))
            self._permits[constraints] = permitted
        return permitted

    def _drop_stale(self) -> None:
        if self._version != self.table.version:
            self._version = self.table.version
            self._permits.clear()
            self._rejected.clear()


def _memory_mib(offers: tuple[Offer, ...]) -> int:
    """What a call is taken to need: one of a server runs in memory that the server holds anyway."""
    return 0 if offers and all(offer.native for offer in offers) else MEMORY_MIB


def _permitted_offers(entry: ToolEntry, constraints: Constraints) -> tuple[Offer, ...]:
    """The ways to run a tool that policy and caller leave."""
    wanted = constraints.backend
    if constraints.egress:  # a server of another kind has a network of its own
        wanted = frozenset({WASM}) if wanted is None else wanted & {WASM}
    if wanted is None:
        return entry.offers
    return tuple(offer for offer in entry.offers if offer.backend in wanted)


def _solver_node(node: NodeState) -> Node:
    return Node(
        id=node.name,
        memory_mib=node.memory_mib,
        slots=max(node.slots, 1),
        tier=node.tier or None,
        site=node.site or None,
        isa=node.isa or None,
        features=node.features,
        backends=node.offers,
        mounts=node.mounts,
    )
