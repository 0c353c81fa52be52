"""A call from request to reply, over real gRPC, against agents that behave and agents that do not."""

import asyncio
import json

import pytest

from dispatcher.calls.attempts import MOST_FAILURES, MOST_RETURNS
from dispatcher.errors import (
    CallFailed,
    CallRefused,
    CallTimeout,
    InvalidArguments,
    NodeLost,
    UnknownTool,
)
from protos.edge.v1 import edge_pb2

PLACEMENT = "dev.sanderling/placement"
KEYS = {
    "node", "tier", "isa", "backend", "solver", "cold", "queue_ms", "start_ms", "exec_ms",
    "transfer_ms", "predicted_ms", "total_ms", "rejected",
}  # fmt: skip


async def test_a_call_runs_on_the_only_node_and_tells_where(run_app, attach, call, answer):
    async with run_app() as app:
        agent = await attach(
            app, handler=lambda c, a: answer(a["text"], _meta={"its": "own", PLACEMENT: "forged"})
        )
        reply = await call(app, "echo", {"text": "hello"})
        assert reply.result["content"] == [{"type": "text", "text": "hello"}]
        assert reply.result["_meta"]["its"] == "own"
        placement = reply.result["_meta"][PLACEMENT]
        assert set(placement) == KEYS
        assert placement["node"] == "device"
        assert placement["tier"] == "device"
        assert placement["isa"] == "x86_64"
        assert placement["backend"] == "wasm"
        assert placement["solver"] == "exact"
        assert placement["cold"] is True
        assert placement["rejected"] == {}
        assert placement["exec_ms"] == 0.05
        parts = ("queue_ms", "start_ms", "exec_ms", "transfer_ms")
        assert placement["total_ms"] >= sum(placement[part] for part in parts) - 0.01
        assert placement["predicted_ms"] > 0
        sent, _ = agent.calls[0]
        assert (sent.server, sent.tool, sent.backend) == ("text", "echo", "wasm")
        assert sent.module.sha256 == app.registry.tool("echo").module.artifact.sha256
        assert sent.limits.wall_ms == 30_000
        assert (sent.label.privacy, sent.label.origin, sent.label.site) == (
            "public", "device", "home",
        )  # fmt: skip


async def test_wrong_requests_are_refused_before_they_are_placed(run_app, attach, call):
    async with run_app() as app:
        agent = await attach(app)
        with pytest.raises(UnknownTool, match=r"'ecko'; did you mean 'echo'\?"):
            await call(app, "ecko")
        with pytest.raises(InvalidArguments, match=r'read: arguments: "path" is a required'):
            await call(app, "read")
        with pytest.raises(InvalidArguments, match=r"echo: arguments\.text: 7 is not of type"):
            await call(app, "echo", {"text": 7})
        with pytest.raises(InvalidArguments, match=r"read_many: arguments\.paths\[1\]: 2 is not"):
            await call(app, "read_many", {"paths": ["/a", 2]})
        assert agent.calls == []


async def test_arguments_that_are_no_json_are_refused(run_app, attach, call):
    async with run_app() as app:
        agent = await attach(app)
        for bad in (float("nan"), float("-inf")):
            with pytest.raises(InvalidArguments, match="echo: arguments"):
                await call(app, "echo", {"more": bad})
        for half in ("\ud83d", "NaN and \udc00"):
            with pytest.raises(InvalidArguments, match="half of a surrogate pair"):
                await call(app, "echo", {"text": half})
        whole = "NaN and Infinity, \U0001f426 and \u2028"
        await call(app, "echo", {"text": whole})
        ((_, arguments),) = agent.calls
        assert arguments["text"] == whole


async def test_without_a_node_a_call_is_refused_with_the_mend(run_app, call):
    async with run_app() as app:
        with pytest.raises(CallRefused, match="no node is connected") as refused:
            await call(app, "echo")
        assert "edge-agent run" in refused.value.mend


async def test_large_bodies_travel_in_chunks_both_ways(run_app, attach, call):
    async with run_app() as app:
        agent = await attach(app)
        text = "x" * 1_500_000
        replies = await asyncio.gather(
            call(app, "echo", {"text": text}),
            call(app, "echo", {"text": "small"}),
            call(app, "echo", {"text": text[::-1] + "y"}),
        )
        texts = [json.loads(r.result["content"][0]["text"])["text"] for r in replies]
        assert texts == [text, "small", text + "y"]
        assert len(agent.calls) == 3
        assert {c.arguments.inline == b"" for c, _ in agent.calls} == {True, False}


