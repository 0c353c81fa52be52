"""Schedulers by name: the built-in ones, a package's own, and what none of them can do."""

import logging
import subprocess
import sys

import pytest

from dispatcher.config import schedulers
from dispatcher.errors import CallRefused, ConfigError
from dispatcher.placement.guard import Guard, guarded
from solver import CallSpec, Node, NodeTable, Placed, Profile, Refused
from solver.baselines import SCHEDULERS, Pick
from solver.instance.costs import Parts

PACKAGE = """
from solver.baselines import Pick

def last():
    return Pick(lambda table, call, able: int(able[-1]))

def broken():
    raise RuntimeError("no licence\\nfound")

def number():
    return 7
"""
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "tiny-scheduler"
version = "1.0"
[project.entry-points."sanderling.schedulers"]
last = "tiny_scheduler:last"
broken = "tiny_scheduler:broken"
missing = "tiny_scheduler:not_there"
number = "tiny_scheduler:number"
exact = "tiny_scheduler:number"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A distribution of its own, built and installed by pip into a folder."""
    project, site = (tmp_path_factory.mktemp(name) for name in ("project", "site"))
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "tiny_scheduler.py").write_text(PACKAGE)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--target", str(site))
    subprocess.run([*pip, *offline, str(project)], check=True, timeout=60)
    return site


@pytest.fixture
def package(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    return installed


def home(board, scheduler):
    one = board({"dispatcher": {"scheduler": scheduler, "origin": "device"}})
    one.join("device", tier="device", mounts=["/logs"])
    one.join("edge", tier="edge")
    one.join("cloud", tier="cloud", site="cloud")
    return one


class TestBuiltIn:
    def test_they_are_the_solvers(self):
        assert set(schedulers.BUILT_IN) == SCHEDULERS.keys()

    @pytest.mark.parametrize(
        ("name", "node"),
        [("exact", "device"), ("cp_sat", "device"), ("static", "cloud"), ("all_edge", "edge"),
         ("all_cloud", "cloud"), ("all_device", "device"), ("heuristic", "device"),
         ("brute_force", "device")],
    )  # fmt: skip
    def test_the_chosen_one_places(self, board, name, node):
        if name == "static":  # the first in the table
            one = board({"dispatcher": {"scheduler": name, "origin": "device"}})
            one.join("cloud", tier="cloud")
            one.join("device", tier="device")
        else:
            one = home(board, name)
        assert one.place("echo") == node
        assert one.scheduler.name == name

    @pytest.mark.parametrize("name", schedulers.BUILT_IN)
    def test_each_obeys(self, board, name):
        one = home(board, name)
        for _ in range(4):
            assert one.place("echo", {}, privacy="site") in {"device", "edge"}
            assert one.place("read", {"path": "/logs/a"}) == "device"
            assert one.place("echo", {}, allow=["tier:cloud"]) == "cloud"
        with pytest.raises(CallRefused, match="privacy"):
            one.place("echo", {}, privacy="node", deny=["node:device"])

    def test_explaining_takes_no_turn(self, board):
        one = home(board, "round_robin")
        task = one.task("echo")
        first = one.scheduler.explain(task).placed
        assert one.scheduler.explain(task).placed == first
        assert one.scheduler.place(task).node.name == first
        assert one.scheduler.explain(task).placed != first

    def test_an_explanation_names_who_prefers_the_dearer_node(self, board):
        one = home(board, "all_cloud")
        explained = one.scheduler.explain(one.task("echo"))
        assert (explained.placed, explained.runner_up) == ("cloud", "device")
        assert "which all_cloud prefers; device would take only" in explained.why


class TestPackages:
    def test_its_scheduler_is_chosen_by_name(self, package, board):
        one = home(board, "last")
        assert "last" in schedulers.known()
        assert (one.place("echo"), one.scheduler.name) == ("cloud", "last")
        assert one.place("echo", {}, privacy="site") == "edge"

    def test_it_cannot_replace_a_built_in_one(self, package, board):
        assert home(board, "exact").place("echo") == "device"
        assert schedulers.known().count("exact") == 1

    @pytest.mark.parametrize(
        ("name", "fault"),
        [
            ("broken", "cannot be made: RuntimeError: no licence found"),
            ("missing", "cannot be made: AttributeError"),
            ("number", "made a int, which cannot be called"),
        ],
    )
    def test_one_that_cannot_be_made_is_a_line(self, package, board, name, fault):
        with pytest.raises(ConfigError) as error:
            home(board, name)
        message = str(error.value)
        assert message.startswith(f"dispatcher.scheduler: '{name}' of tiny-scheduler (tiny_sch")
        assert fault in message
        assert "\n" not in message

    def test_an_unknown_one_is_a_line_with_all_there_are(self, package, board):
        with pytest.raises(ConfigError) as error:
            home(board, "best")
        assert "choose one of exact, cp_sat, static" in str(error.value)
        assert str(error.value).endswith("broken, last, missing, number")


@pytest.fixture
def table():
    table = NodeTable([Node("a", 100, 1), Node("b", 100, 1), Node("c", 100, 1)])
    table.link("a", "b", rtt_ms=1, mbit_s=100)
    table.remove("c")
    return table


@pytest.fixture
def call(table):
    profile = Profile(table, {"a": 2.0, "b": 1.0, "c": 1.0})
    return CallSpec(origin="a", profile=profile, privacy="node")


def at(node):
    """A scheduler that always chooses one node, and lies about the cost."""
    return lambda table, call: Placed(table, call, node, 0, 0.0, Parts(0, 0, 0, 0))


def fails(table, call):
    raise KeyError("a")


class TestGuard:
    @pytest.mark.parametrize(
        ("scheduler", "fault"),
        [
            (at("b"), "chose b, which may not run the call (privacy)"),
            (at("c"), "chose c, which may not run the call (privacy, link, not connected)"),
            (at("mars"), "chose 'mars', which is no node"),
            (fails, "failed with KeyError: 'a'"),
            (Refused, "refused a call that can run"),
            (lambda table, call: "a", "answered with a str"),
            (lambda table, call: None, "answered with a NoneType"),
        ],
    )
    def test_what_must_not_be_is_replaced_and_logged(self, table, call, caplog, scheduler, fault):
        guard = Guard("rogue", scheduler)
        with caplog.at_level(logging.WARNING, "sanderling.scheduler"):
            placed = guard(table, call)
            guard(table, call)
        assert (placed.node, placed.cost_ms, guard.overruled) == ("a", 2.0, 2)
        (line,) = caplog.messages  # no flood
        assert line == f"scheduler rogue {fault}; placed on a instead"

    def test_figures_are_the_tables_whatever_it_says(self, table, call):
        guard = Guard("liar", at("a"))
        placed = guard(table, call)
        assert (placed.cost_ms, placed.parts.exec, placed.index) == (2.0, 2.0, 0)
        assert guard.overruled == 0

    def test_a_full_node_is_not_chosen(self, table, call, caplog):
        table.update("a", slots=0)
        assert isinstance(Guard("rogue", at("a"))(table, call), Refused)
        assert "(capacity); refused" in caplog.messages[0]

    def test_a_call_that_nothing_may_run_is_refused_without_a_word(self, table, call, caplog):
        table.remove("a")
        for name in schedulers.BUILT_IN:
            assert isinstance(guarded(name)(table, call), Refused)
        assert caplog.messages == []

    def test_a_scheduler_that_cannot_be_copied_can_still_be_asked(self, table, call):
        guard = Guard("stuck", Pick(Uncopied()))
        assert guard.preview(table, call).node == "a"


class Uncopied:
    def __deepcopy__(self, memo):
        raise TypeError("has a lock")

    def __call__(self, table, call, able):
        return int(able[0])
