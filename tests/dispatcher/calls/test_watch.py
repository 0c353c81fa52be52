"""What private calls give is remembered on every way to the client, and binds later calls."""

import asyncio
import json

import pytest

from dispatcher.call import CallRequest, Requirements
from dispatcher.errors import CallFailed, CallRefused, ClientRefused
from protos.contract import PLACEMENT_KEY
from protos.edge.v1 import edge_pb2

SECRET = "The committee will close the northern plant in the second week of March."
RULES = [{"tools": ["files.*"], "privacy": "node"}]


@pytest.fixture
def house(run_app, attach):
    """``app, agents = await house(stack...)``: a device with files, and a cloud."""

    def gives(_, arguments):
        text = SECRET if "path" in arguments else "done"
        return {"content": [{"type": "text", "text": text}]}

    async def build(app, handler=gives):
        device = await attach(app, "device", mounts=["/data"], handler=handler)
        nuc = await attach(app, "nuc", handler=handler, speed=5000.0)
        cloud = await attach(app, "cloud", tier="cloud", site="dc", handler=handler, speed=9000.0)
        return device, nuc, cloud

    return build


def policy(*rules, **more):
    return {"policy": {"rules": [*RULES, *rules], **more}, "dispatcher": {"explore": 0.0}}


async def test_the_label_goes_with_the_call_to_its_node(run_app, house, call):
    async with run_app(policy()) as app:
        device, nuc, cloud = await house(app)
        await call(app, "read", {"path": "/data/a"})
        for text in (SECRET, SECRET.upper(), f"so: {SECRET[20:70]}"):
            reply = await call(app, "echo", {"text": text})
            assert reply.placement.node == "device"
            assert reply.result["_meta"][PLACEMENT_KEY]["label"]["privacy"] == "node"
        sent, _ = device.calls[-1]
        assert (sent.label.privacy, sent.label.origin, sent.label.site) == (
            "node",
            "device",
            "home",
        )
        assert [list(grant.to) for grant in sent.egress] == [[]]
        assert not nuc.calls
        assert not cloud.calls


async def test_a_rule_of_its_own_leaves_a_tool_its_egress(run_app, house, call):
    async with run_app(policy({"tools": ["echo"], "privacy": "node"})) as app:
        device, *_ = await house(app)
        await call(app, "read", {"path": "/data/a"})
        reply = await call(app, "echo", {"text": SECRET})
        assert "label" not in reply.result["_meta"][PLACEMENT_KEY]
        sent, _ = device.calls[-1]
        assert (sent.label.privacy, list(sent.egress)) == ("node", [])


async def test_site_keeps_it_at_its_site(run_app, house, call):
    rules = {"rules": [{"tools": ["files.*"], "privacy": "site"}]}
    async with run_app({"policy": rules, "dispatcher": {"explore": 0.0}}) as app:
        *_, cloud = await house(app)
        await call(app, "read", {"path": "/data/a"}, deny=["node:nuc"])
        reply = await call(app, "echo", {"text": SECRET}, deny=["node:device"])
        assert reply.placement.node == "nuc"
        with pytest.raises(
            CallRefused, match=r"argument text holds what files.read gave"
        ) as refused:
            await call(app, "echo", {"text": SECRET}, allow=["tier:cloud"])
        assert refused.value.label["privacy"] == "site"
        assert not cloud.calls


async def test_labels_of_two_nodes_leave_none(run_app, attach, call, answer):
    async with run_app(policy()) as app:
        texts = {"pi4": SECRET, "nuc": SECRET[::-1]}
        for name in texts:
            await attach(
                app, name, mounts=[f"/{name}"], handler=lambda c, a: answer(texts[a["path"][1:4]])
            )
        for name in texts:
            reply = await call(app, "read", {"path": f"/{name}/a"})
            assert reply.placement.node == name
        with pytest.raises(CallRefused) as refused:
            await call(app, "echo", {"text": " ".join(texts.values())})
        assert "gave on pi4" in str(refused.value)
        assert "gave on nuc" in str(refused.value)


async def test_what_a_caller_calls_private_is_private(run_app, house, call):
    async with run_app(policy()) as app:
        await house(app, lambda c, a: {"content": [{"type": "text", "text": SECRET}]})
        await call(app, "echo", {"text": "x"}, privacy="node", origin="nuc")
        reply = await call(app, "act", {"text": SECRET})
        assert reply.placement.node == "nuc"


async def test_an_error_is_remembered(run_app, house, call):
    async with run_app(policy()) as app:
        failed = edge_pb2.Result(status=edge_pb2.STATUS_TRAP, message=f"trap at: {SECRET}")
        await house(
            app,
            lambda c, a: failed if "path" in a else {"content": [{"type": "text", "text": "ok"}]},
        )
        with pytest.raises(CallFailed, match="northern plant"):
            await call(app, "read", {"path": "/data/a"})
        reply = await call(app, "echo", {"text": SECRET})
        assert reply.placement.node == "device"