async def test_an_answer_over_its_limit_is_not_taken(run_app, attach, call, answer):
    rules = [{"limits": {"output_mib": 1, "open_files": 9, "log_kib": 2, "host_calls": 7}}]
    async with run_app({"policy": {"rules": rules}}) as app:
        agent = await attach(app, handler=lambda c, a: answer("x" * 2_000_000))
        with pytest.raises(CallFailed, match=r"raise limits\.output_mib"):
            await call(app, "echo")
        sent = agent.calls[0][0].limits
        assert (sent.output_bytes, sent.log_bytes) == (1024 * 1024, 2048)
        assert (sent.open_files, sent.host_calls, sent.disk_bytes) == (9, 7, 0)
        agent.handler = lambda c, a: answer("short")
        assert (await call(app, "echo")).result["content"][0]["text"] == "short"


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (edge_pb2.STATUS_TIMEOUT, CallTimeout, "time limit"),
        (edge_pb2.STATUS_MEMORY, CallFailed, "memory limit"),
        (edge_pb2.STATUS_OUTPUT, CallFailed, "over its limit"),
        (edge_pb2.STATUS_TRAP, CallFailed, "trapped"),
        (edge_pb2.STATUS_PROTOCOL, CallFailed, "no MCP"),
        (edge_pb2.STATUS_LIMIT, CallFailed, "one of its limits"),
    ],
)
async def test_what_the_agent_reports_becomes_an_error(run_app, attach, call, status, error, words):
    async with run_app() as app:
        await attach(app, handler=lambda c, a: edge_pb2.Result(status=status))
        with pytest.raises(error, match=words) as failed:
            await call(app, "echo")
        assert failed.value.node == "device"
        assert failed.value.placement.node == "device"


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"inputRequests": 5},
        {"inputRequests": {"a": 5}},
        {"inputRequests": {"a": {"method": 7}}},
        {"inputRequests": {"a": {"method": "roots/list", "params": "x"}}},
        {"requestState": 5},
    ],
)
async def test_a_round_that_asks_nothing_anybody_can_read_is_an_error(run_app, attach, call, odd):
    async with run_app() as app:
        await attach(app, handler=lambda c, a: {"resultType": "input_required", **odd})
        with pytest.raises(CallFailed, match="no MCP result"):
            await call(app, "echo")


async def test_an_answer_that_is_no_object_is_an_error(run_app, attach, call):
    async with run_app() as app:
        await attach(app, handler=lambda c, a: [1, 2])
        with pytest.raises(CallFailed, match="no MCP result"):
            await call(app, "echo")


async def test_a_tool_that_says_is_error_is_passed_on(run_app, attach, call, answer):
    async with run_app() as app:
        await attach(app, handler=lambda c, a: answer("no such file", isError=True))
        reply = await call(app, "echo")
        assert reply.result["isError"] is True
        assert reply.result["_meta"][PLACEMENT]["node"] == "device"


async def test_a_node_that_refuses_is_left_for_another(run_app, attach, call, until):
    async with run_app() as app:
        busy = edge_pb2.Result(status=edge_pb2.STATUS_REFUSED, message="queue is full")
        first = await attach(app, "device", handler=lambda c, a: busy)
        second = await attach(app, "edge", tier="edge")
        reply = await call(app, "act")
        assert reply.placement.node == "edge"
        assert len(first.calls) == len(second.calls) == 1
        await second.vanish()
        await until(lambda: not app.registry.node("edge").connected)
        with pytest.raises(CallRefused, match=r"no room \(device\).*try again in 0.2 s") as refused:
            await call(app, "act")
        assert refused.value.reasons == {"capacity": 1}
        assert refused.value.retry_ms == 200


async def test_of_many_full_nodes_the_one_with_room_is_found(run_app, attach, call):
    async with run_app() as app:
        busy = edge_pb2.Result(status=edge_pb2.STATUS_REFUSED, message="queue is full")
        full = [await attach(app, f"full{n}", handler=lambda c, a: busy) for n in range(7)]
        await attach(app, "zz", speed=1.0)  # the slowest, so it is asked last
        assert (await call(app, "act")).placement.node == "zz"
        assert [len(node.calls) for node in full] == [1] * 7


async def test_a_refusal_by_a_nodes_own_policy_says_so(run_app, attach, call):
    async with run_app() as app:
        denied = edge_pb2.Result(status=edge_pb2.STATUS_REFUSED, message="no", reason="deny")
        await attach(app, handler=lambda c, a: denied)
        with pytest.raises(CallRefused) as refused:
            await call(app, "act")
        assert (refused.value.reasons, refused.value.mend) == ({"deny": 1}, "")


async def test_a_reason_that_nobody_knows_is_want_of_room(run_app, attach, call):
    async with run_app() as app:
        odd = edge_pb2.Result(status=edge_pb2.STATUS_REFUSED, message="no", reason="\x1b[2J\n")
        await attach(app, handler=lambda c, a: odd)
        with pytest.raises(CallRefused) as refused:
            await call(app, "act")
        assert refused.value.reasons == {"capacity": 1}


