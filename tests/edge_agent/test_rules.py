"""Small laws: mounts, policy, configuration, JSON-RPC, errors and their status."""

import json
from dataclasses import fields
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.agents.pool import RECONNECT_S
from edge_agent import errors
from edge_agent.attachment.attachment import backoff_s, pause_s
from edge_agent.attachment.messages import STATUS_OF, status_of
from edge_agent.calls.policy import Label, Policy, check_data, check_label
from edge_agent.config.agent_config import load_config
from edge_agent.engine.limits import (
    DEFAULT_LIMITS,
    MIB,
    MOST_LIMITS,
    WRITTEN,
    Limits,
    parse_limits,
)
from edge_agent.errors import BadAnswer, CallRefused, ConfigError, OutputTooLarge
from edge_agent.jsonrpc import make_call, parse, parse_foreign, read_result, sound
from edge_agent.mounts import Mount, normalise, parse_mount, uncovered
from ground.tool_results import sound_result
from protos.edge.v1 import edge_pb2

# ---- mounts -------------------------------------------------------------------------


def test_mount_is_read(tmp_path):
    assert parse_mount(f"/data={tmp_path}") == Mount("/data", str(tmp_path))
    assert parse_mount(f"/a/../data/={tmp_path}:ro") == Mount("/data", str(tmp_path), True)


@pytest.mark.parametrize("text", ["/data", "=x", "/data=", "data=.", "/data=/no/such/directory"])
def test_wrong_mount_is_refused(text):
    with pytest.raises(ConfigError, match="mount"):
        parse_mount(text)


MOUNTS = (Mount("/logs", "/x"), Mount("/data/in", "/y"))


@pytest.mark.parametrize(
    "path", ["/logs", "/logs/a.log", "/logs/../logs/b", "//logs/a", "/data/in/deep/file"]
)
def test_path_beneath_a_mount_is_covered(path):
    assert uncovered([path], MOUNTS) is None


@pytest.mark.parametrize(
    "path", ["/logs2", "/logs/../etc/passwd", "/data", "/data/i", "logs/a", "", "/logs/a\0b"]
)
def test_path_outside_is_not(path):
    assert uncovered(["/logs/a", path], MOUNTS) == path
    with pytest.raises(CallRefused, match="data:"):
        check_data([path], MOUNTS)


@given(st.lists(st.sampled_from(["..", ".", "", "logs", "a"]), max_size=8))
def test_normalised_path_has_no_steps_left(parts):
    normal = normalise("/" + "/".join(parts))
    assert normal.startswith("/")
    assert not {"..", "."} & set(normal.split("/"))


# ---- policy --------------------------------------------------------------------------


def test_policy_denies_by_tool_and_server():
    policy = Policy(deny=("git.*", "write_file"))
    policy.check_tool("filesystem", "read_file")
    for server, tool in (("git", "git_log"), ("filesystem", "write_file")):
        with pytest.raises(CallRefused, match="policy denies"):
            policy.check_tool(server, tool)


def test_allow_list_admits_nothing_else():
    policy = Policy(allow=("time.*",))
    policy.check_tool("time", "get_current_time")
    with pytest.raises(CallRefused, match="allow list"):
        policy.check_tool("git", "git_log")


@pytest.mark.parametrize(
    "label",
    [Label(), Label("site", "other", "home"), Label("node", "pi4", "home")],
)
def test_label_that_holds_here_passes(label):
    check_label(label, "pi4", "home")


@pytest.mark.parametrize(
    "label",
    [
        Label("node", "other", "home"),
        Label("node"),
        Label("site", "pi4", "office"),
        Label("site"),
        Label("secret", "pi4", "home"),
    ],
)
def test_label_that_does_not_is_refused(label):
    with pytest.raises(CallRefused, match="privacy"):
        check_label(label, "pi4", "home")


def test_site_label_never_holds_on_a_node_without_a_site():
    with pytest.raises(CallRefused):
        check_label(Label("site", "x", ""), "pi4", "")


