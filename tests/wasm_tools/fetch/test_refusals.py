"""What the fetch tool says where the node does not let it go, and where pages are hostile."""

import json

import pytest

from edge_agent.egress import EgressLimits
from tests.wasm_tools.fetch.site import serving

HTML = {"Content-Type": "text/html"}


def text_of(result):
    assert result["isError"], result
    return result["content"][0]["text"]


def test_without_egress_the_mend_is_named(fetcher, site):
    text = text_of(fetcher.call({"url": f"{site}/plain"}))
    assert "denied on this node" in text
    assert f'--allow-egress "{site}"' in text


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:169.254.169.254]/",
        "http://127.1/",
        "http://user:password@127.0.0.1/",
    ],
)
def test_a_rule_for_every_host_leads_to_none_inside(fetcher, url):
    text = text_of(fetcher.call({"url": url}, "http://*:80"))
    assert "Failed to fetch robots.txt" in text
    assert "Contents of" not in text


def test_a_redirect_leads_to_none_inside(fetcher):
    target = "http://169.254.169.254/latest/meta-data/"
    with serving({"/": (302, {"Location": target}, b"")}) as site:
        text = text_of(fetcher.call({"url": site}, site, "http://*:80"))
    assert "169.254.169.254 is link-local" in text


def test_robots_of_another_host_are_asked_at_a_redirect(fetcher):
    robots = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /")
    with serving({"/robots.txt": robots, "/": (200, HTML, b"<p>no</p>")}) as closed:
        start = {"/go": (302, {"Location": f"{closed}/"}, b"")}
        with serving(start) as site:
            text = text_of(fetcher.call({"url": f"{site}/go"}, site, closed))
    assert f"({closed}/robots.txt), specifies that autonomous fetching" in text


@pytest.mark.parametrize("status", [401, 403])
def test_robots_that_are_refused_refuse_the_page(fetcher, status):
    with serving({"/robots.txt": (status, {}, b"")}) as site:
        text = text_of(fetcher.call({"url": site}, site))
    assert f"received status {status} so assuming" in text


def test_too_large_a_page_is_refused(fetcher):
    with serving({"/": (200, HTML, b"x" * 20_000)}) as site:
        limits = EgressLimits(response_bytes=10_000)
        text = text_of(fetcher.call({"url": site}, site, limits=limits))
    assert "over the limit of 10000 bytes" in text


@pytest.mark.parametrize(
    "page",
    [
        b"<div>" * 5_000,
        b"<b>" * 20_000 + b"x",
        b"<ul><li>" * 3_000,
        b"<table><tr><td>" * 3_000,
        b"<" * 100_000,
        b"<!--" * 50_000,
        b"&" * 20_000,
        b"<a " + b"b=c " * 50_000,
        b"\x00\xff\xfe" * 50_000,
        b"<html><template>" * 2_000,
        b"<svg><math><mi>" * 2_000,
    ],
    ids=lambda page: page[:16].decode("latin-1").encode("unicode_escape").decode(),
)
def test_a_hostile_page_is_answered(fetcher, page):
    """An answer of whatever kind: no trap, and within the time of the call."""
    with serving({"/": (200, HTML, page)}) as site:
        result = fetcher.call({"url": site}, site, wall_ms=60_000)
    assert result["content"][0]["type"] == "text"


def test_the_tool_asks_for_a_node_with_egress():
    import wasm_tools

    [tool] = wasm_tools.tool_definitions("fetch")
    assert tool["_meta"]["dev.sanderling/hint"] == {"requires": ["egress"]}
    assert tool["annotations"]["readOnlyHint"] is True
    assert json.dumps(tool["inputSchema"]["required"]) == '["url"]'