async def test_a_module_that_cannot_be_had_is_tried_elsewhere_then_told(run_app, attach, call):
    async with run_app() as app:
        broken = edge_pb2.Result(status=edge_pb2.STATUS_UNAVAILABLE, message="disk is full")
        await attach(app, handler=lambda c, a: broken)
        with pytest.raises(CallFailed, match="device could not start it: disk is full"):
            await call(app, "act")


async def test_a_deadline_ends_a_call_that_never_answers(run_app, attach, call, until):
    async with run_app() as app:
        agent = await attach(app, handler=lambda c, a: None)
        with pytest.raises(CallTimeout, match="no answer from device"):
            await call(app, "echo", deadline_ms=100)
        sent, _ = agent.calls[0]
        assert 1 <= sent.limits.wall_ms <= 100
        await until(lambda: agent.cancels == [sent.id])


async def test_a_caller_that_leaves_cancels_on_the_node(run_app, attach, call, until):
    async with run_app() as app:
        agent = await attach(app, handler=lambda c, a: None)
        running = asyncio.create_task(call(app, "act"))
        await until(lambda: agent.calls)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: agent.cancels == [agent.calls[0][0].id])
        assert app.agents._flights == {}


async def test_progress_arrives_in_order_and_before_the_result(run_app, attach, call, answer):
    async with run_app() as app:
        seen = []

        async def sink(done, total, message):
            await asyncio.sleep(0.001)
            seen.append((done, total, message))

        async def handler(sent, arguments):
            assert sent.wants_progress
            for step in range(5):
                progress = edge_pb2.Progress(call_id=sent.id, progress=step, message=f"s{step}")
                if step == 4:
                    progress.total = 4
                await agent.send(progress=progress)
            return answer()

        agent = await attach(app, handler=handler)
        await call(app, "echo", progress=sink)
        assert [done for done, _, _ in seen] == [0, 1, 2, 3, 4]
        assert seen[0] == (0, None, "s0")
        assert seen[4] == (4, 4, "s4")


async def test_results_are_acknowledged(run_app, attach, call, until):
    async with run_app() as app:
        agent = await attach(app)
        await call(app, "echo")
        await until(lambda: agent.acks == [agent.calls[0][0].id])


async def test_the_account_keeps_calls_and_failures(run_app, attach, call):
    async with run_app() as app:
        agent = await attach(app)
        await call(app, "echo")
        agent.handler = lambda c, a: edge_pb2.Result(status=edge_pb2.STATUS_TRAP)
        with pytest.raises(CallFailed):
            await call(app, "echo")
        await asyncio.to_thread(app.store.flush)
        failed, done = app.store.calls(10)
        assert (done.tool, done.node, done.status) == ("text.echo", "device", "done")
        assert done.exec_ms == 0.05
        assert (failed.tool, failed.node, failed.status) == ("text.echo", "device", "CallFailed")


