"""Random problems in the JSON form, small enough for the oracle and rich in ties and refusals."""

import os

import pytest
from hypothesis import strategies as st

from tests import laws

# How many times as many examples to try: `SOLVER_EXAMPLES=20 pytest tests/solver --hypothesis-profile=full`.
_TIMES = int(os.environ.get("SOLVER_EXAMPLES", "1"))
# Far more than any of these problems takes, so that "proven" does not hang on the machine's load.
AMPLE_S = 60.0
_TEST_S = 600


def examples(count):
    """So many examples, each as long as it takes: a loaded machine is slow, not wrong.

    The time limit of a test is raised as well. One that strikes while an example is drawn is
    reported as a flaky strategy, and hides the example that took so long.
    """
    chosen = laws.examples(count * _TIMES)
    return lambda test: pytest.mark.timeout(_TEST_S * _TIMES)(chosen(test))


NODES = ["a", "b", "c", "d"]
ms = st.sampled_from([0, 0.5, 1, 2, 3, 7.25, 10, 40])
kib = st.sampled_from([0, 1, 10, 300])


@st.composite
def nodes(draw, most, *, tied):
    names = NODES[: draw(st.integers(1, most))]
    return [
        {
            "id": name,
            "tier": draw(st.sampled_from(["device", "edge", "cloud"])),
            "site": draw(st.sampled_from(["home", "away"])),
            "isa": draw(st.sampled_from(["aarch64", "x86_64"])),
            "features": draw(st.sampled_from([[], ["gpu"], ["gpu", "camera"]])),
            "backends": draw(st.sampled_from([["wasm"], ["wasm", "process"], ["process"]])),
            "memory_mib": draw(st.sampled_from([32, 64, 96, 512])),
            "slots": draw(st.sampled_from([1, 1, 1, 2] if tied else [0, 1, 1, 2, 3])),
            "queue_ms": draw(ms),
            "mounts": draw(st.sampled_from([[], ["/logs"], ["/"], ["/logs", "/data/x"]])),
        }
        for name in names
    ]


@st.composite
def links(draw, names):
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return [
        {"a": a, "b": b, "rtt_ms": draw(ms), "mbit_s": draw(st.sampled_from([1, 20, 940]))}
        for a, b in pairs
        if draw(st.integers(0, 7))
    ]


@st.composite
def call(draw, name, names, earlier, *, tied):
    # One refused call refuses all that it is tied to, so tied calls are mostly plain.
    plain = draw(st.integers(0, 9)) > 0 if tied else draw(st.booleans())
    rare = st.just([]) if plain else st.sampled_from([[], [], ["gpu"], ["x86_64"], ["gpu", "tpu"]])
    some = st.lists(st.sampled_from([*names, "ghost"]), unique=True)
    least = 0 if not plain else len(names) if tied else 1
    profiled = draw(st.lists(st.sampled_from(names), unique=True, min_size=least))
    made = {
        "id": name,
        "tool": "t",
        "origin": draw(st.sampled_from(names)),
        "input_kib": draw(kib),
        "output_kib": draw(kib),
        "memory_mib": draw(
            st.sampled_from([0, 16, 32, 33, 64, 600] if not plain else [16, 32, 64])
        ),
        "backend": draw(st.sampled_from([["wasm"], ["process", "wasm"], ["container"]]))
        if not plain
        else ["wasm", "process"],
        "requires": draw(rare),
        "privacy": draw(
            st.sampled_from(["public", "public", "site", "node"] if not plain else ["public"])
        ),
        "data": [] if plain else draw(st.sampled_from([[], ["/logs/a"], ["/logs2/a"], ["/"]])),
        "exec_ms": {n: draw(ms) for n in profiled},
        "start_ms": {n: draw(ms) for n in profiled if draw(st.booleans())},
        "after": []
        if not earlier
        else draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)),
        "allow": None if plain else draw(st.one_of(st.none(), some)),
        "deny": [] if plain else draw(st.one_of(st.just([]), some)),
    }
    if earlier:
        made["declassifies"] = draw(st.booleans())
    return made


@st.composite
def problems(draw, most_nodes=4, most_calls=5, *, tied=False, mode="sum"):
    some = draw(nodes(most_nodes, tied=tied))
    names = [n["id"] for n in some]
    calls = []
    for i in range(draw(st.integers(0, most_calls))):
        earlier = [c["id"] for c in calls] if tied else []
        calls.append(draw(call(f"c{i}", names, earlier, tied=tied)))
    return {
        "nodes": some,
        "links": draw(links(names)),
        "calls": draw(st.permutations(calls)),
        "mode": mode,
        "time_limit_s": AMPLE_S,
        "gap": 0.0,
    }


few = st.sampled_from([0, 0, 1, 2, 0.1, 0.3])


@st.composite
def ruled(draw, most_nodes=3, most_calls=5, *, tied=False, mode="sum"):
    """Problems with every optional constraint somewhere."""
    problem = draw(problems(most_nodes, most_calls, tied=tied, mode=mode))
    names = [n["id"] for n in problem["nodes"]]
    # Rules between calls are looked at only where the calls alone may run, so mostly they may.
    plain = draw(st.integers(0, 3)) > 0
    tenants = [None] if plain else [None, ["t"], ["t", "u"]]
    egress = [["*"]] if plain else [["*"], ["*.org"], ["a.org", "b"], []]
    for node in problem["nodes"]:
        node["tenants"] = draw(st.sampled_from(tenants))
        node["egress"] = draw(st.sampled_from(egress))
        node["budget"] = draw(
            st.sampled_from([{}, {}, {"money": 2}, {"money": 0.4, "energy_j": 1}])
        )
        if draw(st.integers(0, 3)) == 0:
            node["site"] = node["tier"] = None
    for call in problem["calls"]:
        call["tenant"] = draw(st.sampled_from([None, "t", "t", "u"]))
        call["egress"] = draw(st.sampled_from([[], [], ["a.org"], ["a.org", "b"]]))
        call["groups"] = draw(st.sampled_from([[], ["g"], ["g"], ["h"], ["g", "h"]]))
        call["money"] = {n: draw(few) for n in names}
        call["energy_j"] = {n: draw(few) for n in names}
        call["deadline_ms"] = draw(st.sampled_from([None, None, 10, 30, 60, 200]))
        call["warm_on"] = draw(st.sampled_from([None, None, *names]))
        call["migration_ms"] = draw(st.sampled_from([0, 5]))
    problem["anti_affinity"] = draw(st.sampled_from([[], [], ["g"], ["g", "h"]]))
    spreads = st.fixed_dictionaries(
        {
            "group": st.sampled_from(["g", "h"]),
            "per": st.sampled_from(["node", "site", "tier"]),
            "at_most": st.sampled_from([0, 1, 1, 2]),
        }
    )
    problem["spread"] = draw(st.lists(spreads, max_size=2))
    return problem


@st.composite
def weighted(draw, **kinds):
    """The same with money, energy and migrations counted in ms."""
    problem = draw(ruled(**kinds))
    problem["weights"] = draw(
        st.fixed_dictionaries(dict.fromkeys(("money", "energy_j", "migration"), few))
    )
    return problem


@st.composite
def in_turn(draw, **kinds):
    """The same with objectives in an order."""
    problem = draw(ruled(**kinds))
    names = st.sampled_from(["latency", "money", "energy_j", "migration"])
    problem["objectives"] = draw(st.lists(names, unique=True, min_size=1, max_size=3))
    return problem
