"""The contract a second time: slow, plain Python over the JSON form, no code shared with solver/.

``best`` finds the true optimum of a small problem by trying everything; ``violations`` checks an
answer of any size against every sentence of the contract that an answer alone can break.
"""

import itertools
import math
from fractions import Fraction

ORDER = [
    "backend",
    "requires",
    "memory",
    "allow",
    "deny",
    "data",
    "privacy",
    "link",
    "no_profile",
    "tenant",
    "egress",
    "budget",
    "deadline",
    "anti_affinity",
    "spread",
    "capacity",
    "chain",
]


class World:
    def __init__(self, problem):
        self.problem = problem
        self.nodes = {n["id"]: n for n in problem["nodes"]}
        self.calls = {c["id"]: c for c in problem["calls"]}
        self.order = list(self.calls)
        self.links = {}
        for link in problem.get("links", []):
            self.links[link["a"], link["b"]] = link
            self.links[link["b"], link["a"]] = link
        self.ancestors = {name: self._ancestors(name) for name in self.calls}
        self.followers = {
            name: [c for c in self.calls if name in self.calls[c].get("after", [])]
            for name in self.calls
        }

    def _ancestors(self, name):
        found = set()
        todo = list(self.calls[name].get("after", []))
        while todo:
            other = todo.pop()
            if other not in found:
                found.add(other)
                todo.extend(self.calls[other].get("after", []))
        return found

    def ordered(self, a, b):
        return a in self.ancestors[b] or b in self.ancestors[a]

    def tied(self, name):
        """The call and all that are tied to it, near and far."""
        found = {name}
        todo = [name]
        while todo:
            at = todo.pop()
            for other in [*self.calls[at].get("after", []), *self.followers[at]]:
                if other not in found:
                    found.add(other)
                    todo.append(other)
        return found

    def labels(self, name):
        """Every (privacy, origin) under which the call runs."""
        call = self.calls[name]
        own = {(call.get("privacy", "public"), call["origin"])}
        for other in call.get("after", []):
            own |= self.passed_on(other)
        return own

    def passed_on(self, name):
        call = self.calls[name]
        if call.get("declassifies"):
            return {(call.get("privacy", "public"), call["origin"])}
        return self.labels(name)

    def transfer(self, a, b, kib):
        if a == b:
            return 0.0
        link = self.links.get((a, b))
        if link is None:
            return math.inf
        return link["rtt_ms"] / 2 + kib * 8.192 / link["mbit_s"]

    def reasons(self, name, at):
        """All the reasons why the call alone may not run on the node."""
        call, node = self.calls[name], self.nodes[at]
        found = []
        if call.get("backend") is not None and not set(call["backend"]) & set(
            node.get("backends", ["wasm"])
        ):
            found.append("backend")
        if any(
            r not in node.get("features", []) and r != node.get("isa")
            for r in call.get("requires", [])
        ):
            found.append("requires")
        if call.get("memory_mib", 0) > node["memory_mib"]:
            found.append("memory")
        if call.get("allow") is not None and at not in call["allow"]:
            found.append("allow")
        if at in call.get("deny", []):
            found.append("deny")
        if not all(
            any(p == m or p.startswith(m.rstrip("/") + "/") for m in node.get("mounts", []))
            for p in call.get("data", [])
        ):
            found.append("data")
        for privacy, origin in self.labels(name):
            if (privacy == "node" and at != origin) or (
                privacy == "site"
                and at != origin
                and (node.get("site") is None or node["site"] != self.nodes[origin].get("site"))
            ):
                found.append("privacy")
                break
        if math.isinf(self.transfer(call["origin"], at, 0)):
            found.append("link")
        if at not in call["exec_ms"]:
            found.append("no_profile")
        return found + self.more_reasons(call, node, name, at)

    def more_reasons(self, call, node, name, at):
        """Those of the optional constraints."""
        found = []
        if node.get("tenants") is not None and call.get("tenant") not in node["tenants"]:
            found.append("tenant")
        if not all(self.may_reach(node, host) for host in call.get("egress", [])):
            found.append("egress")
        budget = node.get("budget", {})
        if any(
            budget.get(kind) is not None and call.get(kind, {}).get(at, 0) > budget[kind]
            for kind in ("money", "energy_j")
        ):
            found.append("budget")
        if call.get("deadline_ms") is not None and at in call["exec_ms"]:
            takes = self.alone_ms(name, at)
            if math.isfinite(takes) and takes > call["deadline_ms"] + 1e-6:
                found.append("deadline")
        return found

    @staticmethod
    def may_reach(node, host):
        return any(
            rule in {"*", host} or (rule[:2] == "*." and host[-len(rule) + 1 :] == rule[1:])
            for rule in node.get("egress", [])
        )

    def alone_ms(self, name, at):
        """How long the call takes with nothing before it and nothing in its way."""
        call = self.calls[name]
        queue = self.nodes[at].get("queue_ms", 0)
        arrive = self.transfer(call["origin"], at, call.get("input_kib", 0))
        wait = max(queue, arrive) if self.problem.get("mode") == "makespan" else queue + arrive
        return wait + self.run_ms(name, at) + self.back_ms(name, at)

    def back_ms(self, name, at):
        if self.followers[name]:
            return 0.0
        return self.transfer(at, self.calls[name]["origin"], self.calls[name].get("output_kib", 0))

    def place_of(self, at, per):
        if per == "node":
            return at
        named = self.nodes[at].get(per)
        return (per, at) if named is None else named

    def broken(self, where):
        """The rules between calls that an assignment breaks: (reason, calls that share in it)."""
        crowds = [("anti_affinity", g, "node", 1) for g in self.problem.get("anti_affinity", [])]
        crowds += [
            ("spread", s["group"], s["per"], s["at_most"]) for s in self.problem.get("spread", [])
        ]
        for reason, group, per, most in crowds:
            members = [c for c in where if group in self.calls[c].get("groups", [])]
            for place in {self.place_of(where[c], per) for c in members}:
                here = [c for c in members if self.place_of(where[c], per) == place]
                if len(here) > most:
                    yield reason, here
        for at, node in self.nodes.items():
            here = [c for c in where if where[c] == at]
            for kind, limit in node.get("budget", {}).items():
                spent = sum(Fraction(str(self.calls[c].get(kind, {}).get(at, 0))) for c in here)
                if limit is not None and spent > Fraction(str(limit)):
                    yield "budget", [c for c in here if self.calls[c].get(kind, {}).get(at, 0)]

    def late(self, where):
        """Calls of mode sum that take longer than they may."""
        return [
            c
            for c in where
            if self.calls[c].get("deadline_ms") is not None
            and self.cost(c, where) - self.surcharge(c, where[c])
            > self.calls[c]["deadline_ms"] + 1e-6
        ]

    def surcharge(self, name, at):
        call, weights = self.calls[name], self.problem.get("weights", {})
        total = weights.get("money", 0) * call.get("money", {}).get(at, 0)
        total += weights.get("energy_j", 0) * call.get("energy_j", {}).get(at, 0)
        return total + weights.get("migration", 0) * self.moves(name, at)

    def moves(self, name, at):
        return int(self.calls[name].get("warm_on") not in (None, at))

    def spent(self, kind, where):
        if kind == "migration":
            return sum(self.moves(c, at) for c, at in where.items())
        return sum(self.calls[c].get(kind, {}).get(at, 0) for c, at in where.items())

    def able(self, name):
        return [n for n in self.nodes if not self.reasons(name, n)]

    def run_ms(self, name, at):
        call = self.calls[name]
        move = call.get("migration_ms", 0) * self.moves(name, at)
        return call.get("start_ms", {}).get(at, 0) + call["exec_ms"][at] + move

    def cost(self, name, where):
        """Cost of one call under an assignment (call -> node); inf where a link is missing."""
        call, at = self.calls[name], where[name]
        total = self.nodes[at].get("queue_ms", 0) + self.run_ms(name, at)
        total += self.surcharge(name, at)
        total += self.transfer(call["origin"], at, call.get("input_kib", 0))
        for other in call.get("after", []):
            kib = self.calls[other].get("output_kib", 0)
            total += self.transfer(where[other], at, kib)
        if not self.followers[name]:
            total += self.transfer(at, call["origin"], call.get("output_kib", 0))
        return total

    def antichains(self, names):
        for size in range(1, len(names) + 1):
            for some in itertools.combinations(names, size):
                if not any(self.ordered(a, b) for a, b in itertools.combinations(some, 2)):
                    yield some

    def holds(self, at, names):
        """Whether the calls may be on the node, in mode sum."""
        node = self.nodes[at]
        return all(
            len(some) <= node["slots"]
            and sum(self.calls[c].get("memory_mib", 0) for c in some) <= node["memory_mib"] + 1e-9
            for some in self.antichains(names)
        )

    def whole(self, where):
        """Tied calls are placed together or not at all."""
        return all(self.tied(name) <= set(where) for name in where)

    def earliest(self, where):
        """Start of every call when nothing contends."""
        start = {}
        todo = list(where)
        while todo:
            name = todo.pop(0)
            call, at = self.calls[name], where[name]
            if any(o not in start for o in call.get("after", [])):
                todo.append(name)
                continue
            arrivals = [
                start[o]
                + self.run_ms(o, where[o])
                + self.transfer(where[o], at, self.calls[o].get("output_kib", 0))
                for o in call.get("after", [])
            ]
            start[name] = max(
                self.nodes[at].get("queue_ms", 0),
                self.transfer(call["origin"], at, call.get("input_kib", 0)),
                *arrivals,
                0,
            )
        return start

    def last_moment(self, where, start):
        return max(
            (
                start[name]
                + self.run_ms(name, where[name])
                + self.transfer(
                    where[name], self.calls[name]["origin"], self.calls[name].get("output_kib", 0)
                )
                for name in where
                if not self.followers[name]
            ),
            default=0.0,
        )

    def least_makespan(self, where):
        """Serial schedules over every order: one of them is best (the measure is regular)."""
        if any(self.nodes[at]["slots"] < 1 for at in where.values()):
            return math.inf
        least = math.inf
        for order in itertools.permutations(where):
            at_place = {name: k for k, name in enumerate(order)}
            if any(
                at_place[o] > at_place[name]
                for name in order
                for o in self.calls[name].get("after", [])
            ):
                continue
            start = {}
            for name in order:
                start[name] = self._fit(name, where, start)
            if not self.overdue(where, start):
                least = min(least, self.last_moment(where, start))
        return least

    def overdue(self, where, start):
        """Calls of mode makespan whose output is not there in time."""
        return [
            c
            for c, at in where.items()
            if self.calls[c].get("deadline_ms") is not None
            and start[c] + self.run_ms(c, at) + self.back_ms(c, at)
            > self.calls[c]["deadline_ms"] + 1e-6
        ]

    def _fit(self, name, where, start):
        call, at = self.calls[name], where[name]
        ready = max(
            self.nodes[at].get("queue_ms", 0),
            self.transfer(call["origin"], at, call.get("input_kib", 0)),
            *(
                start[o]
                + self.run_ms(o, where[o])
                + self.transfer(where[o], at, self.calls[o].get("output_kib", 0))
                for o in call.get("after", [])
            ),
            0,
        )
        here = [o for o in start if where[o] == at]
        ends = sorted({ready, *(e for o in here if (e := start[o] + self.run_ms(o, at)) > ready)})
        for moment in ends:
            if self._fits(name, moment, at, here, start):
                return moment
        raise AssertionError("after everything has ended there is room")

    def _fits(self, name, moment, at, here, start):
        end = moment + self.run_ms(name, at)
        return not overloads(
            self,
            at,
            {**{o: start[o] for o in here}, name: moment},
            {o: start[o] + self.run_ms(o, at) for o in here} | {name: end},
            0.0,
        )