# ---- limits ---------------------------------------------------------------------------


def test_no_limit_goes_over_the_most():
    most = Limits(wall_ms=1000, memory_mib=64, output_bytes=MIB, open_files=10)
    asked = DEFAULT_LIMITS.asked(wall_ms=5000, memory_mib=1, open_files=0, host_calls=7)
    found = asked.within(most)
    assert (found.wall_ms, found.memory_mib, found.output_bytes) == (1000, 1, MIB)
    assert (found.open_files, found.host_calls) == (10, 7)


def test_the_default_limits_are_no_more_than_the_most():
    assert DEFAULT_LIMITS.within(MOST_LIMITS) == DEFAULT_LIMITS


def test_every_limit_can_be_written_and_goes_over_the_wire():
    names = {field.name for field in fields(Limits)}
    assert {field for field, _ in WRITTEN.values()} == names
    assert {field.name for field in edge_pb2.Limits.DESCRIPTOR.fields} == names


def test_limits_of_a_command_line_are_read():
    assert parse_limits(["open_files=20", "disk_mib=3"]) == {
        "open_files": 20,
        "disk_bytes": 3 * MIB,
    }


@pytest.mark.parametrize(
    "text",
    ["files=3", "open_files", "open_files=", "open_files=0", "open_files=-1", "disk_mib=9e9"],
)
def test_a_wrong_limit_of_a_command_line_is_named(text):
    with pytest.raises(ConfigError, match=r"limit .* write"):
        parse_limits([text])


# ---- configuration ------------------------------------------------------------------------

FULL = """
dispatcher = "10.0.0.2:7410"
token_file = "token"
name = "pi4"
tier = "device"
site = "home"
mounts = [{ path = "/logs", directory = "logs", readonly = true }]
features = ["camera"]
slots = 2
memory_mib = 512
state = "state"
[labels]
room = "attic"
[policy]
deny = ["git.*"]
[limits]
wall_ms = 2000
"""


@pytest.fixture
def config_file(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "token").write_text("s3cret\n")
    path = tmp_path / "agent.toml"
    path.write_text(FULL)
    return path


def test_file_is_read_relative_to_itself(config_file, tmp_path):
    config = load_config(config_file, {}, {})
    assert config.token == "s3cret"
    assert config.mounts == (Mount("/logs", str(tmp_path / "logs"), True),)
    assert config.state == tmp_path / "state"
    assert config.policy.deny == ("git.*",)
    assert config.limits.wall_ms == 2000
    assert config.labels == {"room": "attic"}


def test_flag_wins_over_environment_and_that_over_file(config_file, tmp_path):
    (tmp_path / "other").write_text("from-flag")
    environment = {"SANDERLING_TOKEN": "from-environment"}
    assert load_config(config_file, {}, environment).token == "from-environment"
    by_flag = load_config(config_file, {"token_file": str(tmp_path / "other")}, environment)
    assert by_flag.token == "from-flag"
    assert load_config(config_file, {"name": "nuc", "tier": None}, {}).name == "nuc"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('dispatchr = "x:1"', "dispatchr: unknown key"),
        ("slots = 0", "slots"),
        ('slots = "2"', "slots"),
        ('name = "Pi 4"', "name 'Pi 4'"),
        ('dispatcher = "somewhere"', "dispatcher 'somewhere'"),
        ('mounts = [{ path = "/a", dir = "." }]', "mounts.0"),
        ('mounts = [{ path = "/a", directory = "absent" }]', "mount /a"),
        ('token_file = "absent"', "token_file"),
        ("= 5", "not TOML"),
    ],
)
def test_wrong_key_is_named_in_one_line(tmp_path, line, words):
    path = tmp_path / "agent.toml"
    key = line.split(" ")[0]
    base = {"dispatcher": '"a:1"', "token": '"t"', "name": '"n"'}
    base.pop(key, None)
    if key == "token_file":
        base.pop("token")
    path.write_text("\n".join([*(f"{k} = {v}" for k, v in base.items()), line]))
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, {})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_dispatcher_and_token_are_named():
    with pytest.raises(ConfigError, match="--dispatcher"):
        load_config(None, {"token": "t"}, {})
    with pytest.raises(ConfigError, match="--token-file"):
        load_config(None, {"dispatcher": "a:1"}, {})


