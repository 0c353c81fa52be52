"""Dense random problems: uneven numbers, tight nodes, many ties, so that nearly all contend."""

import random

import pytest

from tests.solver.sum.test_sum import check


def dense(seed, nodes, calls, mode):
    rng = random.Random(seed)
    density = 0.6 * rng.random()
    ids = [f"n{i}" for i in range(nodes)]
    return {
        "nodes": [
            {
                "id": n,
                "site": rng.choice("XY"),
                "memory_mib": rng.choice([48, 64, 100, 128]),
                "slots": rng.choice([1, 1, 2, 2, 3]),
                "queue_ms": round(rng.uniform(0, 15), 3),
            }
            for n in ids
        ],
        "links": [
            {"a": a, "b": b, "rtt_ms": rng.uniform(0, 20), "mbit_s": rng.choice([1, 10, 100])}
            for k, a in enumerate(ids)
            for b in ids[:k]
            if rng.random() < 0.85
        ],
        "calls": [
            {
                "id": f"c{k}",
                "origin": rng.choice(ids),
                "input_kib": rng.uniform(0, 60),
                "output_kib": rng.uniform(0, 60),
                "memory_mib": rng.choice([16, 20, 32, 40, 48]),
                "privacy": rng.choices(["public", "site", "node"], [20, 2, 1])[0],
                "declassifies": rng.random() < 0.2,
                "exec_ms": {n: rng.uniform(0, 60) for n in ids if rng.random() < 0.9},
                "start_ms": {n: rng.uniform(0, 5) for n in ids},
                "after": [f"c{j}" for j in range(k) if rng.random() < density],
            }
            for k in range(calls)
        ],
        "mode": mode,
        "time_limit_s": 30.0,
    }


@pytest.mark.parametrize("seed", range(60))
def test_sum(seed):
    check(dense(seed, nodes=3, calls=5, mode="sum"))


@pytest.mark.parametrize("seed", range(20))
def test_sum_of_more_calls_on_fewer_nodes(seed):
    check(dense(seed + 1000, nodes=2, calls=7, mode="sum"))


@pytest.mark.parametrize("seed", range(40))
def test_makespan(seed):
    check(dense(seed + 2000, nodes=3, calls=4, mode="makespan"))