def overloads(world, at, start, end, slack):
    """Moments at which the node holds more than it can (an empty stay holds nothing)."""
    node = world.nodes[at]
    found = []
    for moment in start.values():
        held = [c for c in start if start[c] <= moment + slack and end[c] > moment + 2 * slack]
        memory = sum(world.calls[c].get("memory_mib", 0) for c in held)
        if len(held) > node["slots"] or memory > node["memory_mib"] + 1e-9:
            found.append(moment)
    return found


def best(problem):
    """(most calls, least latency or cost) over every assignment there is."""
    most, values = best_of_all(problem)
    return most, values[-1]


def best_of_all(problem):
    """(most calls, the least value of each objective in turn, then of latency)."""
    world = World(problem)
    makespan = problem.get("mode", "sum") == "makespan"
    choices = [[None, *world.able(name)] for name in world.order]
    asked = problem.get("objectives", [])
    most, least = 0, [0.0] * (len(asked) + 1)
    for nodes in itertools.product(*choices):
        where = {c: n for c, n in zip(world.order, nodes, strict=True) if n is not None}
        if len(where) < most or not where or not world.whole(where):
            continue
        costs = sum(world.cost(name, where) for name in where)
        if math.isinf(costs) or any(world.broken(where)):
            continue
        if makespan:
            objective = world.least_makespan(where)
        elif not world.late(where) and all(
            world.holds(at, [c for c in where if where[c] == at]) for at in set(where.values())
        ):
            objective = costs
        else:
            continue
        if math.isinf(objective):
            continue
        values = [objective if k == "latency" else world.spent(k, where) for k in asked]
        values = [round(value, 7) for value in values] + [objective]
        if len(where) > most or values < least:
            most, least = len(where), values
    return most, least


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)


