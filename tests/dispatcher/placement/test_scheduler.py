"""Where calls are placed: locality, privacy, origins, links, load. No transport here."""

import pytest

from dispatcher.errors import CallRefused
from dispatcher.registry.reports import Heartbeat

HOME = {"agents": [{"name": "device"}, {"name": "edge"}, {"name": "cloud"}]}


@pytest.fixture
def home(board):
    """Three nodes; device mounts /logs, edge /data; the cloud is at another site."""

    def make(**values):
        board_ = board({**HOME, **values})
        board_.join("device", tier="device", mounts=["/logs"])
        board_.join("edge", tier="edge", mounts=["/data"])
        board_.join("cloud", tier="cloud", site="cloud", features=["gpu"])
        return board_

    return make


class TestLocality:
    def test_a_file_under_a_mount_binds_the_call_to_its_node(self, home):
        assert home().place("read", {"path": "/logs/a.log"}) == "device"
        assert home().place("read", {"path": "/data/x/y"}) == "edge"
        assert home().place("read", {"path": "/logs"}) == "device"

    @pytest.mark.parametrize(
        "path", ["/logs2/a", "/etc/passwd", "/logs/../etc/passwd", "/", "/logs/../../data2", "/dat"]
    )
    def test_a_path_outside_every_mount_is_refused_everywhere(self, home, path):
        assert home().reasons("read", {"path": path}) == {"data": 3}

    @pytest.mark.parametrize(
        "path",
        ["/logs//a.log", "/logs/./a.log", "/data/../logs/a", "file:///logs/a.log", "//logs/a",
         "file://localhost/logs/a%20b"],
    )  # fmt: skip
    def test_paths_are_normalised_and_uris_read(self, home, path):
        task = home().task("read", {"path": path})
        assert home().place("read", {"path": path}) == "device"
        assert task.spec.data[0].startswith("/logs/a")

    def test_an_encoded_climb_out_is_seen(self, home):
        assert home().reasons("read", {"path": "file:///logs/%2e%2e/etc"}) == {"data": 3}

    def test_lists_of_paths_must_all_be_there(self, home):
        assert home().place("read_many", {"paths": ["/logs/a", "/logs/b"]}) == "device"
        assert home().reasons("read_many", {"paths": ["/logs/a", "/data/b"]}) == {"data": 3}

    def test_a_relative_path_is_beneath_the_origins_first_mount(self, home):
        board = home()
        assert board.task("read", {"path": "a/b.log"}).spec.data == ("/logs/a/b.log",)
        assert board.place("read", {"path": "a/b.log"}) == "device"
        assert board.place("read", {"path": "a"}, origin="edge") == "edge"
        assert board.reasons("read", {"path": "../etc"}) == {"data": 3}

    def test_a_tool_that_declares_nothing_is_bound_by_what_looks_like_a_mounted_path(self, home):
        board = home()
        assert board.task("echo", {"text": "/data/x"}).spec.data == ("/data/x",)
        assert board.place("echo", {"text": "/data/x"}) == "edge"
        assert board.place("echo", {"text": "file:///data/x"}) == "edge"
        for text in ("/etc/passwd", "/data/x\nmore", "data/x", "see /data/x"):
            assert board.task("echo", {"text": text}).spec.data == ()

    def test_a_file_of_a_node_that_is_away_is_not_looked_for_elsewhere(self, home):
        board = home()
        board.registry.detach(board.registry.node("device"))
        with pytest.raises(CallRefused, match="start device again") as refused:
            board.place("read", {"path": "/logs/a.log"})
        assert refused.value.reasons == {"data": 2}
        with pytest.raises(CallRefused):
            board.place("echo", {"text": "/logs/a.log"})


