"""Which addresses are public, and how a host may be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.egress.addresses import why_not_public
from edge_agent.egress.refusal import Refused
from edge_agent.egress.target import parse_target

INSIDE = [
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2606:4700::5efe:a00:1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111"]
OUTSIDE += ["::ffff:8.8.8.8", "64:ff9b::808:808", "2a00:1450:4001:81b::200e"]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_named(address):
    assert why_not_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_public_is_let_through(address):
    assert why_not_public(address) is None


@given(st.ip_addresses(v=4) | st.ip_addresses(network="2000::/3"))
def test_nothing_is_public_that_python_calls_local(address):
    if why_not_public(str(address)) is None:
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_reserved


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_another_is_judged_as_itself(address):
    for prefix in ("::ffff:", "64:ff9b::"):
        assert why_not_public(f"{prefix}{address}") == why_not_public(str(address))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "1.2.3.4.5",
        "0x",
        "a.0",
        "999.1.1.1",
    ],
)
def test_an_ipv4_address_in_another_spelling_is_refused(host):
    with pytest.raises(Refused, match="IPv4"):
        parse_target(f"http://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://user@host/",
        "http://user:password@host/",
        "http://good.example@127.0.0.1/",
        "http://good.example\\@127.0.0.1/",
        "http:///x",
        "http://",
        "http://a..b/",
        "http://-a/",
        "http://a b/",
        "http://h\r\nHost: x/",
        "http://h/\r\nX: y",
        "http://h/\x00",
        "http://ex\u00e4mple/",
        "http://\u2488\u2488/",
        "http://h/\u00e4",
        "http://h:0/",
        "http://h:65536/",
        "http://h:8o/",
        "http://[::1%25eth0]/",
        "http://[::1/",
        "http://%31%32%37.0.0.1/",
        "ftp://h/",
        "file:///etc/passwd",
        "//h/x",
        "h/x",
        "javascript:alert(1)",
        "http://" + "a" * 9000,
        "",
        None,
        7,
    ],
)
def test_a_url_in_doubt_is_refused(url):
    with pytest.raises(Refused) as caught:
        parse_target(url)
    assert caught.value.kind == "invalid"
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_url_is_taken_apart():
    target = parse_target("HTTPS://Example.ORG.:443/a?b=c#d")
    assert (target.scheme, target.host, target.port, target.path) == (
        "https",
        "example.org",
        443,
        "/a?b=c",
    )
    assert target.url == "https://example.org/a?b=c"
    assert parse_target("http://127.0.0.1./").address == "127.0.0.1"
    assert parse_target("http://good.example#@127.0.0.1/").host == "good.example"
    assert parse_target("http://h?x").path == "/?x"
    assert parse_target("http://[::FFFF:1.2.3.4]:81/").authority == "[::ffff:102:304]:81"


def test_a_location_is_joined_as_browsers_do():
    target = parse_target("http://h:81/a/b?c")
    assert target.joined("d") == "http://h:81/a/d"
    assert target.joined("//other/x") == "http://other/x"
    assert target.joined(" /ä b ") == "http://h:81/%E4%20b"
