"""Events in order of time: calls arrive, travel, wait, run, return; nodes fail and come back."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bench.simulate.arrivals import Arrival
from bench.simulate.checker import Checker
from bench.simulate.placing import Dispatcher, Load
from bench.simulate.world import TIERS, World
from solver import Placed

DOWN_MS: Final = 30_000.0  # mean time until a failed node is back
MISSED: Final = 3  # heartbeats that are missing before a node counts as gone
NOISE: Final = 0.2  # spread of true run times around what profiles say (lognormal sigma)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made of, beside its world and its arrivals.

    Attributes:
        scheduler: a name of :mod:`bench.simulate.placing`.
        failures: per node and hour; nodes that calls come from are spared.
        stale_ms: between two heartbeats of a node; 0 is told at once.
        window_ms: for how long calls are gathered to be placed together.
        retries: of an idempotent call whose node vanished.
    """

    scheduler: str = "exact"
    failures: float = 0.0
    stale_ms: float = 0.0
    window_ms: float = 0.0
    retries: int = 2


@dataclass(slots=True)
class Job:
    """A call on its way."""

    number: int
    arrival: Arrival
    lost_on: frozenset[str] = frozenset()
    tries: int = 0
    node: str = ""
    epoch: int = 0
    predicted_ms: float = 0.0


@dataclass(slots=True)
class Machine:
    """The truth about a node, which the dispatcher only hears of."""

    slots: int
    memory_mib: float
    speed: float
    up: bool = True
    gone: bool = False  # the dispatcher knows that it is down
    epoch: int = 0  # grows with each failure: what was sent before is lost
    running: dict[int, Job] = field(default_factory=dict)
    waiting: deque[Job] = field(default_factory=deque)
    stranded: list[Job] = field(default_factory=list)
    assigned: Load = field(default_factory=Load)
    believed: Load = field(default_factory=Load)
    heartbeat_due: bool = False