class TestNodeLost:
    async def test_a_read_only_call_goes_to_another_node(self, run_app, attach, call, until):
        async with run_app() as app:
            first = await attach(app, "device", handler=lambda c, a: None)
            second = await attach(app, "edge")
            running = asyncio.create_task(call(app, "echo"))
            await until(lambda: first.calls)
            await first.vanish()
            assert (await running).placement.node == "edge"
            assert second.calls[0][0].id != first.calls[0][0].id

    async def test_an_idempotent_call_too(self, run_app, attach, call, until):
        async with run_app() as app:
            first = await attach(app, "device", handler=lambda c, a: None)
            await attach(app, "edge")
            running = asyncio.create_task(call(app, "set"))
            await until(lambda: first.calls)
            await first.vanish()
            assert (await running).placement.node == "edge"

    async def test_a_read_only_call_with_no_other_node_waits_for_its_own(
        self, run_app, attach, call, until, answer
    ):
        async with run_app() as app:
            agent = await attach(app, handler=lambda c, a: None)
            running = asyncio.create_task(call(app, "echo"))
            await until(lambda: agent.calls)
            await agent.vanish()
            await until(lambda: not app.registry.node("device").connected)
            await attach(app, handler=lambda c, a: answer("again"))
            assert (await running).result["content"][0]["text"] == "again"

    async def test_any_other_call_ends_in_an_error_that_says_so(
        self, run_app, attach, call, monkeypatch, until
    ):
        monkeypatch.setattr("dispatcher.agents.pool.RECONNECT_S", 0.05)
        async with run_app() as app:
            first = await attach(app, "device", handler=lambda c, a: None)
            second = await attach(app, "edge")
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: first.calls)
            await first.vanish()
            with pytest.raises(NodeLost, match="may or may not have run") as lost:
                await running
            assert lost.value.placement.node == "device"
            assert lost.value.placement.total_ms > 0
            assert second.calls == []

    async def test_the_same_process_back_in_time_gets_the_same_call_again(
        self, run_app, attach, call, answer, until
    ):
        async with run_app() as app:
            agent = await attach(app, handler=lambda c, a: None)
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            await agent.vanish()
            await until(lambda: not app.registry.node("device").connected)
            agent.handler = lambda c, a: answer("from the record")
            await agent.attach()
            reply = await running
            assert reply.result["content"][0]["text"] == "from the record"
            before, after = (sent.id for sent, _ in agent.calls)
            assert before == after

    async def test_each_loss_has_its_own_wait(
        self, run_app, attach, call, answer, until, monkeypatch
    ):
        monkeypatch.setattr("dispatcher.agents.pool.RECONNECT_S", 3.0)
        async with run_app() as app:
            agent = await attach(app, handler=lambda c, a: None)
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            for _ in range(4):  # 1 s away each time: more than one wait, all together
                await agent.vanish()
                await until(lambda: not app.registry.node("device").connected)
                await asyncio.sleep(1.0)
                await agent.attach()
            agent.handler = lambda c, a: answer("at last")
            await agent.vanish()
            await until(lambda: not app.registry.node("device").connected)
            await agent.attach()
            assert (await running).result["content"][0]["text"] == "at last"

    async def test_a_read_only_call_goes_to_whichever_lost_node_is_back_first(
        self, run_app, attach, call, until, answer
    ):
        async with run_app() as app:
            first = await attach(app, "device", handler=lambda c, a: None)
            second = await attach(app, "edge", handler=lambda c, a: None)
            running = asyncio.create_task(call(app, "echo"))
            await until(lambda: first.calls)
            await first.vanish()
            await until(lambda: second.calls)
            await second.vanish()
            await until(lambda: not app.registry.node("edge").connected)
            await attach(app, "device", handler=lambda c, a: answer("again"))
            assert (await running).placement.node == "device"

    async def test_a_read_only_call_outlives_any_number_of_cuts_in_a_row(
        self, run_app, attach, call, until, answer
    ):
        async with run_app() as app:
            agent = await attach(app, handler=lambda c, a: None)
            running = asyncio.create_task(call(app, "echo"))
            for cut in range(1, MOST_RETURNS + 1):
                await until(lambda cut=cut: len(agent.calls) == cut)
                await agent.vanish()
                await until(lambda: not app.registry.node("device").connected)
                if cut == MOST_RETURNS:
                    agent.handler = lambda c, a: answer("at last")
                await agent.attach()
            assert (await running).result["content"][0]["text"] == "at last"

    async def test_a_read_only_call_that_ends_its_node_each_time_is_given_up(
        self, run_app, attach, call, until
    ):
        async with run_app() as app:
            running = None
            for number in range(1, MOST_FAILURES + 1):
                agent = await attach(app, "device", handler=lambda c, a: None)
                running = running or asyncio.create_task(call(app, "echo"))
                await until(lambda agent=agent: agent.calls)
                await agent.vanish()
                await until(lambda: not app.registry.node("device").connected)
                assert number == MOST_FAILURES or not running.done()
            with pytest.raises(NodeLost):
                await running

    async def test_a_restarted_process_has_lost_it(self, run_app, attach, call, until):
        async with run_app() as app:
            agent = await attach(app, handler=lambda c, a: None)
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            await agent.vanish()
            await until(lambda: not app.registry.node("device").connected)
            restarted = await attach(app, "device")
            with pytest.raises(NodeLost, match="was restarted"):
                await running
            assert restarted.calls == []

    async def test_a_cut_within_a_chunked_answer_does_not_mix_two_answers(
        self, run_app, attach, call, answer, until
    ):
        async with run_app() as app:

            async def half(sent, arguments):
                payload = edge_pb2.Payload(size_bytes=600_000)
                await agent.send(result=edge_pb2.Result(call_id=sent.id, status=1, result=payload))
                await agent.send(chunk=edge_pb2.Chunk(call_id=sent.id, data=b"x" * 1000))

            agent = await attach(app, handler=half)
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            await asyncio.sleep(0.05)
            await agent.vanish()
            await until(lambda: not app.registry.node("device").connected)
            agent.handler = lambda c, a: answer("y" * 600_000)
            await agent.attach()
            assert (await running).result["content"][0]["text"] == "y" * 600_000

    async def test_the_next_call_works_after_a_loss(
        self, run_app, attach, call, monkeypatch, until
    ):
        monkeypatch.setattr("dispatcher.agents.pool.RECONNECT_S", 0.05)
        async with run_app() as app:
            agent = await attach(app, handler=lambda c, a: None)
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            await agent.vanish()
            with pytest.raises(NodeLost):
                await running
            await attach(app, "device")
            assert (await call(app, "act")).placement.node == "device"
