"""The operator's file decides where calls run; a caller can only narrow."""

import asyncio

import pytest

from protos.contract import PLACEMENT_KEY, REFUSAL_KEY, REQUIREMENTS_KEY

NOW = {"timezone": "UTC"}
ENTRIES = {"entries": [{"message": "a"}], "pattern": "a"}


async def ask(client, tool, arguments, **requirements):
    return await client.call_tool(tool, arguments, meta={REQUIREMENTS_KEY: requirements})


async def node_of(client, tool, arguments, **requirements):
    result = await ask(client, tool, arguments, **requirements)
    assert not result.is_error, result.content
    return result.meta[PLACEMENT_KEY]["node"]


async def refusal_of(client, tool, arguments, **requirements):
    result = await ask(client, tool, arguments, **requirements)
    assert result.is_error
    assert "no node may run" in result.content[0].text
    return result.meta[REFUSAL_KEY]


async def test_private_calls_stay_at_their_origin(client):
    calls = [node_of(client, "search_entries", ENTRIES) for _ in range(12)]
    assert set(await asyncio.gather(*calls)) == {"device"}
    assert await node_of(client, "search_entries", ENTRIES, origin="edge") == "edge"


async def test_a_rule_of_a_server_keeps_its_tools_off_a_tier(client):
    calls = [node_of(client, "compute_trends", {"time_series": []}) for _ in range(6)]
    assert "device" not in await asyncio.gather(*calls)


async def test_what_no_node_has_is_refused_with_its_reason(client):
    refused = await refusal_of(client, "extract_time_range", {"entries": []})
    assert refused["reasons"] == {"requires": 3}
    assert refused["core"] == ["requires"]
    assert "gpu" in refused["mend"]


@pytest.mark.parametrize(
    ("requirements", "node"),
    [
        ({"allow": ["tier:cloud"]}, "cloud"),
        ({"allow": ["node:edge"]}, "edge"),
        ({"deny": ["tier:device", "tier:edge"]}, "cloud"),
        ({"requires": ["camera"]}, "device"),
        ({"privacy": "node"}, "device"),
        ({"privacy": "node", "origin": "edge"}, "edge"),
        ({"privacy": "site", "deny": ["node:device"]}, "edge"),
        ({"backend": "wasm", "allow": ["site:cloud"]}, "cloud"),
    ],
)
async def test_a_caller_narrows(client, requirements, node):
    assert await node_of(client, "get_current_time", NOW, **requirements) == node


@pytest.mark.parametrize(
    ("tool", "arguments", "requirements"),
    [
        ("search_entries", ENTRIES, {"privacy": "public", "allow": ["tier:cloud"]}),
        ("search_entries", ENTRIES, {"deny": ["node:device"]}),
        ("compute_trends", {"time_series": []}, {"allow": ["tier:device"]}),
        ("extract_time_range", {"entries": []}, {"requires": []}),
        ("get_current_time", NOW, {"privacy": "node", "allow": ["tier:cloud"]}),
        ("get_current_time", NOW, {"privacy": "site", "allow": ["tier:cloud"]}),
    ],
)
async def test_a_caller_never_widens(client, tool, arguments, requirements):
    refused = await refusal_of(client, tool, arguments, **requirements)
    assert sum(refused["reasons"].values()) == 3


@pytest.mark.parametrize(
    ("requirements", "named"),
    [
        ({"privcy": "node"}, "privcy"),
        ({"origin": "nowhere"}, "nowhere"),
        ({"origin": "cloud"}, "dispatcher.origins"),
        ({"allow": ["cloud"]}, "'cloud' is no selector"),
    ],
)
async def test_requirements_that_cannot_be_read_run_nothing(client, requirements, named):
    result = await ask(client, "get_current_time", NOW, **requirements)
    assert result.is_error
    assert named in result.content[0].text
    assert PLACEMENT_KEY not in (result.meta or {})


async def test_every_result_tells_its_placement(client):
    result = await client.call_tool("get_current_time", NOW)
    placement = result.meta[PLACEMENT_KEY]
    assert set(placement) == {
        "node", "tier", "isa", "backend", "solver", "cold", "queue_ms", "start_ms", "exec_ms",
        "transfer_ms", "predicted_ms", "total_ms", "rejected",
    }  # fmt: skip
    parts = [placement[f"{part}_ms"] for part in ("queue", "start", "exec", "transfer")]
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= placement["total_ms"] + 0.01