class TestOrigin:
    def test_named_by_the_caller_then_holder_then_default(self, home):
        board = home(dispatcher={"origin": "cloud"})
        assert board.task("echo", {}, origin="edge").spec.origin == "edge"
        assert board.task("read", {"path": "/data/a"}).spec.origin == "edge"
        assert board.task("echo", {}).spec.origin == "cloud"

    def test_of_several_holders_the_default_then_the_first_that_had_it(self, board):
        for default, expected in (("arm", "arm"), ("vm", "nuc")):
            one = board({"dispatcher": {"origin": default}})
            for name in ("vm", "nuc", "arm"):
                one.join(name, mounts=[] if name == "vm" else ["/d"])
            assert one.task("read", {"path": "/d/x"}).spec.origin == expected

    def test_the_first_agent_is_the_default_even_while_it_is_away(self, home):
        board = home()
        board.registry.detach(board.registry.node("device"))
        assert board.task("echo", {}).spec.origin == "device"
        assert board.place("echo", {}) == "edge"
        assert board.reasons("echo", {}, privacy="node") == {"privacy": 2}

    def test_without_configured_agents_the_connected_one_that_came_first(self, board):
        one = board()
        one.join("b")
        one.join("a")
        assert one.task("echo").spec.origin == "b"
        one.registry.detach(one.registry.node("b"))
        assert one.task("echo").spec.origin == "a"

    def test_of_several_nodes_with_the_file_one_that_may_run_the_call_is_its_origin(self, board):
        one = board({"agents": [{"name": "a"}, {"name": "b"}]})
        one.join("a", tier="device", mounts=["/d"])
        one.join("b", tier="edge", mounts=["/d"])
        assert one.task("read", {"path": "/d/x"}, privacy="node").spec.origin == "a"
        asked = {"privacy": "node", "allow": ["tier:edge"]}
        assert one.place("read", {"path": "/d/x"}, **asked) == "b"
        assert one.place("read", {"path": "/d/x"}, privacy="node", deny=["node:a"]) == "b"
        nowhere = {"privacy": "node", "allow": ["tier:cloud"]}
        assert one.reasons("read", {"path": "/d/x"}, **nowhere) == {"allow": 2}

    def test_an_origin_that_never_came_still_has_its_site(self, board):
        one = board({"dispatcher": {"origin": "phone"}, "agents": [{"name": "phone"}]})
        one.join("nuc")
        one.join("vm", site="dc")
        assert one.place("echo", {}, privacy="site") == "nuc"
        assert one.reasons("echo", {}, privacy="node") == {"privacy": 2}


class TestPrivacy:
    def test_node_site_public(self, home):
        links = [
            {"a": "device", "b": name, "rtt_ms": 0, "mbit_s": 1e6} for name in ("edge", "cloud")
        ]
        board = home(links=links)
        for name in ("device", "edge"):
            board.registry.node(name).speed = 1.0
            board.scheduler.costs.learned(board.registry.tool("echo"), board.registry.node(name))
        board.task("echo")
        for name in ("device", "edge", "cloud"):
            board.scheduler.costs.learned(board.registry.tool("echo"), board.registry.node(name))
        assert board.place("echo") == "cloud"
        assert board.place("echo", {}, privacy="site") in {"device", "edge"}
        assert board.place("echo", {}, privacy="node") == "device"
        assert board.place("echo", {}, privacy="node", origin="edge") == "edge"

    def test_an_origin_named_away_from_the_data_is_refused_under_node(self, home):
        reasons = home().reasons("read", {"path": "/logs/a"}, privacy="node", origin="edge")
        assert reasons == {"data": 2, "privacy": 1}

    def test_the_policy_cannot_be_widened(self, home):
        board = home(policy={"privacy": "node"})
        assert board.place("echo", {}, privacy="public") == "device"
        assert board.reasons("echo", {}, allow=["tier:cloud"]) == {"allow": 2, "privacy": 1}


