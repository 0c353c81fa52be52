"""Policy, hints and requirements: together they can only narrow."""

from dataclasses import dataclass
from itertools import permutations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.config import PolicyConfig, load
from dispatcher.errors import InvalidRequirements
from dispatcher.policy.constraints import (
    PRIVACIES,
    Constraints,
    Limits,
    Policy,
    constraints_of,
    parse_hint,
    parse_requirements,
)


def policy(*rules, privacy="public"):
    return Policy(PolicyConfig(privacy=privacy, rules=list(rules)))


def node(name="pi4", tier="device", site="home", isa="aarch64", states=frozenset()):
    return SimpleNamespace(name=name, tier=tier, site=site, isa=isa, states=states)


NODES = [node(), node("nuc", "edge"), node("vm", "cloud", "dc", "x86_64")]


def test_rules_match_names_and_qualified_names_by_glob():
    rules = policy(
        {"tools": ["filesystem.*"], "privacy": "node"},
        {"tools": ["parse_*"], "privacy": "site"},
        {"deny": ["tier:cloud"]},
    )
    assert rules.for_tool("filesystem", "read_file").privacy == "node"
    assert rules.for_tool("log-parser", "parse_logs").privacy == "site"
    other = rules.for_tool("time", "convert_time")
    assert (other.privacy, other.deny) == ("public", {"tier:cloud"})


def test_every_matching_rule_applies_and_the_strictest_counts():
    bound = policy(
        {"privacy": "site", "allow": ["tier:device", "tier:edge"], "limits": {"wall_ms": 2000}},
        {"privacy": "public", "allow": ["site:home"], "limits": {"wall_ms": 500, "memory_mib": 64}},
        {"deny": ["node:nuc"], "requires": ["gpu"]},
        {"requires": ["camera"], "backend": ["wasm", "process"]},
        {"backend": ["process", "container"]},
    ).for_tool("any", "tool")
    assert bound.privacy == "site"
    assert bound.allowed(NODES) == {"pi4", "nuc"}
    assert bound.denied(NODES) == {"nuc"}
    assert bound.requires == {"gpu", "camera"}
    assert bound.backend == {"process"}
    assert bound.limits == Limits(wall_ms=500, memory_mib=64)


def test_allow_lists_are_intersected_by_what_they_match_not_by_their_words():
    bound = policy({"allow": ["tier:device"]}, {"allow": ["site:home"]}).for_tool("a", "b")
    assert bound.allowed(NODES) == {"pi4"}
    nothing = policy({"allow": []}).for_tool("a", "b")
    assert nothing.allowed(NODES) == frozenset()


def test_the_default_privacy_is_a_floor_and_a_hint_narrows():
    rules = policy(privacy="site")
    assert rules.for_tool("a", "b", parse_hint({"privacy": "public"})).privacy == "site"
    assert rules.for_tool("a", "b", parse_hint({"privacy": "node"})).privacy == "node"
    assert rules.for_tool("a", "b").privacy == "site"


@pytest.mark.parametrize("hint", [{"privcy": "node"}, {"privacy": 3}, {"allow": ["x"]}, [], "x"])
def test_a_hint_that_cannot_be_read_is_an_error_and_not_dropped(hint):
    with pytest.raises(ValueError):
        parse_hint(hint)


selectors = st.sampled_from(
    [
        "tier:device",
        "tier:edge",
        "tier:cloud",
        "site:home",
        "site:dc",
        "node:pi4",
        "isa:x86_64",
        "state:hot",
    ]
)
rules = st.fixed_dictionaries(
    {},
    optional={
        "privacy": st.sampled_from(PRIVACIES),
        "allow": st.lists(selectors, max_size=3),
        "deny": st.lists(selectors, max_size=2),
        "requires": st.lists(st.sampled_from(["gpu", "camera"]), max_size=2),
        "backend": st.lists(st.sampled_from(["wasm", "process"]), max_size=2),
        "limits": st.fixed_dictionaries({}, optional={"wall_ms": st.integers(1, 9)}),
    },
)


@given(st.lists(rules, max_size=4), rules)
def test_one_more_rule_never_widens_and_order_does_not_matter(some, more):
    before = policy(*some).for_tool("a", "b")
    after = policy(*some, more).for_tool("a", "b")
    assert PRIVACIES.index(after.privacy) >= PRIVACIES.index(before.privacy)
    everywhere = frozenset(one.name for one in NODES)

    def open_to(bound):
        allowed = bound.allowed(NODES)
        return (everywhere if allowed is None else allowed) - bound.denied(NODES)

    assert open_to(after) <= open_to(before)
    assert after.requires >= before.requires
    both = {"wasm", "process"}
    assert (after.backend if after.backend is not None else both) <= (
        before.backend if before.backend is not None else both
    )
    assert (after.limits.wall_ms or 99) <= (before.limits.wall_ms or 99)
    for order in list(permutations([*some, more]))[:6]:
        assert policy(*order).for_tool("a", "b") == after