def test_token_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        load_config(None, {"dispatcher": "a:1", "token": "s3cret", "slots": 0}, {})
    assert "s3cret" not in str(caught.value)


# ---- JSON-RPC -----------------------------------------------------------------------------

json_objects = st.dictionaries(st.text(), st.recursive(st.integers() | st.text(), st.lists))


@given(st.text(min_size=1), json_objects, json_objects)
def test_call_is_put_together_from_raw_parts(tool, arguments, meta):
    raw = make_call(tool, json.dumps(arguments).encode(), json.dumps(meta).encode())
    params = json.loads(raw)["params"]
    assert params == {"name": tool, "arguments": arguments, "_meta": meta}


def test_call_without_arguments_has_an_empty_object():
    assert json.loads(make_call("t", b""))["params"] == {"name": "t", "arguments": {}}


def test_result_passes_through_byte_for_byte():
    result = b'{"content": [ ],  "structuredContent":{"n":1e3}}'
    assert read_result(b'{"jsonrpc":"2.0","id":1,"result":' + result + b"}") == result


@pytest.mark.parametrize(
    "answer",
    [
        '{"id":1,"result":{"content":[]},"jsonrpc":"2.0"}',
        '{"jsonrpc":"2.0","id":1,"result":{"content":[]},"extra":{}}',
        ' {"jsonrpc": "2.0", "id": 1, "result": {"content": []}} ',
    ],
)
def test_result_is_found_in_other_forms(answer):
    assert json.loads(read_result(answer.encode())) == {"content": []}


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (
            {"code": -32042, "message": "open a page", "data": {"elicitations": [{"url": "u"}]}},
            {"code": -32042, "message": "open a page", "data": {"elicitations": [{"url": "u"}]}},
        ),
        (
            {"code": "E1", "message": ""},
            {"code": -32603, "message": "the tool server gave no reason"},
        ),
        ("out of paper", {"code": -32603, "message": "out of paper"}),
    ],
)
def test_an_rpc_error_keeps_what_it_says(error, read):
    answer = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
    assert json.loads(read_result(answer)) == {"error": read}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b'["\\ud83d", "\\ude00\\ud83d"]', ["\ufffd", "\ufffd\ufffd"]),
        (b'{"\\uD83D": "\\ud83d\\ude00 \\\\ud83d"}', {"\ufffd": "\U0001f600 \\ud83d"}),
        (b"[NaN, -Infinity, Infinity, 1e999, -1e999, 1.5]", [None] * 5 + [1.5]),
        (b'\xef\xbb\xbf["caf\xe9", "a\tb"]', ["caf\ufffd", "a\tb"]),
    ],
)
def test_what_a_server_writes_is_read_as_widely_as_it_has_a_meaning(answer, value):
    assert parse_foreign(answer) == value
    assert parse(sound(answer)) == value
    with pytest.raises(ValueError):
        parse(answer)


def test_what_is_strict_json_already_stays_as_it_is():
    text = '{"a": 1e3,  "b":"\\ud83d\\ude00 ü"}'.encode()
    assert sound(text) is text


def test_half_a_pair_in_a_result_is_mended_in_the_usual_form_too():
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\\ud800"}]}}'
    assert json.loads(read_result(answer))["content"][0]["text"] == "\ufffd"


