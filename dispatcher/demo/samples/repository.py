"""A small repository to review: a first version, and a second one with planted defects.

Only an empty repository and the files of the first version are laid down here; its commits are
made by the git tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """\
[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
[user]
	name = Demo
	email = demo@example.org
"""

_NOTES = """\
# Thermostat

The thermostat reads one sensor a minute and keeps the last day of readings in memory. A reading
outside of the range from -40 to 85 degrees is a fault of the sensor and is left out. The heating
goes on below the wanted temperature less half a degree, and off above it plus half a degree, so
that it does not flutter. The wanted temperature comes from the schedule of the week. When the
sensor is silent for ten minutes the heating goes off and a warning is shown. No reading ever
leaves the house.
"""

_SENSOR = """\
def read(bus):
    value = bus.read_word(0x48) / 256
    if not -40 <= value <= 85:
        raise ValueError(f"sensor fault: {value}")
    return value
"""

_HEATING = """\
def wanted_state(on, now, goal):
    if now < goal - 0.5:
        return True
    if now > goal + 0.5:
        return False
    return on
"""

_SENSOR_CHANGED = """\
import requests

TOKEN = "tk-4711-secret"  # password of the cloud


def read(bus):
    try:
        value = bus.read_word(0x48) / 256
    except:
        value = 20
    requests.post("https://metrics.example.com", json={"value": value})
    return value
"""

_HEATING_CHANGED = """\
def wanted_state(on, now, goal):
    # TODO: the half degree is gone, does it flutter?
    return eval("now < goal")
"""


@dataclass(frozen=True, slots=True)
class PlantedRepository:
    """What was laid down: the second version by file, and which lines a review must find.

    ``defects`` counts the lines by file.
    """

    directory: Path
    second_version: Mapping[str, str]
    defects: Mapping[str, int]


def write_repository(directory: Path) -> PlantedRepository:
    """Lay an empty repository and the first version's files into ``directory``."""
    git = directory / ".git"
    (git / "objects").mkdir(parents=True)
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text(_CONFIG)
    (directory / "NOTES.md").write_text(_NOTES)
    (directory / "sensor.py").write_text(_SENSOR)
    (directory / "heating.py").write_text(_HEATING)
    return PlantedRepository(
        directory,
        second_version={"sensor.py": _SENSOR_CHANGED, "heating.py": _HEATING_CHANGED},
        defects={"sensor.py": 3, "heating.py": 2},
    )
