"""Which rule permits what."""

import pytest

from edge_agent.egress.refusal import Refused
from edge_agent.egress.rules import check_addresses, check_target, parse_rule
from edge_agent.egress.target import parse_target
from edge_agent.errors import ConfigError


def permitted(rule, url, *addresses):
    rules, target = [parse_rule(rule)], parse_target(url)
    try:
        check_target(rules, target)
        check_addresses(rules, target, addresses or ["8.8.8.8"])
    except Refused as refused:
        return refused.kind != "denied"
    return True


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("https://example.org:443", "https://example.org/"),
        ("https://Example.ORG:443", "https://EXAMPLE.org./x"),
        ("https://*.example.org:443", "https://a.example.org/"),
        ("https://*.example.org:443", "https://a.b.example.org/"),
        ("http://*:80", "http://anything/"),
        ("http://[2606:4700::1]:80", "http://[2606:4700:0::1]/"),
    ],
)
def test_a_rule_permits_its_own(rule, url):
    assert permitted(rule, url)


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("https://example.org:443", "http://example.org:443/"),
        ("https://example.org:443", "https://example.org:444/"),
        ("https://example.org:443", "https://a.example.org/"),
        ("https://example.org:443", "https://example.org.evil.test/"),
        ("https://*.example.org:443", "https://example.org/"),
        ("https://*.example.org:443", "https://evilexample.org/"),
    ],
)
def test_a_rule_permits_nothing_else(rule, url):
    assert not permitted(rule, url)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1"])
def test_a_name_that_leads_inside_is_refused_though_it_is_listed(address):
    assert not permitted("http://evil.test:80", "http://evil.test/", address)
    assert not permitted("http://*:80", "http://evil.test/", address)
    assert not permitted("http://*:80", "http://evil.test/", "8.8.8.8", address)


def test_an_address_inside_is_reached_where_it_is_listed_by_itself():
    assert permitted("http://127.0.0.1:8080", "http://127.0.0.1:8080/", "127.0.0.1")
    assert permitted("http://[::1]:8080", "http://[::1]:8080/", "::1")
    assert not permitted("http://127.0.0.1:8080", "http://127.0.0.1:8081/", "127.0.0.1")
    assert not permitted("http://127.0.0.1:8080", "http://127.0.0.2:8080/", "127.0.0.2")


def test_localhost_is_the_loopback_and_nothing_else():
    assert permitted("http://localhost:80", "http://localhost/", "127.0.0.1", "::1")
    assert not permitted("http://localhost:80", "http://localhost/", "10.0.0.1")
    assert not permitted("http://*:80", "http://localhost/", "127.0.0.1")


def test_a_listed_address_helps_a_listed_name():
    rules = [parse_rule("http://nas.home:80"), parse_rule("http://192.168.1.5:80")]
    check_addresses(rules, parse_target("http://nas.home/"), ["192.168.1.5"])
    with pytest.raises(Refused, match=r"http://192\.168\.1\.6:80"):
        check_addresses(rules, parse_target("http://nas.home/"), ["192.168.1.6"])


@pytest.mark.parametrize(
    "text",
    [
        "example.org",
        "https://example.org",
        "https://example.org:0",
        "https://example.org:99999",
        "https://example.org:443/",
        "https://a@example.org:443",
        "ftp://example.org:21",
        "https://*.1:443",
        "https://*foo:443",
        "https://a.*.org:443",
        "https://*.10.0.0.1:443",
        "https://127.1:443",
        "https://::1:443",
        "https://:443",
        "",
    ],
)
def test_a_wrong_rule_is_refused_with_its_form(text):
    with pytest.raises(ConfigError, match="egress"):
        parse_rule(text)