def violations(problem, answer):
    """Everything wrong with an answer, in words; an empty list where nothing is."""
    world = World(problem)
    where = {p["call"]: p["node"] for p in answer["placements"]}
    start = {p["call"]: p["start_ms"] for p in answer["placements"]}
    wrong = []
    names = [p["call"] for p in answer["placements"]] + [u["call"] for u in answer["unplaced"]]
    if sorted(names) != sorted(world.calls):
        wrong.append("not every call is answered once")
    if not world.whole(where):
        wrong.append("tied calls are torn apart")
    for p in answer["placements"]:
        if reasons := world.reasons(p["call"], p["node"]):
            wrong.append(f"{p['call']} may not run on {p['node']}: {reasons}")
        elif not close(p["cost_ms"], world.cost(p["call"], where)):
            wrong.append(f"cost of {p['call']}: {p['cost_ms']}")
    wrong += [f"{reason}: {calls}" for reason, calls in world.broken(where)]
    if wrong:
        return wrong
    if problem.get("mode", "sum") == "sum":
        wrong += _wrong_sum(world, answer, where, start)
    else:
        wrong += _wrong_makespan(world, answer, where, start)
    if answer["bound_ms"] > answer["objective_ms"] + 1e-6 + 1e-9 * answer["objective_ms"]:
        wrong.append("the bound is above the objective")
    for unplaced in answer["unplaced"]:
        wrong += _wrong_reasons(world, unplaced, where)
    return wrong


