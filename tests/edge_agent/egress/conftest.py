import json

import pytest

from edge_agent.egress import Audit, Egress, EgressLimits, Secrets, parse_rule
from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import Limits
from tests.edge_agent.egress.site import Site


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture
def other():
    site = Site()
    yield site
    site.close()


class Asker:
    """Asks as a module does, under rules that a test sets; keeps the audit."""

    def __init__(self, audit_file):
        self.audit_file = audit_file
        self.rules: list[str] = []
        self.limits = EgressLimits()
        self.secrets: tuple = ()
        self.names: dict[str, list[str]] = {}
        self.lookups: list[str] = []
        self.make_tls = None
        self.grants: list = []
        self.wall_ms = 10_000
        self.running = None
        self.call = None

    def resolve(self, host, port):
        self.lookups.append(host)
        if host not in self.names:
            raise OSError(-2, "Name or service not known")
        return self.names[host]

    def begin(self):
        egress = Egress(
            [parse_rule(rule) for rule in self.rules],
            self.limits,
            Secrets(self.secrets),
            Audit(self.audit_file),
            resolver=self.resolve,
            make_tls=self.make_tls,
        )
        grants = [[parse_rule(rule) for rule in grant] for grant in self.grants]
        self.call = egress.for_call("server", "tool", "call-1", grants)
        self.running = CallState(Limits(wall_ms=self.wall_ms))
        return self.call

    def __call__(self, url, **request):
        call = self.begin()
        answer = call.send({"url": url, **request}, self.running)
        call.egress.audit.close()
        return answer

    def audit(self):
        return [json.loads(line) for line in self.audit_file.read_text().splitlines()]


@pytest.fixture
def ask(tmp_path):
    return Asker(tmp_path / "audit.jsonl")
