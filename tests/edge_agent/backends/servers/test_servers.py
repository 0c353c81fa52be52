"""A process server while all goes well: started on demand, kept, ended; what it is given."""

import json
import os
import sys
import threading

import pytest

from edge_agent.backends.servers import live
from edge_agent.engine.limits import Limits
from edge_agent.errors import CallCancelled, CallTimeout, ModuleUnavailable
from tests.edge_agent.backends.conftest import Agent, Told, is_alive, rude, wait_for, workshop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """One workshop for all tests that leave it as it was: its start is dear."""
    one = Agent([workshop()], tmp_path_factory.mktemp("state"))
    yield one
    one.servers.close()


def test_a_server_is_started_by_its_first_call_and_kept(agent):
    one = agent(rude())
    assert one.servers.warm() == []
    first, answer = one.call("rude", "echo", {"text": "käse\n"})
    second, _ = one.call("rude", "echo", {"text": "again"})
    assert answer == {"content": [{"type": "text", "text": "käse\n"}]}
    assert (first.cold, second.cold) == (True, False)
    assert second.start_ms < first.start_ms
    assert one.servers.warm() == ["process/rude"]


def test_calls_that_come_together_share_one_start(agent, tmp_path):
    starts = tmp_path / "starts"
    one = agent(rude(env={"STARTS": str(starts)}))
    pids = []
    threads = [threading.Thread(target=lambda: pids.append(one.text("rude"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(set(pids)) == 1
    assert starts.read_text().split() == [pids[0]]


def test_an_idle_server_is_ended_and_comes_back(agent):
    one = agent(rude(idle_s=0.1), start=True)
    pid = int(one.text("rude"))
    assert wait_for(lambda: not is_alive(pid))
    assert one.servers.warm() == []
    assert int(one.text("rude")) != pid


def test_a_server_in_use_is_not_idle(agent):
    one = agent(rude(idle_s=0), start=True)
    assert int(one.text("rude", arguments={"what": "sleep", "seconds": 0.6}))


def test_one_that_ignores_every_request_to_end_is_killed(agent):
    one = agent(rude("ignores the end"))
    pid = int(one.text("rude"))
    one.servers.close()
    assert not is_alive(pid)


def test_its_environment_is_what_was_allowed(agent, monkeypatch):
    monkeypatch.setenv("SANDERLING_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("GITHUB_TOKEN", "passed by name")
    one = agent(workshop(env={"COLOUR": "green"}, pass_env=["GITHUB_TOKEN"]))

    def variable(name):
        return one.text("workshop", "variable", {"name": name})

    assert variable("SANDERLING_TOKEN") == "(not set)"
    assert variable("AWS_SECRET_ACCESS_KEY") == "(not set)"
    assert variable("GITHUB_TOKEN") == "passed by name"
    assert variable("COLOUR") == "green"
    assert variable("PATH") == os.environ["PATH"]


def test_it_runs_in_a_session_of_its_own_under_the_keeper(shop):
    _, answer = shop.call("workshop", "whoami")
    said = answer["structuredContent"]
    assert said["session"] == said["pid"]
    assert said["parent"] not in (os.getpid(), 1)


def test_progress_is_passed_on_where_it_is_wanted(shop):
    told = Told()
    arguments = {"to": 3, "pause_s": 0}
    shop.call("workshop", "count", arguments, told=told, wants_progress=True)
    assert told.progressed == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]
    quiet = Told()
    shop.call("workshop", "count", arguments, told=quiet)
    assert quiet.progressed == []


def test_a_flood_of_news_is_thinned_out(agent):
    one = agent(rude())
    told = Told()
    one.call("rude", arguments={"what": "news", "many": 20_000}, told=told)
    assert told.logged[0] == ("info", "rude", "0")
    assert len(told.logged) < 1000


def test_the_tools_own_errors_are_results(agent, shop):
    one = agent(rude())
    _, failed = shop.call("workshop", "fail", {"reason": "no ink"})
    _, unknown = one.call("rude", "paint")
    assert failed["isError"] is True
    assert "executing tool fail" in failed["content"][0]["text"]
    assert unknown == {"error": {"code": -32601, "message": "tools/call: not known"}}


def test_a_cancelled_call_ends_at_once_and_its_server_lives(shop):
    shop.call("workshop", "echo", {"text": "warm"})
    job = shop.job("workshop", "count", {"to": 1000, "pause_s": 0.05})
    timer = threading.Timer(0.2, job.cancel)
    timer.start()
    with pytest.raises(CallCancelled):
        job.run(Told())
    assert shop.text("workshop", "echo", {"text": "still there"}) == "still there"
    assert not shop.call("workshop", "echo", {"text": "x"})[0].cold


def test_a_call_that_is_cancelled_before_it_runs_starts_nothing(agent):
    one = agent(rude())
    job = one.job("rude")
    job.cancel()
    with pytest.raises(CallCancelled):
        job.run(Told())
    assert one.servers.warm() == []


def test_a_call_that_is_cancelled_while_its_server_starts_ends_at_once(agent):
    one = agent(rude("hangs"))
    job = one.job("rude")
    threading.Timer(0.2, job.cancel).start()
    with pytest.raises(CallCancelled):
        job.run(Told())


def test_a_server_that_is_stuck_after_its_time_is_replaced(agent, monkeypatch):
    monkeypatch.setattr(live, "SIGN_OF_LIFE_S", 0.2)
    one = agent(rude())
    pid = int(one.text("rude"))
    with pytest.raises(CallTimeout, match="wall time of 200 ms"):
        one.call("rude", arguments={"what": "spin"}, wall_ms=200)
    assert wait_for(lambda: not is_alive(pid))
    assert int(one.text("rude")) != pid


def test_large_arguments_and_answers_pass(agent):
    one = agent(rude())
    text = "ä" * 3_000_000
    assert one.text("rude", "echo", {"text": text}) == text


def test_the_catalogue_is_kept_and_told_before_the_server_is_started(agent, tmp_path):
    starts = tmp_path / "starts"
    table = rude(env={"STARTS": str(starts)})
    one = agent(table, start=True)
    assert one.report("rude").pending
    assert wait_for(lambda: not one.report("rude").pending)
    assert wait_for(lambda: one.changes)
    offered = json.loads(one.report("rude").catalogue)
    assert [tool["name"] for tool in offered["tools"]] == ["echo", "act"]
    one.servers.close()
    again = agent(table, start=True)
    assert json.loads(again.report("rude").catalogue) == offered
    assert again.report("rude").version == "1"
    assert len(starts.read_text().split()) == 1  # it was not started to know that


def test_everything_that_a_server_offers_is_in_its_catalogue(agent):
    one = agent(workshop(), start=True)
    assert wait_for(lambda: one.report("workshop").catalogue)
    offered = json.loads(one.report("workshop").catalogue)
    assert one.report("workshop").version == "7.1"
    assert "echo" in [tool["name"] for tool in offered["tools"]]
    assert [one["uri"] for one in offered["resources"]] == ["note://today"]
    assert [one["uriTemplate"] for one in offered["resourceTemplates"]] == ["note://on/{day}"]
    assert [one["name"] for one in offered["prompts"]] == ["greet"]


def test_other_methods_pass_with_their_results_and_errors(shop):
    def ask(method, **params):
        return shop.call("workshop", "", params, method=method)[1]

    read = ask("resources/read", uri="note://today")
    assert read["result"]["contents"][0]["text"] == "buy milk"
    prompt = ask("prompts/get", name="greet", arguments={"name": "Ada"})
    assert "Ada" in prompt["result"]["messages"][0]["content"]["text"]
    assert ask("resources/read", uri="note://nowhere/at/all")["error"]["code"] < 0


def test_a_server_that_nobody_configured_is_refused(agent):
    with pytest.raises(ModuleUnavailable, match="no such process server"):
        agent(rude()).job("other")


def test_limits_of_memory_and_files_hold(agent):
    one = agent(rude(limits={"memory_mib": 128, "open_files": 64}))
    assert one.text("rude", arguments={"what": "fill", "mib": 32}) == str(32 << 20)
    opened, _, why = one.text("rude", arguments={"what": "open"}).partition(": ")
    assert int(opened) < 64
    assert why == "Too many open files"
    with pytest.raises(Exception, match="MemoryError"):
        one.call("rude", arguments={"what": "fill", "mib": 512})


def test_a_limit_of_processor_time_holds(agent):
    one = agent(rude(limits={"cpu_s": 1}))
    with pytest.raises(Exception, match=r"SIGKILL|SIGXCPU"):
        one.call("rude", arguments={"what": "spin"})


def test_the_output_limit_of_the_call_holds(agent):
    one = agent(rude())
    with pytest.raises(Exception, match="over the limit of 1000"):
        one.call(
            "rude",
            arguments={"what": "large", "bytes": 2000},
            limits=Limits(output_bytes=1000),
        )
    assert one.text("rude", "echo", {"text": "still"}) == "still"


def test_mcp_server_time_runs_unchanged(agent):
    one = agent({"name": "time", "command": [sys.executable, "-m", "mcp_server_time"]})
    answer = one.text("time", "get_current_time", {"timezone": "Asia/Tokyo"})
    assert json.loads(answer)["timezone"] == "Asia/Tokyo"
