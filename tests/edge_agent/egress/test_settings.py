"""From an agent's configuration to what its modules may do."""

import json

import pytest

from edge_agent.config.agent_config import load_config
from edge_agent.egress import Egress, parse_rule
from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import ConfigError
from tests.edge_agent.egress.site import page_of
from tests.edge_agent.guests import modules

FLAGS = {"name": "a", "dispatcher": "127.0.0.1:5", "token": "t"}


def load(tmp_path, text, environment=None):
    file = tmp_path / "agent.toml"
    file.write_text(text)
    return load_config(file, FLAGS, environment or {})


def test_without_egress_nothing_is_reported(tmp_path):
    assert load(tmp_path, "").egress.features() == ()


def test_each_rule_is_a_feature(tmp_path):
    config = load(tmp_path, 'egress = ["https://example.org:443", "http://[::1]:80"]')
    assert config.egress.features() == (
        "egress",
        "egress:https://example.org:443",
        "egress:http://[::1]:80",
    )


def test_flags_replace_the_rules_of_the_file(tmp_path):
    file = tmp_path / "agent.toml"
    file.write_text('egress = ["https://a:443"]')
    config = load_config(file, {**FLAGS, "egress": ["https://b:443"]}, {})
    assert [rule.host for rule in config.egress.rules] == ["b"]


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "key").write_text("value\n")
    secret = '{ to = "https://a:443", header = "X-Key", file = "key" }'
    config = load(tmp_path, f'egress_audit = "log.jsonl"\nsecrets = [{secret}]')
    assert config.egress.audit == tmp_path / "log.jsonl"
    assert config.egress.secrets[0].value == "value"
    config.egress.make().audit.close()
    assert (tmp_path / "log.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('egress = ["example.org"]', "SCHEME://HOST:PORT"),
        ('egress = [{ to = "https://a:443", tool = "x" }]', "egress"),
        ("egress_limits = { requests = 0 }", "egress_limits.requests"),
        ('egress_limits = { methods = ["get"] }', "egress_limits.methods"),
        ("egress_limits = { request = 1 }", "egress_limits.request"),
        ('secrets = [{ to = "https://*:443", header = "A", env = "E" }]', "one host"),
        ('secrets = [{ to = "https://a:443", header = "A" }]', "either env"),
        ('secrets = [{ to = "https://a:443", header = "A", env = "NONE" }]', "NONE is empty"),
        ('secrets = [{ to = "https://a:443", header = "A b", env = "E" }]', "no header"),
        ('secrets = [{ to = "https://a:443", header = "Host", env = "E" }]', "no header"),
        ('secrets = [{ to = "https://a:443", header = "A", env = "BAD" }]', "character"),
        ('secrets = [{ to = "https://a:443", header = "A", file = "gone" }]', "gone"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, text, named):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, {"E": "v", "BAD": "a\nb"})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_audit_that_cannot_be_written_is_named(tmp_path):
    config = load(tmp_path, 'egress_audit = "no/such/log.jsonl"')
    with pytest.raises(ConfigError, match="egress_audit"):
        config.egress.make()


def test_the_audit_does_not_grow_without_end(tmp_path, monkeypatch, site):
    monkeypatch.setattr("edge_agent.egress.audit.LARGEST_LOG_BYTES", 2000)
    config = load(tmp_path, 'egress_audit = "log.jsonl"')
    egress = config.egress.make()
    for _ in range(30):
        egress.for_call("s", "t").send({"url": site.url}, CallState())
    egress.audit.close()
    logs = sorted(tmp_path.glob("log.jsonl*"))
    assert [log.name for log in logs] == ["log.jsonl", "log.jsonl.1"]
    for log in logs:
        assert 0 < log.stat().st_size <= 2000
        assert all(json.loads(line) for line in log.read_text().splitlines())


def test_a_module_gets_its_answer_through_the_engine(tmp_path, site):
    site.pages["/"] = page_of("hello module")
    asking = modules.asking_host("http", json.dumps({"url": site.url}))
    engine = WasmEngine(None, concurrency=1)
    try:
        loaded, _ = engine.modules.get(asking.digest, lambda: asking.wasm)
        for egress, found in (
            (Egress([parse_rule(site.url)]), "hello module"),
            (Egress(), None),
        ):
            running = CallState(Limits(), egress=egress.for_call("server", "tool"))
            answer = json.loads(engine.send(loaded, b"{}", running).data)
            assert answer.get("body") == found
            assert answer.get("kind") == (None if found else "denied")
    finally:
        engine.close()