async def test_progress_is_remembered_before_it_is_heard(run_app, house, call):
    async with run_app(policy()) as app:
        heard = asyncio.Event()
        agents = {}

        async def slow(sent, arguments):
            if "path" not in arguments:
                return {"content": [{"type": "text", "text": "ok"}]}
            progress = edge_pb2.Progress(call_id=sent.id, progress=1, message=SECRET)
            await agents["device"].send(progress=progress)
            await asyncio.wait_for(done.wait(), 60)
            return {"content": []}

        async def sink(*_):
            heard.set()

        done = asyncio.Event()
        agents["device"], *_ = await house(app, slow)
        reading = asyncio.create_task(call(app, "read", {"path": "/data/a"}, progress=sink))
        await asyncio.wait_for(heard.wait(), 60)
        reply = await call(app, "echo", {"text": SECRET})
        assert reply.placement.node == "device"
        done.set()
        await reading


class Asked:
    """A client that can be asked for everything."""

    capabilities = {"sampling": {}, "roots": {}}  # noqa: RUF012 - never changed

    async def ask(self, method, params):
        raise AssertionError(method)


async def test_a_model_is_not_told_what_is_private(run_app, house, call):
    async with run_app(policy()) as app:
        device, *_ = await house(app)
        await call(app, "read", {"path": "/data/a"})
        for text, told in ((SECRET, {"roots"}), ("nothing of weight", {"roots", "sampling"})):
            request = CallRequest(
                "echo", {"text": text}, Requirements(allow=("node:device",)), client=Asked()
            )
            await app.calls.call(request)
            sent, _ = device.calls[-1]
            assert set(json.loads(sent.client)) == told


async def test_a_clients_answer_does_not_carry_it_elsewhere(run_app, house, call):
    async with run_app(policy()) as app:
        await house(app)
        await call(app, "read", {"path": "/data/a"})
        entry = app.registry.tool("echo")

        class Telling:
            capabilities = {"elicitation": {}}  # noqa: RUF012 - never changed

            async def ask(self, method, params):
                return {"action": "accept", "content": {"note": params["say"]}}

        request = CallRequest("echo", {"text": "x"}, client=Telling())
        for privacy, forbidden in (("public", True), ("node", False)):
            asked = Requirements(privacy=privacy, origin="device")
            task = app.scheduler.task(entry, request.arguments, asked, 1.0)
            client = app.calls._watch.watched(request, task).client
            assert await client.ask("elicitation/create", {"say": "nothing"})
            if forbidden:
                with pytest.raises(ClientRefused, match=r"may not go to .* files.read gave"):
                    await client.ask("elicitation/create", {"say": SECRET})
            else:
                assert await client.ask("elicitation/create", {"say": SECRET})


async def test_meta_of_a_request_is_looked_at(run_app, house, call):
    async with run_app(policy()) as app:
        await house(app)
        await call(app, "read", {"path": "/data/a"})
        reply = await call(app, "echo", {"text": "x"}, meta={"org.example/note": SECRET})
        assert reply.placement.node == "device"


async def test_off_binds_single_calls_only(run_app, house, call):
    async with run_app(policy(flow="off")) as app:
        await house(app)
        await call(app, "read", {"path": "/data/a"})
        reply = await call(app, "echo", {"text": SECRET}, allow=["tier:cloud"])
        assert reply.placement.node == "cloud"


async def test_what_a_tool_declassifies_is_free(run_app, house, call):
    async with run_app(policy(declassifies=["act"])) as app:
        await house(app, lambda c, a: {"content": [{"type": "text", "text": SECRET}]})
        await call(app, "read", {"path": "/data/a"})
        reply = await call(app, "act", {"text": SECRET})
        assert reply.placement.node == "device"
        reply = await call(app, "echo", {"text": SECRET}, allow=["tier:cloud"])
        assert reply.placement.node == "cloud"


async def test_it_is_known_after_a_restart(run_app, house, call, tmp_path):
    for turn in range(2):
        async with run_app(policy(), state=tmp_path / "kept") as app:
            await house(app)
            if turn == 0:
                await call(app, "read", {"path": "/data/a"})
            reply = await call(app, "echo", {"text": SECRET})
            assert reply.placement.node == "device"


async def test_explain_tells_the_label_and_changes_nothing(run_app, house, call):
    async with run_app(policy()) as app:
        device, *_ = await house(app)
        await call(app, "read", {"path": "/data/a"})
        explanation = app.calls.explain(CallRequest("echo", {"text": SECRET}))
        assert explanation.placed == "device"
        assert "files.read gave on device" in explanation.to_json()["label"]["why"]
        assert len(device.calls) == 1
