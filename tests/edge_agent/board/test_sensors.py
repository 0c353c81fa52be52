"""What a board tells of itself, from a made-up /sys."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.attachment.heartbeat import AlreadyTold, Heartbeats
from edge_agent.board.sensors import (
    BATTERY_LOW,
    HOT,
    ON_BATTERY,
    THROTTLED,
    Board,
    BoardState,
    Reading,
    moved_share,
    steady,
)
from edge_agent.board.speed import Speed
from edge_agent.calls.queue import Load

PI = "devices/platform/soc/soc:firmware/get_throttled"


@pytest.fixture
def sys(tmp_path):
    def put(**files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return put


def zone(number, kind, millidegrees):
    folder = f"class/thermal/thermal_zone{number}"
    return {f"{folder}/type": kind, f"{folder}/temp": millidegrees}


def battery(percent, status, name="BAT0", **more):
    folder = f"class/power_supply/{name}"
    files = {"type": "Battery", "capacity": percent, "status": status, **more}
    return {f"{folder}/{key}": value for key, value in files.items()}


def test_a_board_without_sensors_tells_nothing(tmp_path):
    assert Board(tmp_path).state == BoardState()
    assert Board(tmp_path / "absent").state == BoardState()


def test_the_hottest_zone_of_the_processor_counts(sys):
    root = sys(
        **zone(0, "acpitz", 90_000), **zone(1, "cpu-thermal", 61_500), **zone(2, "cpu1", 63_000)
    )
    assert Board(root).state.temperature_c == 63.0
    assert HOT not in Board(root).state.states


def test_where_no_zone_is_the_processors_any_counts(sys):
    root = sys(**zone(0, "acpitz", 27_800), **zone(1, "pch", -127_000), **zone(2, "none", "?"))
    assert Board(root).state.temperature_c == 27.8


def test_a_raspberry_pi_tells_that_it_is_throttled(sys):
    assert THROTTLED not in Board(sys(**{PI: "50000"})).state.states  # it was, once
    assert THROTTLED in Board(sys(**{PI: "50005"})).state.states  # under-voltage now
    assert THROTTLED not in Board(sys(**{PI: "nonsense"})).state.states


def test_a_cooler_that_slows_the_processor_is_throttling(sys):
    cooler = "class/thermal/cooling_device0"
    assert Board(sys(**{f"{cooler}/type": "Fan", f"{cooler}/cur_state": 2})).state.states == set()
    root = sys(**{f"{cooler}/type": "cpufreq-cpu0", f"{cooler}/cur_state": 2})
    assert Board(root).state.states == {THROTTLED}


def test_a_count_that_grows_is_throttling(sys):
    count = "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    board = Board(sys(**{count: 7}))
    assert board.state.states == set()
    sys(**{count: 9})
    assert board.look()
    assert board.state.states == {THROTTLED}
    assert board.look()
    assert board.state.states == set()


def test_the_battery_of_the_board_counts_not_that_of_a_mouse(sys):
    root = sys(**battery(90, "Discharging", "mouse", scope="Device"), **battery(55, "Charging"))
    assert Board(root).state == BoardState(battery_percent=55.0)


def test_states_begin_and_end_at_different_values():
    state = BoardState()
    seen = []
    for celsius in (79, 80, 78, 75.5, 74.9, 79):
        state = steady(state, Reading(temperature_c=celsius))
        seen.append(HOT in state.states)
    assert seen == [False, True, True, True, False, False]
    seen = []
    for percent in (21, 20, 23, 24.9, 25.1, 21):
        state = steady(state, Reading(battery_percent=percent, discharging=True))
        seen.append(BATTERY_LOW in state.states)
        assert ON_BATTERY in state.states
    assert seen == [False, True, True, True, False, False]
    state = steady(state, Reading(battery_percent=5, discharging=False))
    assert not state.states


def test_small_moves_are_not_told(sys):
    board = Board(sys(**zone(0, "cpu", 50_000)))
    sys(**zone(0, "cpu", 52_900))
    assert not board.look()
    sys(**zone(0, "cpu", 53_000))
    assert board.look()
    assert board.state.temperature_c == 53.0


@given(st.lists(st.floats(76, 79.9), min_size=1, max_size=50))
def test_between_its_thresholds_a_state_never_changes(temperatures):
    for begun in (frozenset(), frozenset({HOT})):
        state = BoardState(states=begun)
        for celsius in temperatures:
            state = steady(state, Reading(temperature_c=celsius))
            assert state.states == begun


def test_memory_is_told_when_it_moved_by_a_tenth():
    assert moved_share(0, 500) == 500
    assert moved_share(1000, 950) == 1000
    assert moved_share(1000, 1100) == 1000
    assert moved_share(1000, 899) == 899
    assert moved_share(1000, 0) == 0


# ---- in heartbeats --------------------------------------------------------------------------


class Idle:
    """A queue with nothing in it, or with something."""

    def __init__(self):
        self.idle = threading.Event()
        self.idle.set()
        self.load = lambda: Load(0, 0, 0.0, 0)


def heartbeats_of(board, warm=list, measured=()):
    found = list(measured)
    return Heartbeats(Idle(), board, warm, measure=lambda: found.pop(0), look_s=0.0)


def test_the_board_is_told_once_a_stream_and_when_it_changes(sys):
    board = Board(sys(**zone(0, "cpu", 60_000)))
    heartbeats, told = heartbeats_of(board), AlreadyTold()
    assert heartbeats.beat(100, told).board.temperature_c == 60.0
    assert heartbeats.beat(100, told).board is None
    sys(**zone(0, "cpu", 85_000))
    heartbeats.look()
    assert list(heartbeats.beat(100, told).board.states) == [HOT]
    assert heartbeats.beat(100, AlreadyTold()).board.temperature_c == 85.0


def test_a_board_that_becomes_throttled_is_measured_anew_when_idle(sys):
    board = Board(sys(**{PI: "0"}))
    slow = Speed(wasm=100.0)
    heartbeats = heartbeats_of(board, measured=[slow])
    assert heartbeats.look() is None
    sys(**{PI: "4"})
    heartbeats._queue.idle.clear()
    assert heartbeats.look() is None
    heartbeats._queue.idle.set()
    assert heartbeats.look() == slow
    assert heartbeats.look() is None


def test_modules_are_told_once_and_servers_always(tmp_path):
    ready = ["a" * 64, "process/time"]
    heartbeats, told = heartbeats_of(Board(tmp_path), warm=lambda: ready), AlreadyTold()
    assert list(heartbeats.beat(100, told).warm) == ready
    ready.append("b" * 64)
    assert list(heartbeats.beat(100, told).warm) == ["process/time", "b" * 64]
