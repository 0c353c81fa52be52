"""Servers that nodes run by themselves: what is listed, where it is placed, in which way it runs."""

import json

import pytest

from dispatcher.errors import CallRefused, InvalidArguments, UnknownTool
from protos.edge.v1 import edge_pb2


def offer(name, *tools, backend="process", validate="", **more):
    catalogue = json.dumps({"tools": tools, **more}).encode()
    return edge_pb2.Server(
        name=name, backend=backend, version="3", catalogue=catalogue, validate=validate
    )


@pytest.fixture
def echo(make_tool):
    return make_tool("echo", properties={"text": {"type": "string"}})


def timed(exec_ms, backend=None):
    """A handler that takes so long in its own word, by backend if that is a mapping."""

    def handle(call, arguments):
        ms = exec_ms[call.backend] if isinstance(exec_ms, dict) else exec_ms
        body = json.dumps({"content": [{"type": "text", "text": call.backend}]}).encode()
        return edge_pb2.Result(
            status=edge_pb2.STATUS_DONE,
            result=edge_pb2.Payload(inline=body, size_bytes=len(body)),
            timings=edge_pb2.Timings(exec_ms=ms),
            backend=call.backend,
        )

    return handle


class TestListing:
    async def test_tools_of_a_nodes_server_are_listed_and_checked(self, run_app, attach, call):
        async with run_app() as app:
            version = app.registry.version
            schema = {
                "type": "object",
                "properties": {"page": {"type": "integer"}},
                "required": ["page"],
            }
            book = {"name": "turn", "inputSchema": schema}
            server = offer("book", book, validate="strict")
            node = await attach(app, backends=["wasm", "process"], servers=[server])
            assert app.registry.version > version
            reply = await call(app, "turn", {"page": 3})
            sent, arguments = node.calls[0]
            assert (sent.server, sent.tool, sent.backend) == ("book", "turn", "process")
            assert not sent.HasField("module")
            assert arguments == {"page": 3}
            assert reply.placement.backend == "process"
            with pytest.raises(InvalidArguments, match="page"):
                await call(app, "turn", {"page": "three"})

    @pytest.mark.parametrize("validate", ["", "server", "a newer word"])
    async def test_a_server_checks_for_itself_where_nobody_says_otherwise(
        self, run_app, attach, call, validate
    ):
        book = {
            "name": "turn",
            "inputSchema": {"type": "object", "properties": {"page": {"type": "integer"}}},
        }
        async with run_app() as app:
            node = await attach(app, servers=[offer("book", book, validate=validate)])
            for arguments in ({"page": "42"}, {"page": None}, {"more": 1}):
                await call(app, "turn", arguments)
                assert node.calls[-1][1] == arguments

    async def test_arguments_are_brought_into_form_for_a_server_of_coerce(
        self, run_app, attach, call
    ):
        book = {
            "name": "turn",
            "inputSchema": {
                "type": "object",
                "properties": {"page": {"type": "integer"}, "mark": {"type": "string"}},
            },
        }
        async with run_app() as app:
            node = await attach(app, servers=[offer("book", book, validate="coerce")])
            await call(app, "turn", {"page": "42", "mark": None})
            assert node.calls[-1][1] == {"page": 42}
            with pytest.raises(InvalidArguments, match="page"):
                await call(app, "turn", {"page": "first"})

    async def test_a_shared_name_is_qualified(self, run_app, attach, make_tool):
        async with run_app() as app:
            await attach(app, servers=[offer("shout", make_tool("echo"))])
            names = [entry.public_name for entry in app.registry.tools()]
            assert {"shout__echo", "text__echo"} <= set(names)
            assert "echo" not in names

    async def test_a_catalogue_may_come_and_go_later(self, run_app, attach, make_tool, until):
        async with run_app() as app:
            node = await attach(app)
            told = edge_pb2.Capabilities()
            told.CopyFrom(node.capabilities)
            told.servers.append(offer("late", make_tool("riser")))
            await node.send(heartbeat=edge_pb2.Heartbeat(changed=told))
            await until(lambda: app.registry.node("device").servers)
            assert app.registry.tool("riser").server == "late"
            await node.send(heartbeat=edge_pb2.Heartbeat(changed=node.capabilities))
            await until(lambda: not app.registry.node("device").servers)
            with pytest.raises(UnknownTool):
                app.registry.tool("riser")

    async def test_rubbish_in_a_catalogue_is_passed_over(self, run_app, attach, make_tool):
        servers = [
            edge_pb2.Server(name="broken", backend="process", catalogue=b"{"),
            edge_pb2.Server(name="odd", backend="process", catalogue=b"[1]"),
            offer("mixed", 7, {"no": "name"}, make_tool("fine")),
        ]
        async with run_app() as app:
            await attach(app, servers=servers)
            assert app.registry.tool("fine").server == "mixed"

    async def test_two_backends_of_one_tool_are_one_tool(self, run_app, attach, echo):
        async with run_app() as app:
            await attach(app, servers=[offer("text", echo)])
            entry = app.registry.tool("echo")
            assert [one.backend for one in entry.offers] == ["wasm", "process"]
            assert not entry.repeatable  # the process did not promise it

    async def test_other_arguments_are_another_tool(self, run_app, attach, make_tool, caplog):
        async with run_app() as app:
            await attach(app, servers=[offer("text", make_tool("echo", properties={"loud": {}}))])
            assert [one.backend for one in app.registry.tool("echo").offers] == ["wasm"]
            assert "give its server another name" in caplog.text

    async def test_a_promise_about_results_counts_only_if_all_make_it(
        self, run_app, attach, make_tool
    ):
        promising = {**make_tool("tell"), "outputSchema": {"type": "object"}}
        async with run_app() as app:
            one = offer("told", promising)
            two = offer("told", make_tool("tell"), backend="remote")
            await attach(app, servers=[one, two])
            assert "outputSchema" not in app.registry.tool("tell").definition


