"""Whatever a stranger's agent tells: it is taken in whole or refused, and breaks nobody else's."""

import json
import math

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.agents import messages
from dispatcher.registry.added_servers import AddedServers, Upload
from dispatcher.registry.registry import Registry
from dispatcher.serving.api import node_json
from dispatcher.serving.server_status import servers_json
from dispatcher.store.base import NodeRow
from dispatcher.store.sqlite import SqliteStore
from protos.edge.v1 import edge_pb2

NUMBERS = st.floats() | st.sampled_from([1e308, -1.0, math.nan, math.inf, 1e13])
COUNTS = st.integers(0, 2**32 - 1)
WORDS = st.text(max_size=8) | st.sampled_from(
    ["a", "b", "wasm", "process", "/m", "../..", "\u202e"]
)
KEYS = st.sampled_from(
    ["name", "inputSchema", "annotations", "_meta", "title", "description", "outputSchema",
     "dev.sanderling/hint", "dev.sanderling/data", "dev.sanderling/state", "readOnlyHint"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
ODD = st.recursive(
    LEAVES | st.just("\ud800") | st.just("session"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TOOLS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["t", "u", "echo", "\ud800", "a b"])},
        optional=dict.fromkeys(("annotations", "_meta", "inputSchema", "title"), ODD),
    )
    | ODD,
    max_size=3,
)


@st.composite
def catalogues(draw):
    lists = {key: draw(TOOLS) for key in ("tools", "resources", "prompts")}
    made = json.dumps({**lists, "instructions": draw(ODD)}).encode()
    return draw(st.sampled_from([made, made[:-2], b"[" * 100_000, b"\xff\xfe", b"", made]))


@st.composite
def capabilities(draw):
    servers = [
        edge_pb2.Server(
            name=draw(WORDS), backend=draw(WORDS), catalogue=draw(catalogues()),
            error=draw(WORDS), slots=draw(COUNTS), validate=draw(WORDS), state=draw(WORDS),
        )
        for _ in range(draw(st.integers(0, 2)))
    ]  # fmt: skip
    return edge_pb2.Capabilities(
        isa=draw(WORDS), cores=draw(COUNTS), memory_mib=draw(st.integers(0, 2**63)),
        slots=draw(COUNTS), speed=draw(NUMBERS), integer_speed=draw(NUMBERS),
        memory_mib_s=draw(NUMBERS), features=draw(st.lists(WORDS, max_size=2)),
        mounts=[edge_pb2.Mount(path=draw(WORDS)) for _ in range(draw(st.integers(0, 2)))],
        backends=draw(st.lists(WORDS, max_size=2)), tier=draw(WORDS), site=draw(WORDS),
        servers=servers,
        egress=[edge_pb2.Egress(to=draw(WORDS)) for _ in range(draw(st.integers(0, 1)))],
    )  # fmt: skip


@st.composite
def heartbeats(draw):
    beat = edge_pb2.Heartbeat(
        running=draw(COUNTS), queued=draw(COUNTS), memory_free_mib=draw(st.integers(0, 2**63)),
        queue_ms=draw(NUMBERS), cpu_percent=draw(NUMBERS), warm=draw(st.lists(WORDS, max_size=2)),
    )  # fmt: skip
    if draw(st.booleans()):
        beat.changed.CopyFrom(draw(capabilities()))
    if draw(st.booleans()):
        board = edge_pb2.Board(temperature_c=draw(NUMBERS), battery_percent=draw(NUMBERS))
        beat.board.CopyFrom(board)
    return beat


def everything_can_be_told(one):
    """What `tools`, `agents` and `servers` answer with."""
    registry = one.registry
    told = [
        [entry.definition for entry in registry.tools()],
        [node_json(node) for node in registry.nodes()],
        servers_json(registry),
    ]
    json.dumps(told, allow_nan=False, ensure_ascii=False).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    capabilities(), st.lists(heartbeats(), max_size=3), st.sampled_from(["s", "", "Ä", "x" * 99])
)
def test_registrations_and_heartbeats(tmp_path_factory, board, told, beats, name):
    one = board({"dispatcher": {"origin": "good"}})
    one.join("good")
    register = edge_pb2.Register(node=name, instance="i", capabilities=told)
    try:
        node = one.registry.attach(messages.registration(register))
    except ValueError:
        node = None
        assert one.registry.node(name) is None
    for beat in beats if node is not None else ():
        one.registry.heartbeat(node, messages.heartbeat(beat))
    everything_can_be_told(one)
    assert one.place("text.echo", allow=["node:good"]) == "good"


