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
from bench.simulate.placing import START_MS, Dispatcher
from bench.simulate.world import TIERS, World
from dispatcher.placement.batching import Held
from dispatcher.placement.task import Placement

DOWN_MS: Final = 30_000.0  # mean time until a failed node is back
MISSED: Final = 3  # heartbeats that are missing before a node counts as gone
EWMA: Final = 0.2  # weight of a node's last run time in what its heartbeats expect
NOISE: Final = 0.2  # spread of true run times around what profiles say (lognormal sigma)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made of, beside its world and its arrivals.

    Attributes:
        scheduler: a name of :mod:`dispatcher.config.schedulers`.
        failures: per node and hour; nodes that calls come from are spared.
        stale_ms: between two heartbeats of a node; 0 is told at once.
        batch_ms: for how long calls that would wait in line are held.
        retries: of an idempotent call whose node vanished.
    """

    scheduler: str = "exact"
    failures: float = 0.0
    stale_ms: float = 0.0
    batch_ms: float = 0.0
    retries: int = 2


@dataclass(slots=True)
class Job:
    """A call on its way."""

    number: int
    arrival: Arrival
    lost_on: frozenset[str] = frozenset()
    tries: int = 0
    epoch: int = 0
    placed: Placement | None = None
    exec_ms: float = 0.0

    @property
    def node(self) -> str:
        """Where it was sent."""
        assert self.placed is not None
        return self.placed.node.name


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
    exec_ms: float = 0.0  # moving average, for its heartbeats
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
        self.dispatcher = Dispatcher(world, settings.scheduler, settings.batch_ms)
        self.total = len(arrivals)
        self._world, self._settings, self._rng = world, settings, rng
        self._tiers = {node.id: node.tier or "device" for node in world.nodes}
        self._machines = {
            node.id: Machine(node.slots, node.memory_mib, TIERS[self._tiers[node.id]].speed)
            for node in world.nodes
        }
        self._phase_ms = {node.id: rng.random() * settings.stale_ms for node in world.nodes}
        self._mortal = sorted(set(self._machines) - set(world.origins))
        self._held: dict[Held, Job] = {}
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
        answer = self.dispatcher.place(job.arrival, job.lost_on, self.now_ms)
        if isinstance(answer, Held):
            self._held[answer] = job
            self._at(self.dispatcher.backlog.next_ms, self._place_held)
        else:
            self._send(job, answer)

    def _place_held(self) -> None:
        if self.now_ms >= self.dispatcher.backlog.next_ms:
            for held, placed in self.dispatcher.place_held():
                self._send(self._held.pop(held), placed)

    def _send(self, job: Job, placed: Placement | None) -> None:
        if placed is None:
            self.outcomes["refused"] += 1
            return
        job.placed, job.epoch = placed, self._machines[placed.node.name].epoch
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
            self._tell(job.node, machine)

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
            self._in(START_MS + taken_ms, partial(self._finish, job, taken_ms))

    def _finish(self, job: Job, taken_ms: float) -> None:
        machine = self._machines[job.node]
        if machine.epoch != job.epoch:
            return  # it died with its node, which has been told
        del machine.running[job.number]
        self.checker.ended(job.number, job.node)
        self.busy_ms[self._tiers[job.node]] += taken_ms  # type: ignore[assignment]
        job.exec_ms = taken_ms
        machine.exec_ms += EWMA * (taken_ms - machine.exec_ms)
        self._start_waiting(machine)
        self._tell(job.node, machine)
        travel_ms = self._world.travel_ms(job.arrival.origin, job.node, job.arrival.kind.output_kib)
        self._in(travel_ms, lambda: self._back(job))

    def _back(self, job: Job) -> None:
        assert job.placed is not None
        self.dispatcher.answered(job.arrival, job.placed, job.exec_ms)
        self.outcomes["done"] += 1
        self.latency_ms.append(self.now_ms - job.arrival.at_ms)

    def _lose(self, job: Job) -> None:
        """Its node vanished: what may run twice is placed again, elsewhere."""
        assert job.placed is not None
        self.dispatcher.lost(job.placed)
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
            running, queued = len(machine.running), len(machine.waiting)
            ahead = queued + 1 if running >= machine.slots else 0
            queue_ms = ahead * machine.exec_ms / machine.slots
            self.dispatcher.heard(node, running, queued, queue_ms)

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
