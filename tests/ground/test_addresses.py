"""Loopback, and the guard of what listens there."""

import pytest

from ground.addresses import authority, is_loopback
from ground.host_guard import HostGuard, bears


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"]
)
def test_this_machine_only(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "example.org", "127.0.0.1.nip.io"],  # noqa: S104 - only looked at
)
def test_others_may_reach_it(host):
    assert not is_loopback(host)


def test_an_authority_can_be_read_again():
    assert [authority(host, 80) for host in ("pi4", "::1", "[::1]")] == [
        "pi4:80",
        "[::1]:80",
        "[::1]:80",
    ]


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST:1", "127.0.0.1:7333", "[::1]:80", "pi4:9"]
)
def test_the_names_of_an_endpoint(name):
    guard = HostGuard("pi4")
    assert [guard.knows(name) for _ in range(2)] == [True, True]
    assert guard.admits(f"http://{name}")


@pytest.mark.parametrize(
    "name",
    ["", "evil.example", "localhost.evil.example", "localhost@evil.example", "127.0.0.1/x", "pi5"],
)
def test_other_names_are_none_of_its(name):
    guard = HostGuard("pi4")
    assert not guard.knows(name)
    assert guard.admits(f"http://{name}") is False


def test_no_page_is_no_page():
    assert HostGuard("pi4").admits("")
    assert not HostGuard("pi4").admits("null")


def test_names_that_were_seen_are_bounded():
    guard = HostGuard("pi4")
    assert all(guard.knows(f"localhost:{port}") for port in range(200))
    assert len(guard._seen) <= 64


@pytest.mark.parametrize(
    ("header", "token", "right"),
    [
        ("Bearer secret", "secret", True),
        ("bearer  secret ", "secret", True),
        ("Bearer secret", "", False),
        ("Bearer ", "", False),
        ("", "", False),
        ("Basic secret", "secret", False),
        ("Bearer secret2", "secret", False),
        ("Bearer \xff", "secret", False),
    ],
)
def test_a_token_is_shown_or_not(header, token, right):
    assert bears(header, token) is right
