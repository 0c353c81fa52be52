"""No placement ever breaks a constraint, and none is refused that could be made.

The checker below is written from the contract alone and shares nothing with the code that places.
"""

import posixpath
from fnmatch import fnmatchcase

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from dispatcher.errors import CallRefused
from tests.laws import examples

TIERS, SITES, ISAS = ("device", "edge", "cloud"), ("home", "dc", ""), ("x86_64", "aarch64")
NAMES = ("n1", "n2", "n3", "n4")
MOUNTS = ("/logs", "/data", "/data/deep")
PATHS = (
    "/logs/a", "/data/x", "/data/deep/y", "/data/../logs/z", "/etc/passwd", "/logsx", "/data/deep",
)  # fmt: skip
PRIVACIES = ("public", "site", "node")

nodes = st.fixed_dictionaries(
    {
        "tier": st.sampled_from(TIERS),
        "site": st.sampled_from(SITES),
        "isa": st.sampled_from(ISAS),
        "features": st.lists(st.sampled_from(("gpu", "camera")), max_size=2, unique=True),
        "mounts": st.lists(st.sampled_from(MOUNTS), max_size=2, unique=True),
        "backends": st.sampled_from((["wasm"], ["wasm", "process"], ["process"])),
        "speed": st.sampled_from((0.0, 100.0, 3000.0)),
    }
)
selectors = st.sampled_from(
    [f"tier:{t}" for t in TIERS] + ["site:home", "site:dc", "isa:aarch64", "node:n1", "node:n3"]
)
# One thing at a time, mostly: steps that forbid too much at once test nothing.
narrowing = st.one_of(
    st.fixed_dictionaries({"privacy": st.sampled_from(PRIVACIES)}),
    st.fixed_dictionaries({"allow": st.lists(selectors, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"deny": st.lists(selectors, min_size=1, max_size=2)}),
    st.fixed_dictionaries(
        {
            "requires": st.lists(
                st.sampled_from(("gpu", "camera", "aarch64")), min_size=1, max_size=1
            )
        }
    ),
    st.fixed_dictionaries({"backend": st.sampled_from((["wasm"], ["process"], ["wasm", "x"]))}),
    st.just({}),
)
globs = st.sampled_from((["read"], ["files.*"], ["echo"], ["*"]))
rules = st.builds(lambda step, tools: {**step, "tools": tools}, narrowing, globs)


def selects(selector, name, node):
    kind, value = selector.split(":")
    return value == (name if kind == "node" else node[kind])


def may_run(name, node, steps, origin, origin_site, paths):
    strictest = max((PRIVACIES.index(step.get("privacy", "public")) for step in steps), default=0)
    # A node without a site is at no site but its own.
    same_site = name == origin or (node["site"] and node["site"] == origin_site)
    return (
        "wasm" in node["backends"]
        and (strictest < 1 or same_site)
        and (strictest < 2 or name == origin)
        and all(permits(step, name, node) for step in steps)
        and all(holds(node, posixpath.normpath(path)) for path in paths)
    )


def permits(step, name, node):
    allow = step.get("allow")
    return (
        (allow is None or any(selects(one, name, node) for one in allow))
        and not any(selects(one, name, node) for one in step.get("deny", ()))
        and all(f in node["features"] or f == node["isa"] for f in step.get("requires", ()))
        and "wasm" in step.get("backend", ["wasm"])
    )


def holds(node, path):
    return any(path == mount or path.startswith(f"{mount}/") for mount in node["mounts"])


@examples(400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    here=st.dictionaries(st.sampled_from(NAMES), nodes, min_size=1),
    away=st.sets(st.sampled_from(NAMES)),
    policy_rules=st.lists(rules, max_size=2),
    default_privacy=st.sampled_from(("public", "public", "site", "node")),
    asked=narrowing,
    asked_origin=st.sampled_from((None, *NAMES)),
    path=st.sampled_from((None, *PATHS)),
)
def test_every_placement_holds_and_every_refusal_is_needed(
    board, here, away, policy_rules, default_privacy, asked, asked_origin, path
):
    one = board(
        {
            "dispatcher": {"origin": "n3"},
            "agents": [{"name": name} for name in NAMES],
            "policy": {"privacy": default_privacy, "rules": policy_rules},
        }
    )
    for name, node in here.items():
        one.join(name, **node)
        if name in away:
            one.registry.detach(one.registry.node(name))
    tool, arguments = ("echo", {"text": "hello"}) if path is None else ("read", {"path": path})
    asking = {**asked, **({"origin": asked_origin} if asked_origin else {})}
    task = one.task(tool, arguments, **asking)

    public = {"echo": "text.echo", "read": "files.read"}[tool]
    steps = [{"privacy": default_privacy}, asked]
    steps += [
        rule
        for rule in policy_rules
        if any(fnmatchcase(n, g) for g in rule.get("tools", ["*"]) for n in (tool, public))
    ]
    holders = [
        name
        for name, node in here.items()
        if path is not None and holds(node, posixpath.normpath(path))
    ]
    listed = [{key: step[key] for key in ("allow", "deny") if key in step} for step in steps]
    origins = [n for n in holders if all(permits(one, n, here[n]) for one in listed)] or holders
    origin = task.spec.origin
    if asked_origin:
        assert origin == asked_origin
    elif holders:
        assert origin in origins
        assert origin == "n3" or "n3" not in origins
    else:
        assert origin == "n3"

    site = here[origin]["site"] if origin in here else "home"
    fit = {
        name
        for name, node in here.items()
        if name not in away
        and may_run(name, node, steps, origin, site, [] if path is None else [path])
    }
    connected = here.keys() - away
    if not fit:
        with pytest.raises(CallRefused) as error:
            one.scheduler.place(task)
        assert sum(error.value.reasons.values()) == len(connected)
        return
    placed = one.scheduler.place(task).node.name
    assert placed in fit
    assert sum(one.scheduler.place(task).rejected().values()) == len(connected - fit)
    explained = one.scheduler.explain(task)
    assert explained.placed == placed
    assert {v.node for v in explained.nodes if not v.reasons} == fit