@pytest.mark.parametrize(
    "told",
    [
        {"tier": "x" * 5000},
        {"features": [f"f{n}" for n in range(5000)]},
        {"mounts": [edge_pb2.Mount(path="/" + "a/" * 5000)]},
        {"mounts": [edge_pb2.Mount(path=f"/m{n}") for n in range(5000)]},
        {"labels": {"k": "v" * 5000}},
        {"backends": ["wasm"] * 5000},
        {"egress": [edge_pb2.Egress(to="https://a.example:443", tools=["t"] * 5000)]},
    ],
    ids=lambda told: next(iter(told)),
)
def test_a_node_of_too_many_words_is_refused(board, told):
    one = board()
    register = edge_pb2.Register(
        node="huge", instance="i", capabilities=edge_pb2.Capabilities(slots=1, **told)
    )
    with pytest.raises(ValueError, match=f"capabilities.{next(iter(told))}"):
        one.registry.attach(messages.registration(register))
    assert one.registry.node("huge") is None


@pytest.mark.parametrize("ms", [1e308, math.inf, math.nan, -1.0])
def test_times_that_no_call_takes_teach_nothing(ms):
    timings = edge_pb2.Timings(queue_ms=ms, start_ms=ms, exec_ms=ms)
    sent = edge_pb2.AttachRequest(result=edge_pb2.Result(call_id="1", timings=timings))
    outcome = messages.read(sent)
    assert (outcome.queue_ms, outcome.start_ms, outcome.exec_ms) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("odd", [[1], "x", 5, {"a": [None]}])
@pytest.mark.parametrize("key", ["annotations", "_meta", "title", "outputSchema", "icons"])
def test_one_odd_tool_leaves_all_others_named(board, key, odd):
    one = board()
    tools = [{"name": "odd", "inputSchema": {}, key: odd}, {"name": "even", "inputSchema": {}}]
    server = edge_pb2.Server(
        name="far", backend="process", catalogue=json.dumps({"tools": tools}).encode()
    )
    one.join("a", servers=[server])
    names = {entry.name for entry in one.registry.tools()}
    assert {"odd", "even", "echo"} <= names
    everything_can_be_told(one)


@pytest.mark.parametrize("tools", [[{"name": "t", "annotations": [1]}], [{"name": "t", "_meta": "x"}],
                                   [{"name": "t\ud800", "title": 7}]])  # fmt: skip
def test_an_added_module_with_odd_tools(board, tmp_path, tools):
    upload = Upload("far", "1", b"\0asm", tools)
    body = json.loads(json.dumps(upload.to_json()))
    added = AddedServers(tmp_path / "state")
    one = board()
    one.registry.add_servers([added.add(Upload.from_json(body))])
    everything_can_be_told(one)
    again = board()
    again.registry.add_servers(AddedServers(tmp_path / "state").servers())
    assert "t" in {entry.name[0] for entry in again.registry.tools()}


@pytest.mark.parametrize("text", ['{"tools": 5}', "[]", "{", '{"name": 1, "sha256": 2, "size": 3}'])
def test_kept_files_that_cannot_be_used_are_left_out(tmp_path, text):
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "far.json").write_text(text)
    assert AddedServers(tmp_path).servers() == []


def test_kept_nodes_that_cannot_be_read_are_left_out(tmp_path):
    store = SqliteStore(tmp_path / "state.db")
    store.open()
    good = edge_pb2.Capabilities(slots=1).SerializeToString()
    bad = edge_pb2.Capabilities(slots=0).SerializeToString()
    with pytest.raises(DecodeError):
        messages.kept_capabilities(b"\xff")
    for name, kept in (("garbage", b"\xff"), ("none", bad), ("fine", good)):
        store.save_node(NodeRow(name, kept, "1", 2e9))
    store.close()
    store = SqliteStore(tmp_path / "state.db")
    store.open()
    registry = Registry(None, store)
    registry.restore_nodes(messages.kept_capabilities)
    assert [node.name for node in registry.nodes()] == ["fine"]
    store.close()
