"""The configuration file: every key optional, every fault one line with the mend."""

import pytest

from dispatcher.config import load
from dispatcher.errors import ConfigError

CONTRACT = """
[dispatcher]
port = 8080
grpc_port = 8081
state = "state"
scheduler = "exact"
origin = "device"
origins = ["*"]
[policy]
privacy = "public"
[[policy.rules]]
tools = ["filesystem.*", "parse_logs"]
privacy = "node"
allow = ["tier:device", "site:home", "node:pi4", "isa:riscv64"]
deny = ["tier:cloud"]
requires = ["gpu"]
limits = { wall_ms = 2000, memory_mib = 64 }
[[agents]]
name = "device"
tier = "device"
site = "home"
mounts = [{ path = "/logs/", directory = "./logs", readonly = false }]
features = ["camera"]
slots = 2
memory_mib = 512
[[links]]
a = "device"
b = "cloud"
rtt_ms = 40
mbit_s = 20
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "sanderling.toml"
        path.write_text(text)
        return path

    return write


def test_the_file_of_the_contract_is_read(write, tmp_path):
    config = load(write(CONTRACT), {})
    assert config.dispatcher.port == 8080
    assert config.dispatcher.state == tmp_path / "state"
    assert config.policy.rules[0].limits.wall_ms == 2000
    (agent,) = config.agents
    assert (agent.mounts[0].path, agent.mounts[0].directory) == ("/logs", tmp_path / "logs")
    assert config.links[0].rtt_ms == 40


def test_nothing_is_required():
    config = load(None, {})
    assert config.dispatcher.host == "127.0.0.1"
    assert config.dispatcher.origin is None
    assert config.agents == []
    assert config.policy.privacy == "public"


def test_overrides_lie_over_the_file_and_none_says_nothing(write):
    config = load(write(CONTRACT), {"dispatcher": {"port": 9, "grpc_port": None}, "links": []})
    assert (config.dispatcher.port, config.dispatcher.grpc_port) == (9, 8081)
    assert config.links == []


def test_tier_and_site_of_the_usual_names():
    agents = load(None, {"agents": [{"name": n} for n in ("device", "edge", "cloud", "nuc")]})
    assert [(a.tier, a.site) for a in agents.agents] == [
        ("device", "home"),
        ("edge", "home"),
        ("cloud", "cloud"),
        ("edge", "home"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[dispatcher]\nprot = 1", ["dispatcher.prot: unknown key", "did you mean 'port'?"]),
        ("[dispatch]\nport = 1", ["dispatch: unknown key", "did you mean 'dispatcher'?"]),
        ("[[policy.rules]]\nzzz = 1", ["policy.rules[0].zzz: unknown key", "allow, backend"]),
        ("[[agents]]\nname = 'a'\nmounts = [{ path = '/a', dir = 'b' }]",
         ["agents[0].mounts[0].dir", "'directory'"]),
        ("[[policy.rules]]\nlimits = { wall = 3 }", ["limits.wall: unknown", "'wall_ms'"]),
        ("[dispatcher]\nport = '1'", ["dispatcher.port", "(is '1')"]),
        ("[dispatcher]\nport = 70000", ["dispatcher.port", "65535"]),
        ("[dispatcher]\nscheduler = 'magic'", ["dispatcher.scheduler", "'magic'", "choose one of exact, cp_sat"]),
        ("[policy]\nprivacy = 'secret'", ["policy.privacy", "'node'", "'secret'"]),
        ("[[policy.rules]]\nallow = ['color:red']", ["'color:red' is no selector", "tier:NAME"]),
        ("[[policy.rules]]\ndeny = ['cloud']", ["'cloud' is no selector"]),
        ("[[policy.rules]]\nlimits = { wall_ms = 0 }", ["policy.rules[0].limits.wall_ms"]),
        ("[[agents]]\ntier = 'edge'", ["agents[0].name", "is missing"]),
        ("[[agents]]\nname = 'Big Box'", ["agents[0].name", "no node name"]),
        ("[[agents]]\nname = 'a'\n[[agents]]\nname = 'a'", ["two agents are called 'a'"]),
        ("[[agents]]\nname = 'a'\nmounts = [{ path = 'logs', directory = 'x' }]",
         ["agents[0].mounts[0].path", "must be absolute"]),
        ("[[agents]]\nname='a'\nmounts=[{path='/l',directory='x'},{path='/l/',directory='y'}]",
         ["'/l' is mounted twice"]),
        ("[[links]]\na = 'a'\nb = 'a'\nrtt_ms = 1\nmbit_s = 1", ["links[0]", "itself"]),
        ("[[links]]\na='a'\nb='b'\nrtt_ms=1\nmbit_s=1\n[[links]]\na='b'\nb='a'\nrtt_ms=1\nmbit_s=1",
         ["link a-b stands twice"]),
        ("[[links]]\na='a'\nb='b'\nrtt_ms=1\nmbit_s=0", ["links[0].mbit_s"]),
        ("[[links]]\na='a'\nb='b'\nrtt_ms=nan\nmbit_s=1", ["links[0].rtt_ms"]),
        ("agents = 3", ["agents"]),
        ("dispatcher = 'x'", ["dispatcher"]),
        ("[dispatcher\n", ["is no TOML"]),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_with_file_key_and_mend(write, text, words):
    path = write(text)
    with pytest.raises(ConfigError) as error:
        load(path, {})
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(tmp_path / "nowhere.toml", {})
