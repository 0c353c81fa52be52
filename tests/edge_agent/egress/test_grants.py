"""What the dispatcher's policy grants of a node's egress, checked again on the node."""

import pytest

from edge_agent.attachment.messages import ticket_of
from edge_agent.backends.base import ModuleRef, ToolCall
from edge_agent.backends.wasm import WasmBackend
from edge_agent.calls.queue import CallQueue, Rules
from edge_agent.egress import Audit, Egress, parse_rule
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallRefused
from protos.edge.v1 import edge_pb2


@pytest.fixture
def backend(tmp_path, site):
    engine = WasmEngine(None, concurrency=1)
    rule = parse_rule(f"http://127.0.0.1:{site.port}")
    backend = WasmBackend(engine, lambda _: b"", (), Egress([rule], audit=Audit()))
    yield backend
    backend.close()


def ask(backend, site, *grants):
    call = ToolCall("server", "tool", module=ModuleRef("0" * 64), egress=grants)
    state = backend.prepare(call)._state
    return state.egress.send({"url": f"http://127.0.0.1:{site.port}/"}, state)


def test_a_call_without_grants_has_the_nodes_rules(backend, site):
    assert "status" in ask(backend, site)


def test_a_request_must_be_within_every_grant(backend, site):
    here = f"http://127.0.0.1:{site.port}"
    assert "status" in ask(backend, site, (here,), ("http://*:80", here))
    for grants in ((("https://example.org:443",),), ((here,), ()), ((),)):
        answer = ask(backend, site, *grants)
        assert answer["kind"] == "denied"
        assert "policy does not grant it to server.tool" in answer["error"]


def test_a_grant_that_cannot_be_read_refuses_the_call(backend, site):
    with pytest.raises(CallRefused, match="the policy's egress 'anywhere'"):
        ask(backend, site, ("anywhere",))


def test_grants_come_over_the_wire():
    call = edge_pb2.Call(egress=[edge_pb2.EgressGrant(to=["https://a.org:443"]), {}])
    assert ticket_of(call).call.egress == (("https://a.org:443",), ())


def test_a_server_with_a_network_of_its_own_is_not_run_under_a_grant(backend):
    answers = []
    queue = CallQueue(Rules("node"), {"wasm": backend, "process": backend}, answers.append)
    call = edge_pb2.Call(id="c", backend="process", egress=[edge_pb2.EgressGrant()])
    queue.offer(ticket_of(call))
    (outcome,) = answers
    assert outcome.error is CallRefused
    assert outcome.reason == "backend"
    assert "network of its own" in outcome.message