class TestPlacing:
    async def test_a_call_goes_only_where_the_server_is(self, run_app, attach, call, make_tool):
        async with run_app() as app:
            near = await attach(app, "device", backends=["wasm", "process"], speed=9000.0)
            far = await attach(app, "cloud", servers=[offer("book", make_tool("turn"))])
            for _ in range(3):
                await call(app, "turn")
            assert len(far.calls) == 3
            assert not near.calls
            record = (await call(app, "turn")).placement
            assert record.rejected == {"backend": 1}

    async def test_without_the_node_the_call_is_refused_by_name(
        self, run_app, attach, call, make_tool, until
    ):
        async with run_app() as app:
            await attach(app, "device")
            far = await attach(app, "cloud", servers=[offer("book", make_tool("turn"))])
            await far.vanish()
            await until(lambda: not app.registry.node("cloud").connected)
            with pytest.raises(CallRefused, match="start cloud again"):
                await call(app, "turn")

    async def test_a_nodes_servers_are_known_again_after_a_restart(
        self, run_app, attach, call, make_tool, tmp_path
    ):
        for _ in range(2):
            async with run_app(state=tmp_path / "kept") as app:
                await attach(app, servers=[offer("book", make_tool("turn"))])
                assert (await call(app, "turn")).placement.backend == "process"

    async def test_a_requirement_narrows_the_backend(self, run_app, attach, call, echo):
        async with run_app() as app:
            node = await attach(app, servers=[offer("text", echo)])
            for backend in ("process", "wasm"):
                reply = await call(app, "echo", {"text": "x"}, backend=[backend])
                assert reply.placement.backend == backend
                assert node.calls[-1][0].backend == backend
                assert node.calls[-1][0].HasField("module") == (backend == "wasm")
            with pytest.raises(CallRefused, match="backend"):
                await call(app, "echo", {"text": "x"}, backend=["remote"])

    async def test_the_way_that_has_proved_cheaper_is_taken(self, run_app, attach, call, echo):
        async with run_app() as app:
            handler = timed({"wasm": 80.0, "process": 4.0})
            await attach(app, servers=[offer("text", echo)], handler=handler)
            first = await call(app, "echo", {"text": "x"})
            assert first.placement.backend == "wasm"  # a process takes long to start
            for _ in range(4):
                await call(app, "echo", {"text": "x"}, backend=["process"])
                await call(app, "echo", {"text": "x"}, backend=["wasm"])
            learned = await call(app, "echo", {"text": "x"})
            assert learned.placement.backend == "process"
            assert learned.placement.predicted_ms < 40

    async def test_nodes_are_compared_by_the_best_that_each_has(
        self, run_app, attach, call, echo, make_tool
    ):
        async with run_app() as app:
            slow = await attach(app, "device", backends=["wasm"], handler=timed(80.0))
            both = await attach(
                app,
                "edge",
                backends=["wasm"],
                servers=[offer("text", echo)],
                handler=timed({"wasm": 80.0, "process": 2.0}),
            )
            for _ in range(4):
                await call(app, "echo", {"text": "x"}, backend=["process"])
                await call(app, "echo", {"text": "x"}, allow=["node:device"])
            reply = await call(app, "echo", {"text": "x"})
            assert (reply.placement.node, reply.placement.backend) == ("edge", "process")
            assert len(slow.calls) == 4
            assert len(both.calls) == 5
