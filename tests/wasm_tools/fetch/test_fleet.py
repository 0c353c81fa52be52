"""Fetching through a dispatcher: only a node with egress runs it, and its rules hold there."""

import json

import pytest
from mcp import Client

from protos.contract import PLACEMENT_KEY, REFUSAL_KEY, REQUIREMENTS_KEY
from tests.integration.conftest import started

CONFIG = """
[[agents]]
name = "device"
egress = ["{site}"]
egress_audit = "audit.jsonl"
egress_limits = {{ requests = 10 }}

[[agents]]
name = "cloud"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, site):
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "up.toml").write_text(CONFIG.format(site=site))
    return folder


@pytest.fixture(scope="module")
def up(folder):
    with started(folder / "state", "--config", folder / "up.toml") as up:
        yield up


async def fetch(up, url, **requirements):
    async with Client(up.url) as client:
        meta = {REQUIREMENTS_KEY: requirements} if requirements else None
        return await client.call_tool("fetch", {"url": url}, meta=meta)


async def test_it_runs_where_there_is_egress(up, site, folder):
    for _ in range(3):
        result = await fetch(up, f"{site}/plain")
        assert not result.is_error, result.content
        assert result.meta[PLACEMENT_KEY]["node"] == "device"
        assert result.content[0].text.endswith("häh\n")
    entries = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    assert [entry["url"] for entry in entries[:2]] == [f"{site}/robots.txt", f"{site}/plain"]
    assert {entry["tool"] for entry in entries} == {"fetch"}
    assert len({entry["call"] for entry in entries}) == 3


async def test_the_rules_of_the_node_hold(up):
    result = await fetch(up, "http://169.254.169.254/latest/meta-data/")
    assert result.is_error
    assert result.meta[REFUSAL_KEY]["reasons"] == {"requires": 2}
    assert "egress:http://169.254.169.254:80" in result.content[0].text


async def test_without_a_node_with_egress_the_mend_is_named(up, site):
    result = await fetch(up, f"{site}/plain", deny=["node:device"])
    assert result.is_error
    assert result.meta[REFUSAL_KEY]["reasons"] == {"requires": 1, "deny": 1}
    result = await fetch(up, f"{site}/plain", requires=["egress:https://example.org:443"])
    assert "egress:https://example.org:443" in result.content[0].text
    assert "list in its configuration" in result.content[0].text
