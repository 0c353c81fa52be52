"""What binds a mount to a node: who had it first, also after a restart."""

import pytest

from dispatcher.call import CallRequest
from dispatcher.calls.waiting import for_nodes
from dispatcher.errors import CallRefused
from dispatcher.registry.claims import Claims

READ = {"path": "/private/a.txt"}
PRIVATE = {"policy": {"rules": [{"tools": ["read"], "privacy": "node"}]}}


@pytest.fixture(autouse=True)
def _nobody_is_awaited(monkeypatch):
    monkeypatch.setattr(for_nodes, "RETURN_S", 0.05)


def origin_of(app, arguments=READ, tool="read"):
    task, _ = app.calls._prepare(app.registry.tool(tool), CallRequest(tool, arguments))
    return task.spec.origin


class TestPrivate:
    async def test_a_later_node_with_an_earlier_name_gets_nothing(self, run_app, attach, call):
        async with run_app(PRIVATE) as app:
            await attach(app, "pi4", mounts=["/private"])
            await attach(app, "aaa", mounts=["/private"])
            await attach(app, "aab", mounts=["/private/a.txt", "/"])
            for _ in range(5):
                assert (await call(app, "read", READ)).placement.node == "pi4"

    async def test_nor_while_the_first_is_away(self, run_app, attach, call, until):
        async with run_app(PRIVATE) as app:
            first = await attach(app, "pi4", mounts=["/private"])
            other = await attach(app, "aaa", mounts=["/private"])
            await first.vanish()
            await until(lambda: app.agents.connected() == {"aaa"})
            with pytest.raises(CallRefused, match="pi4"):
                await call(app, "read", READ)
            assert not other.calls
            await attach(app, "pi4", mounts=["/private"])
            assert (await call(app, "read", READ)).placement.node == "pi4"

    async def test_nor_after_a_restart(self, run_app, attach, call):
        async with run_app(PRIVATE) as app:
            await attach(app, "pi4", mounts=["/private"])
        async with run_app(PRIVATE) as app:
            other = await attach(app, "aaa", mounts=["/private"])
            with pytest.raises(CallRefused, match="pi4"):
                await call(app, "read", READ)
            assert not other.calls

    async def test_nor_by_changing_what_it_said(self, run_app, attach, call, until):
        async with run_app(PRIVATE) as app:
            other = await attach(app, "aaa", mounts=["/other"])
            await attach(app, "pi4", mounts=["/private"])
            other.capabilities.mounts.add(path="/private")
            await other.beat(changed=other.capabilities)
            await until(lambda: "/private" in app.registry.node("aaa").mounts)
            assert (await call(app, "read", READ)).placement.node == "pi4"

    @pytest.mark.parametrize(
        "named",
        [
            {"policy": {"rules": [{"tools": ["read"], "privacy": "node", "allow": ["node:aaa"]}]}},
            {**PRIVATE, "dispatcher": {"origin": "aaa"}},
            {
                **PRIVATE,
                "agents": [
                    {"name": "first"},
                    {"name": "aaa", "mounts": [{"path": "/private", "directory": "/tmp"}]},
                ],
            },
        ],
        ids=["policy", "origin", "agents"],
    )
    async def test_the_operator_can_say_otherwise(self, run_app, attach, call, named):
        async with run_app(named) as app:
            await attach(app, "pi4", mounts=["/private"])
            await attach(app, "aaa", mounts=["/private"])
            assert (await call(app, "read", READ)).placement.node == "aaa"


class TestOthers:
    async def test_copies_of_what_is_public_stand_in_for_each_other(
        self, run_app, attach, call, until
    ):
        async with run_app() as app:
            first = await attach(app, "pi4", mounts=["/shared"])
            await attach(app, "aaa", mounts=["/shared"])
            path = {"path": "/shared/a"}
            assert origin_of(app, path) == "pi4"
            await first.vanish()
            await until(lambda: app.agents.connected() == {"aaa"})
            assert (await call(app, "read", path)).placement.node == "aaa"

    async def test_what_names_no_file_comes_from_who_came_first(self, run_app, attach):
        async with run_app() as app:
            await attach(app, "pi4")
            await attach(app, "aaa")
            assert origin_of(app, {}, "echo") == "pi4"


class TestKept:
    def test_a_state_from_before_gives_what_it_knows_the_first_claim(self, tmp_path):
        from dispatcher.store.sqlite import SqliteStore

        store = SqliteStore(tmp_path / "sanderling.db")
        store.open()
        claims = Claims(store)
        claims.claim("b", ["/x"])
        claims.claim("a", ["/x", "/y"])
        store.flush()
        again = Claims(store)
        again.restore()
        assert again.since_s("b", ["/x"], ["/x/1"]) < again.since_s("a", ["/x"], ["/x/1"])
        assert again.came_s("b") < again.came_s("a")
        store.forget_node("b")
        store.flush()
        fresh = Claims(store)
        fresh.restore()
        fresh.claim("b", ["/x"])
        assert fresh.since_s("a", ["/x"], ["/x/1"]) < fresh.since_s("b", ["/x"], ["/x/1"])
        store.close()
