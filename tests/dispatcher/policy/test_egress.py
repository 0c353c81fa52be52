"""Calls that name URLs go to nodes whose rules permit them, and no further than the policy says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import CallRefused
from dispatcher.policy.egress import NodeFeatures, parse_rule, targets_of
from edge_agent.egress import parse_rule as parse_agent_rule
from edge_agent.egress.refusal import Refused
from edge_agent.egress.target import parse_target
from protos.edge.v1 import edge_pb2
from tests.dispatcher.conftest import server, tool

URL = {"url": {"type": "string"}}
NEEDS = {"requires": ["egress"]}


@pytest.fixture
def web(board, tmp_path):
    """A tool that fetches, one whose schema says what is a URL, and one that needs no egress."""

    def make(*rules):
        servers = [
            server(
                tmp_path,
                "net",
                tool("fetch", properties=URL, data=[], hint=NEEDS),
                tool(
                    "mirror",
                    properties={"source": {"type": "array", "items": {"format": "uri"}}},
                    data=[],
                    hint=NEEDS,
                ),
                tool("note", properties=URL, data=[]),
            )
        ]
        return board({"policy": {"rules": list(rules)}}, servers=servers)

    return make


def join(board, name, *rules, tools=()):
    features = ["egress", *(f"egress:{rule}" for rule in rules)] if rules else []
    egress = [edge_pb2.Egress(to=rule, tools=tools) for rule in rules]
    board.join(name, features=features, egress=egress)


def test_a_url_binds_a_call_to_the_node_that_permits_its_host(web):
    board = web()
    join(board, "a", "https://example.org:443")
    join(board, "b", "https://*.example.com:443", "http://10.0.0.5:8080")
    join(board, "c")
    for url, node in (
        ("https://example.org/page?q=1#top", "a"),
        ("HTTPS://Example.ORG.:443/", "a"),
        ("https://docs.example.com", "b"),
        ("http://10.0.0.5:8080/x", "b"),
    ):
        assert board.place("fetch", {"url": url}) == node


def test_what_no_node_permits_is_refused_with_the_mend(web):
    board = web()
    join(board, "a", "https://example.org:443")
    join(board, "b", "https://*.example.com:443")
    for url, where in (
        ("https://example.net/", "https://example.net:443"),
        ("http://example.org/", "http://example.org:80"),
        ("https://example.org:8443/", "https://example.org:8443"),
        ("https://example.com/", "https://example.com:443"),
        ("https://[2606::1]/", "https://[2606::1]:443"),
    ):
        with pytest.raises(CallRefused) as refused:
            board.place("fetch", {"url": url})
        assert refused.value.reasons == {"requires": 2}
        assert f'egress = ["{where}"]' in refused.value.mend


def test_explain_shows_the_reason_per_node(web):
    board = web()
    join(board, "a", "https://example.org:443")
    join(board, "b", "https://*:443")
    shown = board.scheduler.explain(board.task("fetch", {"url": "https://example.net"})).to_json()
    assert shown["placed"] == "b"
    assert {one["node"]: one["reasons"] for one in shown["nodes"]} == {"a": ["requires"], "b": []}


def test_every_url_must_be_permitted(web):
    board = web()
    join(board, "a", "https://example.org:443")
    join(board, "b", "https://example.org:443", "https://example.com:443")
    both = {"source": ["https://example.org/a", "https://example.com/b"]}
    assert board.place("mirror", both) == "b"
    assert board.place("mirror", {"source": []}) in {"a", "b"}


def test_a_rule_for_other_tools_permits_nothing(web):
    board = web()
    join(board, "a", "https://example.org:443", tools=["summarize.*"])
    join(board, "b", "https://example.org:443", tools=["net.f*"])
    assert board.place("fetch", {"url": "https://example.org"}) == "b"
    assert board.reasons("mirror", {"source": ["https://example.org"]}) == {"requires": 2}


def test_a_tool_that_needs_no_egress_is_not_bound(web):
    board = web()
    join(board, "a", "https://example.org:443")
    assert board.place("note", {"url": "https://example.net"}) == "a"


@pytest.mark.parametrize(
    "url", ["", "example.org", "file:///x", "https://u:p@x/", "https://x:y/", 7]
)
def test_what_is_no_url_is_for_the_tool_to_refuse(web, url):
    board = web()
    join(board, "a", "https://example.org:443")
    assert board.place("fetch", {"url": url}) == "a"


def test_an_agent_that_tells_only_features_is_placed_by_them(web):
    board = web()
    board.join("old", features=["egress", "egress:https://*.example.org:443"])
    assert board.place("fetch", {"url": "https://www.example.org"}) == "old"
    assert board.reasons("fetch", {"url": "https://example.net"}) == {"requires": 1}


def test_a_wider_rule_has_the_feature_of_a_narrower_one(web):
    board = web({"tools": ["note"], "requires": ["egress:https://api.example.org:443"]})
    join(board, "a", "https://*:443")
    join(board, "b", "https://example.org:443")
    assert board.place("note", {}) == "a"


class TestPolicy:
    def test_grants_only_narrow(self, web):
        board = web(
            {"tools": ["net.*"], "egress": ["https://example.org:443", "https://*.org:443"]},
            {"tools": ["fetch"], "egress": ["https://*.org:443"]},
        )
        join(board, "a", "https://*:443")
        assert board.place("fetch", {"url": "https://www.example.org"}) == "a"
        task = board.task("fetch", {"url": "https://www.example.org"})
        assert len(task.constraints.egress) == 2

    def test_a_url_that_the_policy_leaves_out_is_refused_with_its_mend(self, web):
        board = web({"tools": ["fetch"], "egress": ["https://example.org:443"]})
        join(board, "a", "https://*:443")
        with pytest.raises(CallRefused) as refused:
            board.place("fetch", {"url": "https://example.com"})
        assert refused.value.reasons == {"requires": 1}
        assert 'add "https://example.com:443" to egress' in refused.value.mend

    def test_an_empty_grant_permits_nothing(self, web):
        board = web({"tools": ["fetch"], "egress": []})
        join(board, "a", "https://*:443")
        assert board.reasons("fetch", {"url": "https://example.com"}) == {"requires": 1}

    async def test_grants_go_with_the_call(self, run_app, attach, call):
        rules = [{"tools": ["echo"], "egress": ["https://example.org:443"]}]
        async with run_app({"policy": {"rules": rules}}) as app:
            agent = await attach(app)
            await call(app, "echo", {"text": "x"})
            await call(app, "act", {"text": "x"})
            (echo, _), (act, _) = agent.calls
            assert [list(grant.to) for grant in echo.egress] == [["https://example.org:443"]]
            assert list(act.egress) == []


@given(
    st.sampled_from(["http", "https", "HTTPS", "ftp"]),
    st.sampled_from(["example.org", "a.example.org", "EXAMPLE.org.", "10.0.0.1", "[::1]", "x"]),
    st.sampled_from(["", ":443", ":80", ":8080"]),
    st.sampled_from(
        ["https://example.org:443", "https://*.example.org:443", "http://*:80", "http://10.0.0.1:8080",
         "https://[::1]:443", "http://x:8080"]
    ),
)  # fmt: skip
def test_placing_agrees_with_the_agent(scheme, host, port, rule):
    """What an agent would let through by a rule, a node with that rule has the feature for."""
    url = f"{scheme}://{host}{port}/path"
    try:
        permitted = parse_agent_rule(rule).covers(parse_target(url))
    except Refused:
        return
    found = targets_of({"url": url}, {})
    assert len(found) == 1
    features = NodeFeatures.of(["egress"], [parse_rule(rule)])
    assert (f"egress:{found[0]}" in features) == permitted
