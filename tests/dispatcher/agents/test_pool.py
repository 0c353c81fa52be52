"""Agents attaching: the token, names, heartbeats, artifacts."""

import asyncio
import hashlib

import grpc
import pytest

from dispatcher.calls.waiting import for_nodes
from dispatcher.errors import CallRefused, ConfigError
from protos.edge.v1 import artifacts_pb2, artifacts_pb2_grpc, edge_pb2, edge_pb2_grpc


def status_of(error):
    return error.value.code()


class TestToken:
    async def test_a_wrong_or_missing_token_is_refused(self, run_app, attach, make_agent):
        async with run_app() as app:
            for token in ("wrong", app.token[:-1], app.token + "x"):
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await make_agent(app).attach(token=token)
                assert status_of(error) == grpc.StatusCode.UNAUTHENTICATED
                assert "token" in error.value.details()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{app.grpc_port}") as channel:
                stream = edge_pb2_grpc.EdgeStub(channel).Attach()
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await stream.read()
                assert status_of(error) == grpc.StatusCode.UNAUTHENTICATED
                fetch = artifacts_pb2_grpc.ArtifactsStub(channel).Fetch(
                    artifacts_pb2.FetchRequest(sha256="0" * 64)
                )
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await fetch.read()
                assert status_of(error) == grpc.StatusCode.UNAUTHENTICATED
            assert app.registry.nodes() == []

    async def test_the_operator_hears_of_it_once(self, run_app, make_agent, caplog):
        async with run_app() as app:
            for _ in range(5):
                with pytest.raises(grpc.aio.AioRpcError):
                    await make_agent(app).attach(token="wrong")
        told = [record.message for record in caplog.records if "refused" in record.message]
        assert len(told) == 1
        assert "wrong or missing token; give it the one of `sanderling token`" in told[0]

    async def test_it_is_made_once_and_kept_private(self, run_app, tmp_path):
        async with run_app() as app:
            first = app.token
        async with run_app() as app:
            assert app.token == first
            assert len(first) >= 40
        file = tmp_path / "state" / "token"
        assert file.stat().st_mode & 0o777 == 0o600

    async def test_the_environment_overrides_it(self, run_app, attach, monkeypatch, tmp_path):
        monkeypatch.setenv("SANDERLING_TOKEN", "from-the-environment")
        async with run_app() as app:
            await attach(app)
            assert app.token == "from-the-environment"
        assert not (tmp_path / "state" / "token").exists()
        monkeypatch.setenv("SANDERLING_TOKEN", "two words")
        with pytest.raises(ConfigError, match="SANDERLING_TOKEN"):
            async with run_app():
                pass


class TestRegistering:
    async def test_a_node_is_described_and_welcomed(self, run_app, attach):
        async with run_app() as app:
            agent = await attach(
                app, "pi4", mounts=["/logs/"], features=["camera"], labels={"rack": "2"}
            )
            (node,) = app.registry.nodes()
            assert (node.name, node.connected, node.mounts) == ("pi4", True, ("/logs",))
            assert node.features == {"camera"}
            assert node.labels == {"rack": "2"}
            assert agent.welcome.heartbeat_ms == 1000
            assert {m.server for m in agent.welcome.modules} == {"files", "text"}

    @pytest.mark.parametrize(
        ("name", "capabilities", "words"),
        [
            ("Big Box", {}, "no node name"),
            ("", {}, "no node name"),
            ("a", {"slots": 0}, "slots"),
            ("a", {"speed": float("nan")}, "speed"),
            ("a", {"mounts": ["logs"]}, "absolute"),
        ],
    )
    async def test_a_registration_that_cannot_be_used_is_refused(
        self, run_app, make_agent, name, capabilities, words
    ):
        async with run_app() as app:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await make_agent(app, name, **capabilities).attach()
            assert status_of(error) == grpc.StatusCode.INVALID_ARGUMENT
            assert words in error.value.details()
            assert app.registry.nodes() == []

    async def test_the_first_message_must_register(self, run_app):
        async with (
            run_app() as app,
            grpc.aio.insecure_channel(f"127.0.0.1:{app.grpc_port}") as channel,
        ):
            stream = edge_pb2_grpc.EdgeStub(channel).Attach(
                metadata=(("authorization", f"Bearer {app.token}"),)
            )
            await stream.write(edge_pb2.AttachRequest(heartbeat=edge_pb2.Heartbeat()))
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await stream.read()
            assert status_of(error) == grpc.StatusCode.INVALID_ARGUMENT

    async def test_a_live_name_is_taken(self, run_app, attach, make_agent, call):
        async with run_app() as app:
            await attach(app, "pi4")
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await make_agent(app, "pi4").attach()
            assert status_of(error) == grpc.StatusCode.ALREADY_EXISTS
            assert "give one of them another name" in error.value.details()
            assert (await call(app, "echo")).placement.node == "pi4"

    async def test_the_same_process_replaces_its_own_stream(self, run_app, attach, call):
        async with run_app() as app:
            old = await attach(app, "pi4", instance="same")
            new = await attach(app, "pi4", instance="same")
            assert (await call(app, "echo")).placement.node == "pi4"
            assert (len(old.calls), len(new.calls)) == (0, 1)
            assert app.registry.node("pi4").connected

    async def test_waiting_for_agents(self, run_app, attach):
        async with run_app() as app:
            waiting = asyncio.create_task(app.wait_for_agents(["a", "b"], 5))
            await attach(app, "a")
            assert not waiting.done()
            await attach(app, "b")
            await waiting
            with pytest.raises(TimeoutError, match=r"not connected within 0\.05 s: c"):
                await app.wait_for_agents(["a", "c"], 0.05)

    async def test_nodes_are_known_again_after_a_restart(self, run_app, attach, call, monkeypatch):
        monkeypatch.setattr(for_nodes, "RETURN_S", 0.1)
        async with run_app() as app:
            await attach(app, "pi4", mounts=["/logs"], features=["camera"])
        async with run_app() as app:
            (node,) = app.registry.nodes()
            assert (node.name, node.connected, node.mounts) == ("pi4", False, ("/logs",))
            assert node.last_seen > 0
            with pytest.raises(CallRefused, match="start pi4 again"):
                await call(app, "read", {"path": "/logs/a"})