def _wrong_sum(world, answer, where, start):
    wrong = [
        f"{at} is overfull"
        for at in set(where.values())
        if not world.holds(at, [c for c in where if where[c] == at])
    ]
    wrong += [f"{c} takes too long" for c in world.late(where)]
    if not close(answer["objective_ms"], sum(p["cost_ms"] for p in answer["placements"])):
        wrong.append("objective is not the sum of costs")
    wrong += [
        f"{c} cannot start at {start[c]}"
        for c, moment in world.earliest(where).items()
        if not close(start[c], moment)
    ]
    return wrong


def _wrong_makespan(world, answer, where, start):
    wrong = []
    for c in where:
        call, at = world.calls[c], where[c]
        ready = [world.nodes[at].get("queue_ms", 0)]
        ready.append(world.transfer(call["origin"], at, call.get("input_kib", 0)))
        for o in call.get("after", []):
            kib = world.calls[o].get("output_kib", 0)
            ready.append(start[o] + world.run_ms(o, where[o]) + world.transfer(where[o], at, kib))
        if start[c] < max(ready) - 1e-6:
            wrong.append(f"{c} starts before it can")
    for at in set(where.values()):
        here = [c for c in where if where[c] == at]
        end = {c: start[c] + world.run_ms(c, at) for c in here}
        if overloads(world, at, {c: start[c] for c in here}, end, 1e-7):
            wrong.append(f"{at} is overfull at some moment")
    wrong += [f"{c} is late" for c in world.overdue(where, start)]
    if not close(answer["objective_ms"], world.last_moment(where, start)):
        wrong.append("objective is not the last moment")
    return wrong


def _wrong_reasons(world, unplaced, where):
    name = unplaced["call"]
    others = world.tied(name) - {name}
    shared = "chain" if any(not world.able(o) for o in others) else "capacity"
    sets = []
    for at in world.nodes:
        reasons = set(world.reasons(name, at))
        if not reasons:
            there = {**where, name: at}
            reasons = {reason for reason, calls in world.broken(there) if name in calls}
            alone = not others and world.problem.get("mode", "sum") == "sum"
            full = alone and not world.holds(at, [c for c in there if there[c] == at])
            if full or not reasons:
                reasons.add(shared)
        sets.append(frozenset(reasons))
    counts = {}
    for reasons in sets:
        first = min(reasons, key=ORDER.index)
        counts[first] = counts.get(first, 0) + 1
    wrong = []
    if counts != unplaced["reasons"]:
        wrong.append(f"{name}: reasons {unplaced['reasons']}, should be {counts}")
    core = set(unplaced["core"])
    if len(core) != len(unplaced["core"]):
        wrong.append(f"{name}: core names a reason twice")
    if sets and not any(reasons <= core for reasons in sets):
        wrong.append(f"{name}: core {core} opens no node")
    if any(reasons < core for reasons in sets) or (not sets and core):
        wrong.append(f"{name}: core {core} is not minimal")
    return wrong