@given(rules)
def test_narrowing_by_itself_or_by_nothing_changes_nothing(rule):
    once = policy(rule).for_tool("a", "b")
    assert once.narrowed(once) == once
    assert once.narrowed(Constraints()) == once
    assert constraints_of(PolicyConfig(rules=[rule]).rules[0]) == once


@dataclass
class Node:
    name: str
    tier: str
    site: str = "home"
    isa: str = "aarch64"


class TestSelectorsOfNobody:
    nodes = (Node("pi4", "edge"), Node("far", "rented", site="cellar"))
    config = load(None, {"policy": {"rules": [{"deny": ["tier:partner"]}]}})

    def parse(self, **asked):
        return parse_requirements(asked, self.nodes, self.config)

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ({"allow": ["tier:egde"]}, "allow: no node has the tier 'egde'; did you mean 'edge'?"),
            ({"allow": ["tier:Edge"]}, "did you mean 'edge'?"),
            ({"allow": ["tier:edge", "tier:clodu"]}, "did you mean 'cloud'?"),
            ({"deny": ["tier:clodu"]}, "deny: no node has the tier 'clodu'; did you mean 'cloud'?"),
            ({"allow": ["tier:zzz"]}, "there are cloud, device, edge, partner, rented"),
            ({"allow": ["site:hmoe"]}, "no node has the site 'hmoe'; did you mean 'home'?"),
            ({"allow": ["isa:aarch46"]}, "no node has the isa 'aarch46'"),
            ({"deny": ["state:throtled"]}, "did you mean 'throttled'?"),
        ],
    )
    def test_are_told_with_the_mend(self, asked, words):
        with pytest.raises(InvalidRequirements) as error:
            self.parse(**asked)
        assert words in str(error.value)

    @pytest.mark.parametrize(
        "selectors",
        [["tier:cloud"], ["tier:partner"], ["tier:edge", "tier:zzz"], ["site:cellar"], []],
    )
    def test_what_may_yet_join_is_taken(self, selectors):
        assert self.parse(allow=selectors).allow == tuple(selectors)

    def test_where_no_node_is_known_nobody_can_tell(self):
        assert parse_requirements({"allow": ["tier:egde"]}, (), self.config).allow


class TestRequirements:
    config = load(None, {"agents": [{"name": "device"}], "dispatcher": {"origins": ["pi*"]}})

    def parse(self, obj):
        return parse_requirements(obj, ["pi4", "nuc"], self.config)

    def test_all_keys(self):
        asked = self.parse(
            {
                "origin": "pi4",
                "privacy": "site",
                "allow": ["node:nuc", "node:device"],
                "deny": ["tier:cloud"],
                "requires": ["gpu"],
                "backend": ["wasm"],
            }
        )
        assert (asked.origin, asked.privacy, asked.backend) == ("pi4", "site", ("wasm",))
        assert asked.allow == ("node:nuc", "node:device")

    def test_nothing_and_nulls_say_nothing(self):
        assert self.parse(None) == self.parse({}) == self.parse({"allow": None, "deny": None})
        assert self.parse({"allow": []}).allow == ()
        assert self.parse({"backend": "wasm"}).backend == ("wasm",)

    @pytest.mark.parametrize(
        ("obj", "words"),
        [
            ({"origin": "pi5"}, ["origin", "no node is called 'pi5'", "did you mean 'pi4'?"]),
            ({"origin": "nuc"}, ["origin", "may not name 'nuc'", "dispatcher.origins"]),
            ({"allow": ["node:zzz"]}, ["allow", "no node is called 'zzz'", "device, nuc, pi4"]),
            ({"deny": ["node:zzz"]}, ["deny", "'zzz'"]),
            ({"deny": ["tier"]}, ["deny: ", "no selector"]),
            ({"allow": "tier:edge"}, ["allow", "list"]),
            ({"privacy": "none"}, ["privacy", "'public', 'site' or 'node'"]),
            ({"privcy": "node"}, ["privcy: unknown key", "did you mean 'privacy'?"]),
            ({"requires": [3]}, ["requires[0]"]),
            ({"limits": {"wall_ms": 1}}, ["limits", "operator"]),
            ({"tools": ["*"]}, ["tools: unknown key"]),
            ([], ["must be an object"]),
            ("node", ["must be an object"]),
        ],
    )
    def test_a_fault_names_the_key(self, obj, words):
        with pytest.raises(InvalidRequirements) as error:
            self.parse(obj)
        message = str(error.value)
        assert message.startswith("dev.sanderling/requirements")
        assert "\n" not in message
        for word in words:
            assert word in message