class TestLife:
    async def test_overdue_heartbeats_suspend_and_the_next_resumes(
        self, run_app, attach, call, until
    ):
        async with run_app(heartbeat_ms=40) as app:
            agent = await attach(app, "pi4")
            node = app.registry.node("pi4")
            await until(lambda: not node.placeable)
            assert node.connected
            with pytest.raises(CallRefused, match="no connected node takes calls"):
                await call(app, "echo")
            await agent.beat()
            await until(lambda: node.placeable)
            assert (await call(app, "echo")).placement.node == "pi4"

    async def test_a_silent_stream_is_given_up(self, run_app, attach, until):
        async with run_app(heartbeat_ms=30) as app:
            await attach(app, "pi4")
            await until(lambda: not app.registry.node("pi4").connected)

    async def test_a_stale_name_may_be_taken(self, run_app, attach, until):
        async with run_app(heartbeat_ms=300) as app:
            await attach(app, "pi4")
            await until(lambda: not app.registry.node("pi4").placeable)
            assert app.registry.node("pi4").connected
            new = await attach(app, "pi4")
            assert app.agents._streams["pi4"].instance == new.instance
            assert app.registry.node("pi4").placeable

    async def test_heartbeats_tell_the_load_and_changes(self, run_app, attach, until):
        async with run_app() as app:
            agent = await attach(app, "pi4")
            changed = edge_pb2.Capabilities()
            changed.CopyFrom(agent.capabilities)
            changed.features.append("gpu")
            await agent.beat(running=2, queued=3, queue_ms=12.5, cpu_percent=50, changed=changed)
            node = app.registry.node("pi4")
            await until(lambda: node.queued == 3)
            assert (node.running, node.queue_ms, node.cpu_percent) == (2, 12.5, 50)
            assert node.features == {"gpu"}

    async def test_a_board_in_trouble_is_told_and_avoided_where_the_policy_says_so(
        self, run_app, attach, call, until
    ):
        rules = {"policy": {"rules": [{"tools": ["act"], "deny": ["state:throttled"]}]}}
        async with run_app(rules) as app:
            agent = await attach(app, "pi4")
            node = app.registry.node("pi4")
            assert (node.states, node.temperature_c) == (set(), None)
            await call(app, "act")
            board = edge_pb2.Board(temperature_c=84, states=["hot", "throttled"])
            await agent.beat(board=board)
            await until(lambda: node.states == {"hot", "throttled"})
            assert node.temperature_c == 84
            with pytest.raises(CallRefused, match="deny"):
                await call(app, "act")
            await agent.beat()  # nothing new of the board
            await agent.beat(board=edge_pb2.Board(temperature_c=70))
            await until(lambda: not node.states)
            await call(app, "act")

    async def test_the_way_to_an_agent_is_timed(self, run_app, attach, until):
        async with run_app() as app:
            agent = await attach(app, "pi4")
            node = app.registry.node("pi4")
            assert node.rtt_ms is None
            await agent.beat()
            await until(lambda: node.rtt_ms is not None)
            assert 0 < node.rtt_ms < 10_000
            assert app.scheduler.network._hop_ms["pi4"] == node.rtt_ms
            before = node.rtt_ms
            await agent.send(pong=edge_pb2.Ping(number=99))  # nobody asked
            await agent.beat(queued=1)
            await until(lambda: node.queued == 1)
            assert node.rtt_ms == before

    async def test_a_draining_node_gets_nothing_new_and_finishes(
        self, run_app, attach, call, until, answer
    ):
        async with run_app() as app:
            release = asyncio.Event()

            async def slow(sent, arguments):
                await release.wait()
                return answer("finished")

            agent = await attach(app, "pi4", handler=slow)
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            await agent.send(draining=edge_pb2.Draining(reason="upgrade"))
            await until(lambda: not app.registry.node("pi4").placeable)
            with pytest.raises(CallRefused):
                await call(app, "act")
            await agent.beat()
            release.set()
            assert (await running).result["content"][0]["text"] == "finished"
            assert not app.registry.node("pi4").placeable

    async def test_one_node_cannot_answer_for_another(self, run_app, attach, call, until, answer):
        async with run_app({"dispatcher": {"origin": "a"}}) as app:
            good = await attach(app, "a", handler=lambda c, x: None)
            evil = await attach(app, "b")
            running = asyncio.create_task(call(app, "act"))
            await until(lambda: good.calls)
            sent, _ = good.calls[0]
            await evil.answer(sent, answer("forged"))
            await asyncio.sleep(0.05)
            assert not running.done()
            await good.answer(sent, answer("honest"))
            assert (await running).result["content"][0]["text"] == "honest"

    async def test_stopping_ends_what_is_in_flight(self, run_app, attach, call, until):
        async with run_app() as app:
            agent = await attach(app, "a", handler=lambda c, x: None)
            running = [asyncio.create_task(call(app, name)) for name in ("act", "echo")]
            await until(lambda: len(agent.calls) == 2)
            await app.stop()
            outcomes = await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), 60)
            assert all("stopping" in str(error) for error in outcomes)

    async def test_a_stream_that_is_cancelled_twice_is_still_let_go(
        self, run_app, make_agent, until
    ):
        # gRPC does so now and then when a client vanishes.
        class Context:
            def __init__(self, app):
                self.token = app.token
                self.sent = [
                    edge_pb2.AttachRequest(
                        register=edge_pb2.Register(
                            node="pi4", instance="i", capabilities=make_agent(app).capabilities
                        )
                    )
                ]

            def invocation_metadata(self):
                return (("authorization", f"Bearer {self.token}"),)

            async def read(self):
                return self.sent.pop() if self.sent else await asyncio.Event().wait()

            async def write(self, message):
                await asyncio.sleep(0)

        async with run_app() as app:
            serving = asyncio.create_task(app.service.Attach(None, Context(app)))
            await until(lambda: app.registry.node("pi4"))
            for _ in range(3):
                serving.cancel()
                await asyncio.sleep(0)
            await asyncio.gather(serving, return_exceptions=True)
            assert not app.registry.node("pi4").connected