class TestLists:
    def test_policy_and_caller_both_narrow(self, home):
        board = home(policy={"rules": [{"deny": ["tier:device"]}]})
        assert board.place("echo") == "edge"
        assert board.place("echo", {}, allow=["site:cloud"]) == "cloud"
        assert board.reasons("echo", {}, allow=["node:device"]) == {"allow": 2, "deny": 1}
        assert board.place("echo", {}, requires=["gpu"]) == "cloud"
        assert board.place("echo", {}, requires=["x86_64"]) == "edge"
        assert board.reasons("echo", {}, requires=["tpu"]) == {"requires": 3}
        assert board.reasons("echo", {}, backend=["container"]) == {"backend": 3}

    def test_a_hint_of_the_tool_narrows_too(self, board, make_server, make_tool):
        hinted = make_tool("shoot", hint={"requires": ["camera"], "privacy": "node"})
        one = board(servers=[make_server("cam", hinted)])
        one.join("a")
        assert one.reasons("shoot") == {"requires": 1}
        one.join("b", features=["camera"])
        assert one.reasons("shoot") == {"requires": 1, "privacy": 1}
        assert one.place("shoot", {}, origin="b") == "b"

    def test_masks_follow_nodes_that_join_and_change(self, board):
        one = board({"policy": {"rules": [{"allow": ["tier:cloud"]}]}})
        one.join("a")
        assert one.reasons("echo") == {"allow": 1}
        one.join("b", tier="cloud")
        assert one.place("echo") == "b"
        one.join("a", tier="cloud", speed=9000.0)
        one.registry.detach(one.registry.node("b"))
        assert one.place("echo") == "a"
        assert one.scheduler.place(one.task("echo")).rejected() == {}


class TestCost:
    def test_a_busy_node_is_left_for_a_free_one_and_returned_to(self, board):
        one = board({"dispatcher": {"origin": "a"}})
        one.join("a", slots=1)
        one.join("b", slots=1)
        first = one.scheduler.place(one.task("echo"))
        assert first.node.name == "a"
        one.scheduler.began(first)
        assert one.place("echo") == "b"
        one.scheduler.ended(first)
        assert one.place("echo") == "a"

    def test_full_nodes_are_not_refused(self, board):
        one = board()
        one.join("a", slots=1)
        for _ in range(5):
            one.scheduler.began(one.scheduler.place(one.task("echo")))
        queued = one.scheduler.place(one.task("echo"))
        assert queued.placed.parts.queue > 0

    def test_a_node_that_works_for_others_is_known_by_its_heartbeat(self, board):
        one = board({"dispatcher": {"origin": "a"}})
        a, _ = one.join("a"), one.join("b")
        one.registry.heartbeat(a, Heartbeat(running=4, queued=9, queue_ms=5000))
        assert one.place("echo") == "b"
        one.registry.heartbeat(a, Heartbeat())
        assert one.place("echo") == "a"

    def test_a_slow_link_keeps_large_inputs_at_home(self, board):
        link = {"a": "slow", "b": "fast", "rtt_ms": 2, "mbit_s": 1}
        one = board({"dispatcher": {"origin": "slow"}, "links": [link]})
        one.join("slow", speed=50.0)
        one.join("fast", speed=5000.0)
        entry, asked = one.registry.tool("echo"), one.app.parse_requirements(None)
        small = one.scheduler.task(entry, {}, asked, 0.1)
        large = one.scheduler.task(entry, {}, asked, 500.0)
        for node in ("slow", "fast"):
            one.registry.node(node).warm.add(entry.module.artifact.sha256)
            one.scheduler.node_described(one.registry.node(node))
        assert one.scheduler.place(small).node.name == "fast"
        assert one.scheduler.place(large).node.name == "slow"

    def test_learning_moves_the_choice(self, board):
        one = board({"dispatcher": {"origin": "a"}})
        one.join("a")
        one.join("b")
        entry = one.registry.tool("echo")
        assert one.place("echo") == "a"
        for _ in range(10):
            one.app.profiles.learn_exec(entry.key, "a", 1000.0, input_kib=0.1, exec_ms=400.0)
            one.app.profiles.learn_exec(entry.key, "b", 1000.0, input_kib=0.1, exec_ms=4.0)
        one.scheduler.costs.learned(entry, one.registry.node("a"))
        one.scheduler.costs.learned(entry, one.registry.node("b"))
        assert one.place("echo") == "b"

    def test_a_suspended_node_is_not_placed_on(self, board):
        one = board()
        node = one.join("a")
        one.registry.suspend(node)
        with pytest.raises(CallRefused, match="no connected node takes calls now"):
            one.place("echo")
        one.registry.resume(node)
        assert one.place("echo") == "a"


