"""Components that make names without end, or fill a disk with single bytes."""

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.component.disk_use import DiskUse
from edge_agent.engine.limits import MIB, Limits
from edge_agent.errors import CallTimeout, LimitExceeded
from edge_agent.mounts import make_mount
from tests.edge_agent.guests import components


@pytest.fixture
def place(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_component_that_makes_directories_without_end_is_ended(send, place):
    with pytest.raises(LimitExceeded, match=r"after making \d+ files .* raise disk_mib"):
        send(
            components.making_directories(60_000),
            mounts=[make_mount("/m", place)],
            disk_bytes=MIB,
            wall_ms=60_000,
        )
    assert len(list(place.iterdir())) > 200


def test_depth_hides_nothing(send, place):
    with pytest.raises(LimitExceeded, match="disk_mib"):
        send(
            components.making_directories(1500, deep=True),
            mounts=[make_mount("/m", place)],
            disk_bytes=MIB,
            wall_ms=60_000,
        )


def test_bytes_far_from_each_other_end_a_component(send, place):
    with pytest.raises(LimitExceeded, match=r"took \d+ bytes of the disk; .* raise disk_mib"):
        send(
            components.scattering(60_000),
            mounts=[make_mount("/m", place)],
            disk_bytes=MIB,
            wall_ms=60_000,
        )


def test_what_a_component_may_make_it_makes(send, place):
    with pytest.raises(CallTimeout):  # it waits once it has made them
        send(
            components.making_directories(200),
            mounts=[make_mount("/m", place)],
            disk_bytes=MIB,
            wall_ms=3000,
        )
    assert len(list(place.iterdir())) == 200


def test_what_was_there_before_is_nobodys(place):
    for n in range(1000):
        (place / f"old{n}").mkdir()
    call = CallState(Limits(disk_bytes=MIB), [make_mount("/m", place)])
    use = DiskUse(call)
    for n in range(1000):
        (place / f"old{n}").touch()  # changed, but not made
    assert use._judge(lambda: False) >= 1000
    assert call.stopped is None