class Simulation:
    """One run. Attributes hold what came out of it.

    Attributes:
        now_ms: simulated time.
        latency_ms: of each call that came back.
        outcomes: ``done``, ``refused``, ``failed``, and ``retries``.
        busy_ms: slot time used, by tier.
    """

    def __init__(
        self, world: World, arrivals: Sequence[Arrival], settings: Settings, rng: random.Random
    ) -> None:
        self.now_ms = 0.0
        self.latency_ms: list[float] = []
        self.outcomes: Counter[str] = Counter()
        self.busy_ms: Counter[str] = Counter()
        self.checker = Checker(world)
        self.dispatcher = Dispatcher(world, settings.scheduler)
        self.total = len(arrivals)
        self._world, self._settings, self._rng = world, settings, rng
        self._tiers = {node.id: node.tier or "device" for node in world.nodes}
        self._machines = {
            node.id: Machine(node.slots, node.memory_mib, TIERS[self._tiers[node.id]].speed)
            for node in world.nodes
        }
        self._phase_ms = {node.id: rng.random() * settings.stale_ms for node in world.nodes}
        self._mortal = sorted(set(self._machines) - set(world.origins))
        self._gathered: list[Job] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        for number, arrival in enumerate(arrivals):
            self._at(arrival.at_ms, partial(self._arrive, Job(number, arrival)))
        self._plan_failure()

    @property
    def settled(self) -> int:
        """How many calls have ended, one way or the other."""
        return self.outcomes["done"] + self.outcomes["refused"] + self.outcomes["failed"]

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Until every call has ended; ``tick`` is called after each event."""
        while self.settled < self.total:
            self.now_ms, _, event = heapq.heappop(self._events)
            event()
            tick()

    # ---- a call's way

    def _arrive(self, job: Job) -> None:
        if self._settings.window_ms <= 0:
            self._place([job])
            return
        if not self._gathered:
            self._in(self._settings.window_ms, self._place_gathered)
        self._gathered.append(job)

    def _place_gathered(self) -> None:
        jobs, self._gathered = self._gathered, []
        self._place(jobs)

    def _place(self, jobs: Sequence[Job]) -> None:
        results = self.dispatcher.place([(job.arrival, job.lost_on) for job in jobs])
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Placed):
                self._send(job, result)
            else:
                self.outcomes["refused"] += 1

    def _send(self, job: Job, placed: Placed) -> None:
        machine = self._machines[placed.node]
        job.node, job.epoch = placed.node, machine.epoch
        job.predicted_ms = placed.parts.start + placed.parts.exec
        for load in (machine.assigned, machine.believed):
            load.calls += 1
            load.work_ms += job.predicted_ms
        self.dispatcher.believe(job.node, machine.believed)
        travel_ms = self._world.travel_ms(job.arrival.origin, job.node, job.arrival.kind.input_kib)
        self._in(travel_ms, lambda: self._reach(job))

    def _reach(self, job: Job) -> None:
        machine = self._machines[job.node]
        if not machine.up and not machine.gone:
            machine.stranded.append(job)
        elif machine.epoch != job.epoch or not machine.up:
            self._lose(job)
        else:
            machine.waiting.append(job)
            self._start_waiting(machine)

    def _start_waiting(self, machine: Machine) -> None:
        held_mib = sum(job.arrival.kind.memory_mib for job in machine.running.values())
        while machine.waiting and len(machine.running) < machine.slots:
            job = machine.waiting[0]
            held_mib += job.arrival.kind.memory_mib
            if held_mib > machine.memory_mib:
                return
            machine.waiting.popleft()
            machine.running[job.number] = job
            self.checker.began(job.number, job.arrival, job.node)
            taken_ms = job.arrival.kind.work_ms / machine.speed
            taken_ms *= self._rng.lognormvariate(0.0, NOISE)
            self._in(taken_ms, partial(self._finish, job, taken_ms))

    def _finish(self, job: Job, taken_ms: float) -> None:
        machine = self._machines[job.node]
        if machine.epoch != job.epoch:
            return  # it died with its node, which has been told
        del machine.running[job.number]
        self.checker.ended(job.number, job.node)
        self.busy_ms[self._tiers[job.node]] += taken_ms  # type: ignore[assignment]
        load = machine.assigned
        load.calls -= 1
        load.work_ms = max(load.work_ms - job.predicted_ms, 0.0) if load.calls else 0.0
        self._tell(job.node, machine)
        self._start_waiting(machine)
        travel_ms = self._world.travel_ms(job.arrival.origin, job.node, job.arrival.kind.output_kib)
        self._in(travel_ms, lambda: self._back(job))

    def _back(self, job: Job) -> None:
        self.outcomes["done"] += 1
        self.latency_ms.append(self.now_ms - job.arrival.at_ms)

    def _lose(self, job: Job) -> None:
        """Its node vanished: what may run twice is placed again, elsewhere."""
        if not job.arrival.kind.idempotent or job.tries >= self._settings.retries:
            self.outcomes["failed"] += 1
            return
        self.outcomes["retries"] += 1
        job.tries += 1
        job.lost_on |= {job.node}
        self._arrive(job)

    # ---- what the dispatcher hears

    def _tell(self, node: str, machine: Machine) -> None:
        """A load has changed: the next heartbeat will say so, one per period."""
        period_ms = self._settings.stale_ms
        if period_ms <= 0:
            self._heartbeat(node, machine)
        elif not machine.heartbeat_due:
            machine.heartbeat_due = True
            since_ms = (self.now_ms - self._phase_ms[node]) % period_ms
            self._in(period_ms - since_ms, lambda: self._heartbeat(node, machine))

    def _heartbeat(self, node: str, machine: Machine) -> None:
        machine.heartbeat_due = False
        if machine.up:
            machine.believed = Load(machine.assigned.calls, machine.assigned.work_ms)
            self.dispatcher.believe(node, machine.believed)

    # ---- failures

    def _plan_failure(self) -> None:
        per_ms = self._settings.failures * len(self._mortal) / 3_600_000
        if per_ms > 0:
            self._in(self._rng.expovariate(per_ms), self._fail)

    def _fail(self) -> None:
        self._plan_failure()
        node = self._rng.choice(self._mortal)
        machine = self._machines[node]
        if not machine.up:
            return
        self.outcomes["failures"] += 1
        machine.up, machine.gone = False, False
        machine.epoch += 1
        machine.stranded += [*machine.running.values(), *machine.waiting]
        machine.running.clear()
        machine.waiting.clear()
        self.checker.went_down(node)
        epoch = machine.epoch
        self._in(MISSED * self._settings.stale_ms, lambda: self._notice(node, epoch))
        self._in(self._rng.expovariate(1 / DOWN_MS), lambda: self._recover(node))

    def _notice(self, node: str, epoch: int) -> None:
        machine = self._machines[node]
        if machine.gone or machine.up or machine.epoch != epoch:
            return
        machine.gone = True
        self.dispatcher.left(node)
        machine.assigned, machine.believed = Load(), Load()
        stranded, machine.stranded = machine.stranded, []
        for job in stranded:
            self._lose(job)

    def _recover(self, node: str) -> None:
        machine = self._machines[node]
        self._notice(node, machine.epoch)
        machine.up, machine.gone = True, False
        self.checker.came_up(node)
        self.dispatcher.joined(node)

    # ---- time

    def _at(self, when_ms: float, event: Callable[[], None]) -> None:
        assert math.isfinite(when_ms)
        self._sequence += 1
        heapq.heappush(self._events, (when_ms, self._sequence, event))

    def _in(self, delay_ms: float, event: Callable[[], None]) -> None:
        self._at(self.now_ms + delay_ms, event)
