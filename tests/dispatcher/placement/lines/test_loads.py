"""The memory that a call needs, and the nodes that have it: from the policy to the placement."""

import asyncio

import pytest

from dispatcher.errors import CallRefused
from dispatcher.registry.reports import Heartbeat

NEED_200 = {"rules": [{"tools": ["act"], "limits": {"memory_mib": 200}}]}


@pytest.fixture
def two(board):
    """A small node where calls come from, and a large one."""

    def make(**values):
        one = board({"dispatcher": {"origin": "small"}, "policy": NEED_200, **values})
        one.join("small", memory_mib=128)
        one.join("large", memory_mib=1024)
        return one

    return make


def beat(board, node, free_mib, **load):
    told = Heartbeat(memory_free_mib=free_mib, **load)
    board.registry.heartbeat(board.registry.node(node), told)


class TestNeed:
    def test_a_limit_of_the_policy_is_what_a_node_must_have(self, two):
        one = two()
        assert one.place("echo") == "small"
        assert one.place("act") == "large"
        explained = one.scheduler.explain(one.task("act"))
        assert {v.node: v.reasons for v in explained.nodes} == {"small": ("memory",), "large": ()}
        assert one.scheduler.place(one.task("act")).rejected() == {"memory": 1}

    def test_a_tools_own_hint_counts_too(self, board, make_server, make_tool):
        heavy = make_tool("heavy", hint={"limits": {"memory_mib": 512}})
        one = board({"dispatcher": {"origin": "a"}}, servers=[make_server("x", heavy)])
        one.join("a", memory_mib=256)
        one.join("b", memory_mib=512)
        assert one.place("heavy") == "b"

    def test_a_call_that_no_node_can_hold_says_how_much_is_missing(self, board):
        one = board({"policy": NEED_200})
        one.join("small", memory_mib=128)
        with pytest.raises(CallRefused) as error:
            one.place("act")
        assert error.value.reasons == {"memory": 1}
        assert error.value.mend == "free 72 MiB on small"

    def test_a_call_of_no_word_fits_a_small_board(self, board):
        one = board()
        one.join("tiny", memory_mib=16)
        assert one.place("act") == "tiny"


class TestFree:
    def test_what_others_on_the_machine_use_is_not_there(self, two):
        one = two()
        beat(one, "large", 150)
        assert one.reasons("act") == {"memory": 2}
        beat(one, "large", 1000)
        assert one.place("act") == "large"

    def test_what_its_own_calls_hold_is_not_taken_for_others(self, two):
        one = two()
        beat(one, "large", 0, running=4)
        assert one.place("act") == "large"
        beat(one, "large", 100, running=2)
        assert one.place("act") == "large"

    def test_calls_that_run_hold_their_memory(self, board):
        one = board({"dispatcher": {"origin": "a"}, "policy": NEED_200})
        one.join("a", memory_mib=256, slots=4)
        one.join("b", memory_mib=256, slots=4)
        first = one.scheduler.place(one.task("act"))
        assert first.node.name == "a"
        one.scheduler.began(first)
        assert one.place("act") == "b"
        assert one.place("echo") == "a"
        one.scheduler.ended(first)
        assert one.place("act") == "a"

    def test_where_all_is_held_a_call_waits_instead_of_being_refused(self, board):
        one = board({"policy": NEED_200})
        one.join("a", memory_mib=256, slots=4)
        task = one.task("act")
        first = one.scheduler.place(task)
        one.scheduler.began(first)
        assert one.scheduler.place(task).node.name == "a"
        assert one.scheduler.explain(task).placed == "a"
        one.registry.detach(one.registry.node("a"))
        with pytest.raises(CallRefused):
            one.scheduler.place(task)

    def test_calls_that_wait_for_a_slot_hold_nothing(self, board):
        one = board()
        one.join("a", memory_mib=64, slots=2)
        for _ in range(20):
            one.scheduler.began(one.scheduler.place(one.task("echo")))
        assert one.scheduler.table.memory_mib[0] == 64 - 2 * 16

    async def test_what_was_held_comes_back_with_the_answers(self, run_app, attach, call):
        async with run_app({"policy": {"rules": NEED_200["rules"]}}) as app:
            await attach(app, "device", memory_mib=256)
            await asyncio.gather(*(call(app, "act") for _ in range(6)))
            assert app.scheduler.table.memory_mib[0] == 256
