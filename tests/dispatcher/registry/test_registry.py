"""Tools and their names; what a server may say of them."""

import pytest

from dispatcher.app import built_in
from dispatcher.errors import UnknownTool


@pytest.fixture
def named(board, make_server, make_tool):
    def make(**servers):
        made = [
            make_server(server, *(make_tool(name) for name in names))
            for server, names in servers.items()
        ]
        return board(servers=made).registry

    return make


def test_a_shared_name_is_qualified_and_a_unique_one_stays(named):
    registry = named(alpha=["read", "sum"], beta=["read", "put"])
    names = ["alpha__read", "beta__read", "put", "sum"]
    assert [t.public_name for t in registry.tools()] == names
    assert [t.definition["name"] for t in registry.tools()] == names
    assert registry.tool("alpha.read").name == "read"
    assert registry.tool("beta.put") is registry.tool("put") is registry.tool("beta__put")
    with pytest.raises(UnknownTool, match="call alpha__read or beta__read"):
        registry.tool("read")
    with pytest.raises(UnknownTool, match="did you mean 'alpha__read'"):
        registry.tool("alpha_read")


def test_the_version_tells_that_the_list_has_changed(named, make_server, make_tool, caplog):
    registry = named(alpha=["read"])
    before = registry.version
    registry.tools()
    assert registry.version == before
    told = registry.add_servers([make_server("beta", make_tool("read"))])
    assert registry.version > before
    assert registry.tool("alpha.read").server == "alpha"
    assert told == [
        "alpha.read is published as alpha__read now, no longer as read",
        "beta.read is published as beta__read",
    ]
    assert caplog.text.count("is published as") == 2


def test_a_server_of_a_known_name_replaces_it(named, make_server, make_tool):
    registry = named(alpha=["old"])
    registry.add_servers([make_server("alpha", make_tool("new"))])
    assert [t.public_name for t in registry.tools()] == ["new"]


def test_annotations_and_data_are_read(board, make_server, make_tool):
    registry = board(
        servers=[
            make_server(
                "s",
                make_tool("a", annotations={"readOnlyHint": True}, data=["path"]),
                make_tool("b", annotations={"idempotentHint": True}),
                make_tool("c", annotations={"readOnlyHint": "yes", "destructiveHint": True}),
            )
        ]
    ).registry
    a, b, c = (registry.tool(name) for name in "abc")
    assert (a.read_only, a.idempotent, a.repeatable) == (True, False, True)
    assert (b.read_only, b.idempotent, b.repeatable) == (False, True, True)
    assert not c.repeatable
    assert (a.data_arguments, b.data_arguments) == (("path",), None)


@pytest.mark.parametrize("hint", [{"privcy": "node"}, {"allow": ["zzz"]}, "node"])
def test_a_tool_whose_hint_cannot_be_read_is_left_out(board, make_server, make_tool, hint, caplog):
    broken, sound = make_tool("broken", hint=hint), make_tool("sound")
    registry = board(servers=[make_server("s", broken, sound)]).registry
    assert [t.public_name for t in registry.tools()] == ["sound"]
    assert "s.broken is left out" in caplog.text


def test_a_data_declaration_that_cannot_be_read_too(board, make_server, make_tool, caplog):
    registry = board(servers=[make_server("s", make_tool("t", data="path"))]).registry
    assert registry.tools() == []
    assert "dev.sanderling/data" in caplog.text


def test_the_built_in_tools_are_registered(board):
    registry = board(servers=built_in()).registry
    assert {"time"} <= {server.name for server in registry.servers()}
    entry = registry.tool("get_current_time")
    assert entry.module.artifact.path.stat().st_size == entry.module.artifact.size_bytes
