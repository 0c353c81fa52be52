"""What is read of a server's lists, however odd they are, and when they are read anew."""

import json
import sys

import pytest

from edge_agent.errors import CallTimeout
from tests.edge_agent.backends.conftest import PROGRAMS, Told, rude, wait_for


def lists(how, *more, **table):
    command = [sys.executable, "-S", str(PROGRAMS / "lists_server.py"), how, *map(str, more)]
    return {"name": "lists", "command": command, **table}


@pytest.fixture
def surveyed(agent):
    """The report of a server once it was asked, and its tools' names."""

    def make(table, **more):
        one = agent(table, start=True, **more)
        assert wait_for(lambda: one.report("lists").catalogue)
        report = one.report("lists")
        return report, [tool["name"] for tool in json.loads(report.catalogue)["tools"]]

    return make


def test_a_cursor_that_does_not_advance(surveyed):
    report, names = surveyed(lists("stuck"))
    assert names == ["t0", "t1"]
    assert report.warnings == ("tools/list: its cursor does not advance; the first 2 are kept",)
    assert json.loads(report.catalogue)["prompts"] == [{"name": "kept"}]


def test_a_cursor_that_is_a_number_is_given_back_as_one(surveyed):
    assert surveyed(lists("numbers"))[1] == ["tNone", "t1"]


def test_an_answer_without_a_list_is_told(surveyed):
    report, names = surveyed(lists("no list"))
    assert names == []
    assert "tools/list: its answer has no list" in report.warnings


@pytest.mark.parametrize(("how", "prompts"), [("silent", True), ("bare", False)])
def test_tools_are_asked_for_whether_the_server_says_that_it_has_them_or_not(
    surveyed, how, prompts
):
    report, names = surveyed(lists(how))
    assert names == ["slow", "quick"]
    assert bool(json.loads(report.catalogue)["prompts"]) == prompts
    assert report.warnings == ()


def test_more_pages_than_are_read(surveyed):
    report, names = surveyed(lists("many pages", catalogue_pages=120))
    assert names == [f"t{number}" for number in range(120)]
    (line,) = report.warnings
    assert "more than 120 pages; the first 120 are kept; raise catalogue_pages" in line


def test_more_bytes_than_are_read(surveyed):
    report, names = surveyed(lists("large", catalogue_kib=64))
    assert 100 < len(names) < 1000
    assert names == [f"t{number}" for number in range(len(names))]
    assert f"over 64 KiB; the first {len(names)} are kept" in report.warnings[0]
    assert len(report.catalogue) < 70_000


def test_a_list_that_is_larger_than_a_message_once_was(surveyed):
    report, names = surveyed(lists("many pages", catalogue_pages=9000))
    assert len(names) == 9000
    assert len(report.catalogue) > 1 << 20
    assert len(report.warnings) == 1


def test_a_list_that_ends_in_an_error(surveyed):
    report, names = surveyed(lists("broken"))
    assert names == ["t0"]
    assert "lost my place; the 1 read before are kept" in report.warnings[0]
    assert report.error == ""


def test_instructions_and_protocol_are_told(surveyed):
    report, _ = surveyed(lists("plain"))
    offered = json.loads(report.catalogue)
    assert offered["instructions"] == "Read the lists with care."
    assert offered["protocol"] == "2025-06-18"
    assert (report.state, report.slots, report.warnings) == ("running", 16, ())


def test_an_upgraded_server_is_asked_anew_when_the_agent_starts(agent, tmp_path):
    version = tmp_path / "version"
    version.write_text("old")
    table = lists("versions", version)
    one = agent(table, start=True)
    assert wait_for(lambda: one.report("lists").version == "old")
    one.servers.close()
    version.write_text("new")
    again = agent(table, start=True)
    assert again.report("lists").version == "old"  # at once, as it was kept
    assert wait_for(lambda: again.report("lists").version == "new")
    assert [one["name"] for one in json.loads(again.report("lists").catalogue)["tools"]] == ["new"]


def test_a_server_that_dies_of_its_start_tells_its_last_words(agent):
    one = agent(rude("dies"), start=True)
    assert wait_for(lambda: one.report("rude").error)
    report = one.report("rude")
    assert report.state == "failed"
    assert report.error.startswith("ended with exit code 3")
    assert report.words == "no licence found"
    assert wait_for(lambda: one.changes)


class TestTimeOfCalls:
    def test_progress_extends_a_call_that_nobody_bounds(self, agent):
        one = agent(lists("plain"))
        arguments = {"every_s": 0.2, "times": 12}
        job = {"wall_ms": 1000, "most_wall_ms": 60_000}
        assert one.text("lists", "slow", arguments, **job) == "slow"

    def test_but_not_past_the_most(self, agent):
        one = agent(lists("plain"))
        arguments = {"every_s": 0.1, "times": 400}
        with pytest.raises(CallTimeout, match="without an answer or a sign"):
            one.call("lists", "slow", arguments, wall_ms=1000, most_wall_ms=2000)

    def test_nor_one_with_a_bound(self, agent):
        one = agent(lists("plain"))
        arguments = {"every_s": 0.1, "times": 400}
        with pytest.raises(CallTimeout, match="wall time of 900 ms"):
            one.call("lists", "slow", arguments, wall_ms=900)

    def test_a_silent_one_ends(self, agent):
        one = agent(lists("plain"))
        with pytest.raises(CallTimeout, match=r"set limits\.wall_ms"):
            one.call("lists", "slow", {"every_s": 30, "times": 1}, wall_ms=500, most_wall_ms=60_000)

    def test_who_did_not_ask_for_progress_is_told_none(self, agent):
        # The queue drops it; here the reporter hears what the server told.
        one, told = agent(lists("plain")), Told()
        arguments = {"every_s": 0.01, "times": 3}
        one.call("lists", "slow", arguments, told=told, wall_ms=5000, most_wall_ms=6000)
        assert [step for step, *_ in told.progressed] == [0, 1, 2]