class TestWhyNot:
    def test_a_refusal_counts_reasons_and_names_the_mend(self, home):
        with pytest.raises(CallRefused) as error:
            home().place("read", {"path": "/etc/passwd"})
        refused = error.value
        assert str(refused).startswith("no node may run read (data: 3 nodes); to mend: ")
        assert (
            refused.mend
            == "name a path under /logs (device) or /data (edge) instead of /etc/passwd"
        )
        assert refused.core == ("data",)

    def test_a_path_outside_every_mount_and_more_in_the_way(self, home, board):
        one = home(policy={"rules": [{"deny": ["tier:device"]}]})
        mend = one.scheduler.explain(one.task("read", {"path": "/etc/passwd"})).mend
        assert mend == "name a path under /data (edge) instead of /etc/passwd"
        one = home(policy={"rules": [{"deny": ["tier:device", "tier:edge"]}]})
        mend = one.scheduler.explain(one.task("read", {"path": "/etc/passwd"})).mend
        assert mend.startswith("name a path under /logs (device) instead of /etc/passwd, and stop")
        bare = board()
        bare.join("a")
        mend = bare.scheduler.explain(bare.task("read", {"path": "/etc/passwd"})).mend
        assert "sanderling up --mount" in mend

    def test_the_runner_up_lost_by_its_parts(self, home):
        one = home(links=[{"a": "device", "b": "edge", "rtt_ms": 4, "mbit_s": 1000}])
        explained = one.scheduler.explain(one.task("echo"))
        assert (explained.placed, explained.runner_up) == ("device", "edge")
        assert "; the runner-up edge would take" in explained.why
        assert "(transfer +4.0" in explained.why
        alone = one.scheduler.explain(one.task("read", {"path": "/logs/a"}))
        assert alone.why.endswith("the only node that may run it")

    def test_following_the_mend_helps(self, home):
        board = home(policy={"rules": [{"privacy": "site"}, {"deny": ["tier:device"]}]})
        with pytest.raises(CallRefused) as error:
            board.place("read", {"path": "/logs/a"})
        assert error.value.mend.startswith("stop denying device, or mount")
        board = home(policy={"rules": [{"privacy": "site"}]})
        assert board.place("read", {"path": "/logs/a"}) == "device"

    def test_explain_has_the_form_of_the_contract(self, home):
        board = home()
        form = board.scheduler.explain(board.task("read", {"path": "/logs/a"})).to_json()
        assert set(form) == {"placed", "nodes", "core", "mend"}
        assert form["placed"] == "device"
        assert (form["core"], form["mend"]) == ([], "")
        by_name = {node["node"]: node for node in form["nodes"]}
        assert set(by_name) == {"device", "edge", "cloud"}
        for node in form["nodes"]:
            assert set(node) == {"node", "cost_ms", "parts", "reasons"}
            assert set(node["parts"]) == {"queue", "start", "exec", "transfer"}
        assert by_name["device"]["reasons"] == []
        assert by_name["device"]["cost_ms"] == pytest.approx(
            sum(by_name["device"]["parts"].values()), abs=0.01
        )
        assert by_name["edge"]["reasons"] == ["data"]
        assert by_name["edge"]["cost_ms"] is None

    def test_explain_of_a_refused_call(self, home):
        board = home()
        form = board.scheduler.explain(board.task("echo", {}, requires=["tpu"])).to_json()
        assert form["placed"] is None
        assert form["core"] == ["requires"]
        assert "tpu" in form["mend"]

    def test_explain_without_nodes(self, board):
        one = board()
        form = one.scheduler.explain(one.task("echo")).to_json()
        assert form["placed"] is None
        assert form["nodes"] == form["core"] == []
        assert "edge-agent run" in form["mend"]
