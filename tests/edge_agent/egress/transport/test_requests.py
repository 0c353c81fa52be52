"""Requests over real sockets: what comes back, and what never may."""

import gzip
import threading
import zlib

import pytest

from edge_agent.egress import Egress, EgressLimits, Secret, parse_rule
from edge_agent.engine.call_state import CANCELLED, CallState
from edge_agent.engine.limits import Limits
from tests.edge_agent.egress.site import page_of, redirect


@pytest.fixture
def listed(ask, site):
    """Asks where the site is permitted."""
    ask.rules = [site.url]
    return ask


def test_a_page_comes_back(listed, site):
    site.pages["/a?b=c"] = page_of("Grüße", X_Thing="1", Connection="close")
    answer = listed(f"{site.url}/a?b=c", headers=[["User-Agent", "me"], ["Accept", "text/html"]])
    assert answer["status"] == 200
    assert answer["body"] == "Grüße"
    assert answer["url"] == f"{site.url}/a?b=c"
    assert ["X-Thing", "1"] in answer["headers"]
    assert not [name for name, _ in answer["headers"] if name.lower() == "connection"]
    assert b"User-Agent: me\r\n" in site.requests[0]
    assert f"Host: 127.0.0.1:{site.port}\r\n".encode() in site.requests[0]


def test_bytes_that_are_no_text_come_in_base64(listed, site):
    site.pages["/"] = page_of(b"\xff\x00")
    assert listed(site.url)["body_base64"] == "/wA="


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=ISO-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ('text/html;CHARSET="shift_jis"', "日本".encode("shift_jis"), "日本"),
        ("text/html", b"a\xffb", "a\ufffdb"),
        ("text/html; charset=unknown", "ü".encode(), "ü"),
        ("text/html; charset=unicode_escape", b"\\ud800", "\\ud800"),
        ("text/html; charset=utf-16le", b"\x00\xd8", "\ufffd"),
    ],
)
def test_text_is_decoded_by_its_charset(listed, site, content_type, body, text):
    site.pages["/"] = page_of(body, Content_Type=content_type)
    assert listed(site.url, text=True)["body"] == text


def test_a_body_is_sent(listed, site):
    site.pages["/"] = page_of("ok")
    assert listed(site.url, method="POST", body="täg")["status"] == 200
    assert site.requests[0].endswith("täg".encode())
    assert listed(site.url, method="POST", body_base64="/w==")["status"] == 200
    assert site.requests[1].endswith(b"\r\n\r\n\xff")


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("gzip", gzip.compress(b"text" * 999)),
        ("gzip", gzip.compress(b"text") + gzip.compress(b"text" * 998) + b"\0\0"),
        ("deflate", zlib.compress(b"text" * 999)),
        ("deflate", zlib.compress(b"text" * 999)[2:-4]),
        ("identity", b"text" * 999),
    ],
    ids=["gzip", "gzip in two members", "deflate", "deflate without a head", "identity"],
)
def test_a_compressed_answer_is_unpacked(listed, site, name, packed):
    site.pages["/"] = page_of(packed, Content_Encoding=name)
    answer = listed(site.url)
    assert answer["body"] == "text" * 999
    assert not [name for name, _ in answer["headers"] if name.lower() == "content-encoding"]


def test_chunks_and_interim_answers_are_understood(listed, site):
    site.pages["/"] = (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: z\r\n\r\n"
    )
    assert listed(site.url)["body"] == "abcde"


# ---- nothing is permitted unless it is listed


def test_without_rules_nothing_is_sent(ask, site):
    answer = ask(f"{site.url}/x")
    assert answer["kind"] == "denied"
    assert "--allow-egress" in answer["error"]
    assert not site.requests


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://127.0.0.1/",
        "http://localhost/",
    ],
)
def test_a_rule_for_everything_is_not_one_for_what_is_inside(ask, url):
    ask.rules = ["http://*:80"]
    ask.names = {"localhost": ["127.0.0.1"]}
    answer = ask(url)
    assert answer["kind"] == "denied"
    assert "lists it by itself" in answer["error"]


def test_a_name_that_leads_inside_is_refused(ask, site):
    ask.rules = [f"http://evil.test:{site.port}"]
    for addresses in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]):
        ask.names = {"evil.test": addresses}
        assert ask(f"http://evil.test:{site.port}/")["kind"] == "denied"
    assert not site.requests


