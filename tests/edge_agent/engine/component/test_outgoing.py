"""Components that send HTTP requests by ``wasi:http/outgoing-handler``."""

import json
import os
import tempfile

import pytest
import wasmtime

from edge_agent.egress import Audit, Egress, EgressLimits, Secret, Secrets, parse_rule
from edge_agent.engine.call_state import CallState
from edge_agent.engine.component import response_bodies
from edge_agent.engine.component.response_bodies import ResponseBodies
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import BadAnswer, ModuleTrapped
from edge_agent.jsonrpc import make_call, read_result
from edge_agent.mounts import Mount
from tests import compiled
from tests.edge_agent.egress.site import Site, page_of
from tests.edge_agent.guests import components
from tests.edge_agent.guests.modules import Module


@pytest.fixture
def engine():
    """One that finds the built-in components compiled."""
    engine = WasmEngine(compiled.AGENTS, concurrency=4)
    yield engine
    engine.close()


@pytest.fixture
def site():
    site = Site()
    site.pages["/hello"] = page_of("<p>Hello there.</p>", content_type="text/html")
    yield site
    site.close()


@pytest.fixture
def audit(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def ask(engine, audit):
    """Call a tool of a built-in server's component under rules."""

    def ask(server, tool, arguments, *rules, over_http=False, env=None, **more):
        module = (components.built_in_for_http if over_http else components.built_in)(server)
        if b"wasi:http/outgoing-handler" not in module.wasm:
            pytest.skip(f"{server}.component.wasm does not import wasi:http/outgoing-handler")
        loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
        egress = Egress([parse_rule(rule) for rule in rules], audit=Audit(audit), **more)
        running = CallState(Limits(wall_ms=20_000), (), egress.for_call(server, tool, "c1"), env)
        message = make_call(tool, json.dumps(arguments).encode())
        return json.loads(read_result(engine.send(loaded, message, running).data))

    return ask


def entries(audit):
    return [json.loads(line) for line in audit.read_text().splitlines()]


@pytest.mark.parametrize("over_http", [False, True], ids=["stdio", "http"])
def test_a_request_goes_through_the_nodes_egress(ask, site, audit, over_http):
    result = ask("fetch", "fetch", {"url": f"{site.url}/hello"}, site.url, over_http=over_http)
    assert not result["isError"], result
    assert {one["decision"] for one in entries(audit)} == {"allowed"}
    assert {one["tool"] for one in entries(audit)} == {"fetch"}


@pytest.mark.parametrize("over_http", [False, True], ids=["stdio", "http"])
def test_without_a_rule_it_is_denied_and_the_mend_is_told(ask, site, audit, over_http):
    result = ask("fetch", "fetch", {"url": f"{site.url}/hello"}, over_http=over_http)
    assert result["isError"]
    assert f'--allow-egress "{site.url}"' in result["content"][0]["text"]
    assert {one["decision"] for one in entries(audit)} == {"denied"}
    assert site.requests == []


def test_the_metadata_address_is_out_of_reach(ask, audit):
    result = ask("fetch", "fetch", {"url": "http://169.254.169.254/latest"}, "http://*:80")
    assert result["isError"]
    assert "link-local" in result["content"][0]["text"]


def test_requests_of_a_call_are_counted(ask, site):
    limits = EgressLimits(requests=1)  # the first is for robots.txt
    result = ask("fetch", "fetch", {"url": f"{site.url}/hello"}, site.url, limits=limits)
    assert result["isError"]
    assert "1 requests" in result["content"][0]["text"]


def test_a_body_reaches_the_other_side_whole(ask, site):
    env = {"SUMMARIZE_ENDPOINT": f"{site.url}/echo"}
    secret = Secret(parse_rule(site.url), "Authorization", "hidden value", "Bearer ")
    text = "Ships sail. " * 3000
    for _ in range(20):  # though its stream is dropped as soon as it is written
        given = {"env": env, "secrets": Secrets([secret])}
        ask("summarize", "summarize_text", {"text": text}, site.url, **given)
    assert len(site.requests) == 20
    for request in site.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        assert json.loads(body)["messages"][-1]["content"] == text
        assert b"Bearer hidden value" in head


def test_what_a_killed_agent_left_of_answers_is_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    response_bodies._sweep.cache_clear()
    kept = [tmp_path / f"sanderling-http-{os.getpid()}-a", tmp_path / "sanderling-http-else"]
    left = tmp_path / f"sanderling-http-{2**22 + 1}-b"  # no process has such a number
    for path in (*kept, left):
        (path / "00000000").mkdir(parents=True)
    bodies = ResponseBodies()
    assert not left.exists()
    assert all(path.exists() for path in kept)
    bodies.close()
    assert not bodies.directory.exists()


_DIRECTORIES = """(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance))
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type (sub resource)))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d)) (export "descriptor" (type $d2 (eq $d)))
    (export "get-directories" (func (result (list (tuple (own $d2) string)))))))
  (core module $memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory $mem) (realloc $realloc)))
  (core instance $host (export "memory" (memory $mem)) (export "directories" (func $directories)))
  (core module $m
    (import "host" "memory" (memory 1))
    (import "host" "directories" (func $directories (param i32)))
    (func (export "run") (result i32)
      (call $directories (i32.const 0))
      (if (i32.ne (i32.load (i32.const 4)) (i32.const NUMBER)) (then unreachable))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "host" (instance $host))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $x (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $x)))"""


def test_a_component_sees_its_mounts_and_nothing_of_how_answers_come(send, tmp_path):
    mounts = [Mount("/a", str(tmp_path)), Mount("/b", str(tmp_path))]
    for number, ends in ((2, BadAnswer), (3, ModuleTrapped)):
        wat = _DIRECTORIES.replace("NUMBER", str(number))
        with pytest.raises(ends):
            send(Module(bytes(wasmtime.wat2wasm(wat))), mounts=mounts)