class TestArtifacts:
    async def fetch(self, app, **request):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{app.grpc_port}") as channel:
            stream = artifacts_pb2_grpc.ArtifactsStub(channel).Fetch(
                artifacts_pb2.FetchRequest(**request),
                metadata=(("authorization", f"Bearer {app.token}"),),
            )
            return [response async for response in stream]

    async def test_a_module_comes_in_chunks_and_may_be_resumed(
        self, run_app, tmp_path, make_server, make_tool
    ):
        entry = make_server("big", make_tool("t"))
        data = entry.artifact.path.read_bytes() * 200
        entry.artifact.path.write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        artifact = type(entry.artifact)(sha256, entry.artifact.path, len(data))
        async with run_app() as app:
            app.artifacts.add(artifact)
            parts = await self.fetch(app, sha256=sha256)
            assert b"".join(part.data for part in parts) == data
            assert parts[0].size_bytes == len(data)
            assert len(parts) > 1
            assert max(len(part.data) for part in parts) <= 256 * 1024
            rest = await self.fetch(app, sha256=sha256, offset_bytes=len(data) - 10)
            assert b"".join(part.data for part in rest) == data[-10:]

    @pytest.mark.parametrize(
        ("request_", "code"),
        [
            ({"sha256": "0" * 64}, grpc.StatusCode.NOT_FOUND),
            ({"sha256": "../../etc/passwd"}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"sha256": "A" * 64}, grpc.StatusCode.INVALID_ARGUMENT),
        ],
    )
    async def test_what_is_no_known_digest_is_refused(self, run_app, request_, code):
        async with run_app() as app:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await self.fetch(app, **request_)
            assert status_of(error) == code

    async def test_an_offset_past_the_end_is_refused(self, run_app):
        async with run_app() as app:
            artifact = app.registry.tool("echo").module.artifact
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await self.fetch(app, sha256=artifact.sha256, offset_bytes=artifact.size_bytes + 1)
            assert status_of(error) == grpc.StatusCode.OUT_OF_RANGE


class TestStarting:
    async def test_a_taken_port_is_named(self, run_app, tmp_path):
        async with run_app() as app:
            taken = {"dispatcher": {"grpc_port": app.grpc_port}}
            with pytest.raises(ConfigError, match=rf"grpc_port: port {app.grpc_port}"):
                async with run_app(taken, state=tmp_path / "other"):
                    pass

    async def test_a_state_directory_serves_one_dispatcher(self, run_app):
        async with run_app():
            with pytest.raises(ConfigError, match="is used by a running dispatcher"):
                async with run_app():
                    pass
        async with run_app() as app:
            assert app.grpc_port > 0