def text(value):
    return {"type": "text", "text": value}


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ({"structuredContent": {"n": 1}}, [text('{"n": 1}')]),
        ({"structuredContent": [1], "content": None}, [text("[1]")]),
        ({"content": None}, []),
        ({"resultType": "complete"}, []),
        ({"toolResult": "old"}, [text("old")]),
        ({"content": "plain"}, [text("plain")]),
        ({"content": text("one")}, [text("one")]),
        ({"content": ["a", None, {"text": "b"}]}, [text("a"), text("b")]),
        ({"content": [{**text("c"), "annotations": None}]}, [text("c")]),
        ({"content": [text(None), text(3)]}, [text(""), text("3")]),
        ({"content": [{"type": "image", "data": "x"}]}, [text('{"type": "image", "data": "x"}')]),
        ({"content": [{"type": "hologram", "beams": None}]}, [text('{"type": "hologram"}')]),
    ],
)
def test_a_result_has_a_content_list_that_clients_read(result, content):
    made = sound_result({**result, "isError": None, "_meta": None})
    assert made == {
        "content": content,
        **{key: value for key, value in result.items() if key != "content"},
    }


@pytest.mark.parametrize(
    ("said", "meant"), [("false", False), ("False", False), ("true", True), (1, True), (0, False)]
)
def test_is_error_is_read_as_it_is_meant(said, meant):
    made = sound_result({"content": [], "isError": said, "resultType": None})
    assert made == {"content": [], "isError": meant}


def test_a_sound_result_is_not_touched():
    for result in (
        {"content": [text("a")], "structuredContent": {"n": None}, "isError": True, "_meta": {}},
        {"resultType": "input_required", "inputRequests": {}},
    ):
        assert sound_result(result) is result
    assert sound_result({"something": "else"}) is None
    assert sound_result(["content"]) is None


def test_answer_of_too_many_values_is_not_parsed():
    flood = b'{"jsonrpc":"2.0","id":1,"result":{"content":[' + b"[]," * 600_000 + b"[]]}}"
    with pytest.raises(OutputTooLarge, match="JSON values"):
        read_result(flood)
    with pytest.raises(OutputTooLarge, match="JSON values"):
        read_result(b" " + flood)


def test_commas_in_a_text_are_no_values():
    text = 'a,[{"\\\n' * 300_000
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}]}}
    raw = json.dumps(answer).encode()
    assert json.loads(read_result(raw))["content"][0]["text"] == text


def test_smuggled_second_result_is_not_taken_raw():
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]},"result":{"content":5}}'
    with pytest.raises(BadAnswer):
        read_result(answer)


# ---- errors and pauses ------------------------------------------------------------------------


def all_errors(kind=errors.EdgeAgentError):
    yield kind
    for child in kind.__subclasses__():
        yield from all_errors(child)


def test_every_error_of_a_call_has_a_status_of_its_own_kind():
    for kind in all_errors(errors.CallFailed):
        assert kind in STATUS_OF
    assert status_of(errors.ModuleRejected) == edge_pb2.STATUS_UNAVAILABLE
    assert status_of(errors.CallTimeout) == edge_pb2.STATUS_TIMEOUT
    kinds = [errors.CallTimeout, errors.MemoryExceeded, errors.OutputTooLarge]
    kinds += [errors.ModuleTrapped, errors.CallCancelled, errors.BadAnswer, errors.CallRefused]
    assert len({STATUS_OF[kind] for kind in kinds}) == len(kinds)


def test_the_tree_in_the_docstring_is_whole():
    for kind in all_errors():
        assert kind.__name__ in errors.__doc__


def test_pauses_grow_to_their_cap():
    longest = backoff_s(rand=lambda: 1.0)
    assert [round(next(longest), 1) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert next(backoff_s(rand=lambda: 0.0)) > 0


def test_pauses_are_short_while_the_dispatcher_waits_for_us():
    def longest():
        return islice(backoff_s(rand=lambda: 1.0), 6, None)

    for since_s in (0.0, RECONNECT_S / 2, RECONNECT_S):
        assert pause_s(longest(), since_s, rand=lambda: 1.0) <= RECONNECT_S / 5
    assert pause_s(longest(), 60.0) == 10.0