def test_the_checked_address_is_the_one_reached(ask, site):
    """The name answers with a listed address once, and then with the metadata service's."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    ask.rules = [f"http://name.test:{site.port}", site.url]
    ask.resolve = lambda host, port: next(answers)
    site.pages["/"] = page_of("once")
    assert ask(f"http://name.test:{site.port}/")["body"] == "once"
    assert f"Host: name.test:{site.port}\r\n".encode() in site.requests[0]
    assert ask.audit()[0]["address"] == "127.0.0.1"
    assert ask(f"http://name.test:{site.port}/")["kind"] == "denied"


def test_a_grant_narrows_what_the_node_permits(listed, site, other):
    listed.rules.append(other.url)
    listed.grants = [[site.url, "http://*:80"], [site.url]]
    site.pages["/"] = other.pages["/"] = page_of("ok")
    assert listed(site.url)["body"] == "ok"
    assert "policy does not grant" in listed(other.url)["error"]
    listed.grants = [[]]
    assert listed(site.url)["kind"] == "denied"


def test_a_rule_may_be_for_some_tools(site):
    egress = Egress([parse_rule(site.url, ["fetch", "summarize.*"])])
    site.pages["/"] = page_of("ok")

    def ask(server, tool):
        return egress.for_call(server, tool).send({"url": site.url}, CallState())

    assert ask("fetch", "fetch")["status"] == 200
    assert ask("summarize", "summarize_text")["status"] == 200
    assert ask("other", "tool")["kind"] == "denied"


# ---- redirects


def test_redirects_are_followed_when_asked(listed, site):
    site.pages |= {"/a": redirect("b", 301), "/b": redirect(f"{site.url}/c", 307)}
    site.pages["/c"] = page_of("there")
    assert listed(f"{site.url}/a")["status"] == 301
    answer = listed(f"{site.url}/a", redirects=5)
    assert (answer["body"], answer["url"]) == ("there", f"{site.url}/c")


@pytest.mark.parametrize(
    "to",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/",
        "http://2852039166/",
        "http://[::ffff:a9fe:a9fe]/",
        "//localhost/",
        "file:///etc/passwd",
        "http://user:password@h/",
        "gopher://h/",
    ],
)
def test_a_redirect_leads_nowhere_else(listed, site, to):
    listed.rules.append("http://*:80")
    listed.names = {"localhost": ["127.0.0.1"]}
    site.pages["/"] = redirect(to)
    answer = listed(site.url, redirects=5)
    assert answer["kind"] in {"denied", "redirect"}
    assert site.asked() == ["/"]


def test_a_loop_of_redirects_ends(listed, site):
    site.pages |= {"/a": redirect("/b"), "/b": redirect("/a")}
    answer = listed(f"{site.url}/a", redirects=7)
    assert answer["kind"] == "redirect"
    assert len(site.requests) == 8


def test_a_post_becomes_a_get_unless_it_must_not(listed, site):
    site.pages |= {"/see": redirect("/x", 303), "/keep": redirect("/x", 308), "/x": page_of("ok")}
    listed(f"{site.url}/see", method="POST", body="data", redirects=1)
    listed(f"{site.url}/keep", method="POST", body="data", redirects=1)
    assert site.requests[1].startswith(b"GET /x")
    assert site.requests[1].endswith(b"\r\n\r\n")
    assert site.requests[3].startswith(b"POST /x")
    assert site.requests[3].endswith(b"data")


def test_another_host_gets_no_credentials(listed, site, other):
    listed.rules.append(other.url)
    site.pages["/"] = redirect(other.url + "/")
    other.pages["/"] = page_of("ok")
    headers = [["Cookie", "session"], ["X-Api-Key", "k"], ["User-Agent", "me"]]
    assert listed(site.url, headers=headers, redirects=1)["body"] == "ok"
    assert b"Cookie: session" in site.requests[0]
    assert b"Cookie" not in other.requests[0]
    assert b"X-Api-Key" not in other.requests[0]
    assert b"User-Agent: me" in other.requests[0]


# ---- what a module may not set


@pytest.mark.parametrize(
    "header",
    [
        "Host",
        "Authorization",
        "Connection",
        "Transfer-Encoding",
        "Content-Length",
        "TE",
        "Upgrade",
        "Expect",
        "Keep-Alive",
        "Proxy-Authorization",
        "Sec-Fetch-Site",
        "Accept-Encoding",
    ],
)
def test_headers_of_the_host_are_left_out(listed, site, header):
    site.pages["/"] = page_of("ok")
    assert listed(site.url, headers=[[header, "forged"]])["status"] == 200
    assert b"forged" not in site.requests[0]


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": [["X", "a\r\nHost: evil"]]},
        {"headers": [["X\r\nHost", "evil"]]},
        {"headers": [["X:", "a"]]},
        {"headers": [["", "a"]]},
        {"headers": [["X", "ä"]]},
        {"headers": [["X", "\0"]]},
        {"headers": [["X", 1]]},
        {"headers": [["X"]]},
        {"headers": {"X": "a"}},
        {"headers": [["X", "a"]] * 100},
        {"method": "get"},
        {"method": "GET /evil HTTP/1.1\r\n"},
        {"method": 1},
        {"body": 1, "method": "POST"},
        {"body": "x"},
        {"body_base64": "?", "method": "POST"},
        {"body": "\ud800", "method": "POST"},
        {"body": "x" * (1024 * 1024 + 1), "method": "POST"},
        {"redirects": -1},
        {"redirects": True},
        {"timeout_ms": 0},
        {"timeout_ms": "1"},
        {"text": 1},
    ],
)
def test_a_malformed_request_is_refused(listed, site, request_):
    answer = listed(site.url, **request_)
    assert answer["kind"] == "invalid"
    assert not site.requests


def test_a_method_is_refused_that_is_not_listed(listed, site):
    site.pages["/"] = page_of("ok")
    answer = listed(site.url, method="DELETE")
    assert answer["kind"] == "denied"
    assert "egress_limits.methods" in answer["error"]
    assert not site.requests
    listed.limits = EgressLimits(methods=("DELETE",))
    assert listed(site.url, method="DELETE")["status"] == 200


# ---- limits


def test_too_large_an_answer_is_refused(listed, site):
    listed.limits = EgressLimits(response_bytes=1000)
    site.pages |= {"/fits": page_of("x" * 1000), "/over": page_of("x" * 1001)}
    site.pages["/bomb"] = page_of(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")

    def endless(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    site.pages["/endless"] = endless
    assert listed(f"{site.url}/fits")["status"] == 200
    for path in ("/over", "/bomb", "/endless"):
        assert listed(site.url + path)["kind"] == "too_large"


@pytest.mark.parametrize("line", [b"X: " + b"y" * 1000 + b"\r\n", b"a" * 70_000])
def test_headers_without_end_are_refused(listed, site, line):
    def headers(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(line)

    site.pages["/"] = headers
    assert listed(site.url)["kind"] in {"too_large", "protocol"}


def test_interim_answers_without_end_are_refused(listed, site):
    def interim(connection, _):
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    site.pages["/"] = interim
    assert listed(site.url)["kind"] in {"too_large", "protocol"}


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_trickles_ends_in_time(listed, site, head):
    def trickle(connection, _):
        connection.sendall(head)
        while not site.closing.wait(0.01):
            connection.sendall(b"x")

    site.pages["/"] = trickle
    listed.wall_ms = 600_000  # nothing else would end it
    assert listed(site.url, timeout_ms=200)["kind"] == "timeout"


def test_the_deadline_of_the_call_holds_too(listed, site):
    site.pages["/"] = lambda *_: site.closing.wait(60)
    listed.wall_ms = 200
    assert listed(site.url)["kind"] == "timeout"


def test_a_cancelled_call_stops_waiting_at_once(site):
    waiting = threading.Event()

    def silent(*_):
        waiting.set()
        site.closing.wait(60)

    site.pages["/"] = silent
    running = CallState(Limits(wall_ms=60_000))
    call = Egress([parse_rule(site.url)], EgressLimits(total_ms=60_000)).for_call("s", "t")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call.send({"url": site.url}, running)))
    thread.start()
    assert waiting.wait(60)
    running.stop(CANCELLED)
    thread.join(60)
    assert [answer["kind"] for answer in answers] == ["timeout"]


def test_a_name_that_is_never_found_stops_waiting(ask):
    ask.rules = ["http://slow.test:80"]
    over = threading.Event()
    ask.resolve = lambda *_: over.wait(60) and []
    assert ask("http://slow.test/", timeout_ms=100)["kind"] == "timeout"
    over.set()


def test_a_name_that_leads_nowhere_is_named(ask):
    ask.rules = ["http://gone.test:80"]
    answer = ask("http://gone.test/")
    assert answer["kind"] == "resolve"
    assert "gone.test" in answer["error"]


def test_nobody_at_the_address(ask, site):
    ask.rules = [site.url]
    site.close()
    assert ask(site.url)["kind"] == "connect"


def test_a_call_has_so_many_requests(listed, site):
    site.pages["/"] = page_of("ok")
    listed.limits = EgressLimits(requests=3)
    call = listed.begin()
    kinds = [call.send({"url": site.url}, listed.running).get("kind") for _ in range(50)]
    assert kinds == [None] * 3 + ["too_many"] * 47
    assert len(site.requests) == 3
    assert [entry["decision"] for entry in listed.audit()] == ["allowed"] * 3 + ["denied"]
    call.egress.audit.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    ],
)
def test_what_is_not_http_is_refused(listed, site, raw):
    site.pages["/"] = raw
    assert listed(site.url)["kind"] in {"protocol", "connect"}


# ---- secrets and the audit


def secret(to, **more):
    return Secret(parse_rule(to), "Authorization", "s3cret-value", "Bearer ", **more)


def test_a_secret_goes_to_its_target_and_nowhere_else(listed, site, other):
    listed.rules.append(other.url)
    listed.secrets = (secret(site.url),)
    site.pages |= {"/": page_of("ok"), "/on": redirect(other.url + "/")}
    other.pages["/"] = page_of("ok")
    assert listed(site.url, headers=[["Authorization", "forged"]])["body"] == "ok"
    assert b"Authorization: Bearer s3cret-value\r\n" in site.requests[0]
    assert b"forged" not in site.requests[0]
    assert listed(f"{site.url}/on", redirects=2)["body"] == "ok"
    assert b"s3cret-value" not in other.requests[0]
    assert b"s3cret-value" in site.requests[1]


def test_a_secret_is_for_its_tools(listed, site):
    listed.secrets = (secret(site.url, tools=("summarize.*",)),)
    site.pages["/"] = page_of("ok")
    listed(site.url)
    assert b"s3cret-value" not in site.requests[0]


def test_a_module_never_sees_a_secret(listed, site):
    listed.secrets = (secret(site.url),)
    site.pages["/"] = page_of("you sent Bearer s3cret-value", X_Echo="s3cret-value")
    site.pages["/on"] = redirect("/?k=s3cret-value")
    for answer in (listed(site.url), listed(f"{site.url}/on", redirects=0)):
        assert "s3cret" not in repr(answer)
    assert listed(site.url)["body"] == "you sent Bearer ***"
    assert "s3cret" not in listed.audit_file.read_text()
    assert "s3cret" not in repr(listed.secrets)


def test_every_request_is_written_down(listed, site, other):
    site.pages |= {"/on": redirect("/a"), "/a": page_of("four")}
    listed(f"{site.url}/on?token=t0ken&q", redirects=1)
    listed(f"{site.url}/on", redirects=1)
    listed(f"{other.url}/private")
    listed("http://user:passw0rd@h/")
    entries = listed.audit()
    assert [entry["decision"] for entry in entries] == ["allowed"] * 3 + ["denied"] * 2
    assert entries[0]["url"] == f"{site.url}/on?token=&*"
    assert entries[2] | {"time": "", "ms": 0} == {
        "time": "",
        "call": "call-1",
        "server": "server",
        "tool": "tool",
        "method": "GET",
        "url": f"{site.url}/a",
        "address": "127.0.0.1",
        "decision": "allowed",
        "reason": "",
        "status": 200,
        "bytes": 4,
        "ms": 0,
    }
    assert "denied on this node" in entries[3]["reason"]
    assert "passw0rd" not in listed.audit_file.read_text()
    assert "t0ken" not in listed.audit_file.read_text()
    assert listed.audit_file.stat().st_mode & 0o077 == 0
