"""What calls cost beside time: the operator's prices and weights, against sums done by hand."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.call import CallRequest
from dispatcher.config import PolicyConfig, load
from dispatcher.errors import ConfigError
from dispatcher.placement.prices import Prices, Spending
from dispatcher.registry.nodes import NodeState
from solver import CallSpec, Link, Node, NodeTable, Placed, Profile, place_one

CLOUD_IS_DEAR = [{"nodes": ["tier:cloud"], "money_per_call": 0.5, "money_per_s": 2.0}]


def priced(prices, **weights):
    return {"policy": {"prices": prices, "weights": weights}}


@pytest.fixture
def two(run_app, attach, answer):
    """An app with a slow device and a fast cloud beside it, both of known cost."""

    class Two:
        def __init__(self, values):
            self.running = run_app(values)

        async def __aenter__(self):
            self.app = app = await self.running.__aenter__()
            for name, tier, exec_ms in (("device", "device", 100.0), ("cloud", "cloud", 1.0)):
                await attach(app, name, tier=tier, handler=lambda c, a: answer())
                node = app.registry.node(name)
                for _ in range(40):
                    app.profiles.learn_exec("text.act", name, 1000, input_kib=0, exec_ms=exec_ms)
                    app.profiles.learn_start("text", name, warm=True, start_ms=0.0)
                    app.profiles.learn_start("text", name, warm=False, start_ms=0.0)
                app.scheduler.node_described(node)
            return app

        async def __aexit__(self, *error):
            await self.running.__aexit__(*error)

    return Two


class TestPlacing:
    async def test_without_prices_the_fastest_is_chosen_and_nothing_is_said(self, two, call):
        async with two({"dispatcher": {"explore": 0.0}}) as app:
            placement = (await call(app, "act")).result["_meta"]["dev.sanderling/placement"]
            assert placement["node"] == "cloud"
            assert not {"money", "energy_j"} & set(placement)

    @pytest.mark.parametrize(
        ("weight", "node"), [(0.0, "cloud"), (10.0, "cloud"), (1000.0, "device")]
    )
    async def test_a_price_counts_as_its_weight_says(self, two, call, weight, node):
        async with two(priced(CLOUD_IS_DEAR, money=weight)) as app:
            reply = await call(app, "act")
            assert reply.placement.node == node
            # The record tells what was spent: the fake agents say 0.02 ms start and 0.05 ms run.
            paid = 0.5 + 2.0 * 0.07 / 1000 if node == "cloud" else 0.0
            placement = reply.result["_meta"]["dev.sanderling/placement"]
            assert placement["money"] == pytest.approx(paid)
            assert placement["energy_j"] == 0.0
            # It is a prediction of time, which a price is not.
            assert placement["predicted_ms"] < 250

    async def test_energy_is_power_by_time(self, two):
        values = priced([{"nodes": ["node:device"], "watts": 5.0}], energy_j=1000.0)
        async with two(values) as app:
            explanation = app.calls.explain(CallRequest("act", {}))
            parts = {verdict.node: verdict.parts for verdict in explanation.nodes}
            run_s = (parts["device"].start + parts["device"].exec) / 1000
            assert parts["device"].surcharge == pytest.approx(5.0 * run_s * 1000.0)
            assert parts["cloud"].surcharge == 0.0

    async def test_explain_tells_of_the_surcharge_and_costs_add_up(self, two):
        async with two(priced(CLOUD_IS_DEAR, money=1000.0)) as app:
            explanation = app.calls.explain(CallRequest("act", {}))
            form = explanation.to_json()
            assert form["placed"] == "device"
            assert "surcharge +50" in explanation.why
            for node in form["nodes"]:
                assert node["cost_ms"] == pytest.approx(sum(node["parts"].values()), abs=0.01)
            with_one = {node["node"] for node in form["nodes"] if "surcharge" in node["parts"]}
            assert with_one == {"cloud"}

    async def test_a_node_that_comes_between_check_and_placement_is_no_harm(self, two, attach):
        async with two(priced(CLOUD_IS_DEAR, money=1000.0)) as app:
            task, _ = app.calls._prepare(app.registry.tool("act"), CallRequest("act", {}))
            await attach(app, "edge", tier="edge")
            assert app.scheduler.place(task).node.name in {"device", "edge"}

    async def test_the_state_of_a_board_may_have_a_price(self, two, call):
        values = priced([{"nodes": ["state:on-battery"], "money_per_call": 1.0}], money=1e6)
        async with two(values) as app:
            assert (await call(app, "act")).placement.node == "cloud"
            cloud = app.registry.node("cloud")
            cloud.states = frozenset({"on-battery"})
            app.scheduler.node_described(cloud)
            assert (await call(app, "act")).placement.node == "device"


amounts = st.floats(0, 100)
nodes = st.lists(
    st.tuples(st.sampled_from(["device", "edge", "cloud"]), st.floats(0.01, 1e4)),
    min_size=1,
    max_size=6,
)
prices = st.lists(
    st.tuples(st.sampled_from([None, "device", "edge", "cloud"]), amounts, amounts, amounts),
    max_size=3,
)


@given(nodes, prices, amounts, amounts)
def test_the_choice_is_the_least_sum_of_time_and_price(nodes, prices, money, energy_j):
    said = [
        {
            "nodes": None if tier is None else [f"tier:{tier}"],
            "money_per_call": per_call,
            "money_per_s": per_s,
            "watts": watts,
        }
        for tier, per_call, per_s, watts in prices
    ]
    policy = PolicyConfig.model_validate(
        {"prices": said, "weights": {"money": money, "energy_j": energy_j}}
    )
    names = [f"n{k}" for k in range(len(nodes))]
    links = [Link(a, b, rtt_ms=0.0, mbit_s=1000.0) for a, b in combinations(names, 2)]
    table = NodeTable([Node(name, memory_mib=1, slots=1) for name in names], links)
    profile, spending = Profile(table), Spending(table, Prices(policy))
    costs = []
    for name, (tier, exec_ms) in zip(names, nodes, strict=True):
        profile.learn(name, exec_ms=exec_ms)
        spending.learn(NodeState(name, tier=tier), profile)
        price = next((p for p in prices if p[0] in (None, tier)), (None, 0.0, 0.0, 0.0))
        _, per_call, per_s, watts = price
        run_s = exec_ms / 1000
        costs.append(exec_ms + money * (per_call + per_s * run_s) + energy_j * watts * run_s)
    placed = place_one(table, CallSpec(origin="n0", profile=profile, spends=spending))
    assert isinstance(placed, Placed)
    assert placed.cost_ms == pytest.approx(min(costs))
    assert costs[names.index(placed.node)] == pytest.approx(min(costs))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"prices": [{"watts": -1}]}, r"policy.prices\[0\].watts"),
        ({"prices": [{"nodes": ["cloud"], "watts": 1}]}, "is no selector"),
        ({"prices": [{"money": 1}]}, "unknown key; did you mean"),
        ({"weights": {"energy": 1}}, "unknown key; did you mean 'energy_j'"),
        ({"weights": {"money": math.inf}}, "policy.weights.money"),
    ],
)
def test_a_wrong_price_is_an_error_that_names_the_key(values, names):
    with pytest.raises(ConfigError, match=names):
        load(None, {"policy": values})
