"""What the board tells of its own state while the agent runs: heat, throttling, battery.

Read from /sys and reported on change. A value near a threshold must not flap, so each state has
two: one at which it begins, and another at which it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOT: Final = "hot"
THROTTLED: Final = "throttled"
ON_BATTERY: Final = "on-battery"
BATTERY_LOW: Final = "battery-low"

HOT_C: Final = 80.0
COOL_C: Final = 75.0
LOW_PERCENT: Final = 20.0
ENOUGH_PERCENT: Final = 25.0
TEMPERATURE_BAND_C: Final = 3.0
BATTERY_BAND_PERCENT: Final = 2.0
MEMORY_BAND: Final = 0.1

# Sensors without a part behind them read -127 or 0 kelvin.
_PLAUSIBLE_C: Final = (-40.0, 150.0)
_CPU_ZONES: Final = ("cpu", "soc", "x86_pkg", "core", "big", "little", "package")
_CPU_COOLERS: Final = ("cpufreq", "processor")
# Bits 0 to 3 are of this moment: under-voltage, capped frequency, throttled, soft temperature
# limit; from bit 16 on they only tell that it happened once.
# Source: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
_PI_THROTTLED: Final = "devices/platform/soc/soc:firmware/get_throttled"
_PI_NOW: Final = 0b1111


@dataclass(frozen=True, slots=True)
class Reading:
    """What the board says at one moment. None: it has no such sensor."""

    temperature_c: float | None = None
    throttled: bool = False
    battery_percent: float | None = None
    discharging: bool = False


@dataclass(frozen=True, slots=True)
class BoardState:
    """What is told of a board: figures that moved enough, and the states that hold."""

    temperature_c: float | None = None
    battery_percent: float | None = None
    states: frozenset[str] = frozenset()


class Board:
    """Reads a board again and again; ``sys`` is where the kernel shows it."""

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._sys = sys
        self._throttle_count: int | None = None
        self.state = BoardState()
        self.look()

    def look(self) -> bool:
        """Read the board; return whether :attr:`state` has changed."""
        found = steady(self.state, self.read())
        changed = found != self.state
        self.state = found
        return changed

    def read(self) -> Reading:
        """Return what the board says now."""
        battery = _battery(self._sys)
        return Reading(
            temperature_c=_temperature_c(self._sys),
            throttled=self._is_throttled(),
            battery_percent=None if battery is None else battery[0],
            discharging=battery is not None and battery[1],
        )

    def _is_throttled(self) -> bool:
        """Whether anything holds the processor back now, or has since the last look."""
        count = sum(
            _number(file) or 0
            for file in self._sys.glob("devices/system/cpu/cpu*/thermal_throttle/*_throttle_count")
        )
        before, self._throttle_count = self._throttle_count, count
        if before is not None and count > before:
            return True
        word = _text(self._sys / _PI_THROTTLED)
        if word and _hex(word) & _PI_NOW:
            return True
        return any(
            (_number(cooler / "cur_state") or 0) > 0
            for cooler in self._sys.glob("class/thermal/cooling_device*")
            if any(word in _text(cooler / "type").lower() for word in _CPU_COOLERS)
        )


def steady(before: BoardState, now: Reading) -> BoardState:
    """Return the state after a reading, close to the one before where little has moved."""
    states = set()
    if _holds(HOT in before.states, now.temperature_c, begins=HOT_C, ends=COOL_C):
        states.add(HOT)
    if now.throttled:
        states.add(THROTTLED)
    if now.discharging:
        states.add(ON_BATTERY)
        # Falling begins it, so both sides are turned around.
        left = None if now.battery_percent is None else -now.battery_percent
        if _holds(BATTERY_LOW in before.states, left, begins=-LOW_PERCENT, ends=-ENOUGH_PERCENT):
            states.add(BATTERY_LOW)
    return BoardState(
        temperature_c=moved(before.temperature_c, now.temperature_c, TEMPERATURE_BAND_C),
        battery_percent=moved(before.battery_percent, now.battery_percent, BATTERY_BAND_PERCENT),
        states=frozenset(states),
    )


def moved(before: float | None, now: float | None, band: float) -> float | None:
    """Return the value before, unless it has moved by ``band`` or more."""
    if before is None or now is None:
        return now
    return now if abs(now - before) >= band else before


def moved_share(before: int, now: int, share: float = MEMORY_BAND) -> int:
    """Return the amount before, unless it has moved by that share of itself."""
    return now if abs(now - before) > share * before else before


def _holds(held: bool, value: float | None, *, begins: float, ends: float) -> bool:  # noqa: FBT001
    """Whether a state holds that begins at ``begins`` and ends below ``ends``."""
    return value is not None and value >= (ends if held else begins)


def _temperature_c(sys: Path) -> float | None:
    """Return the temperature of the hottest zone of the processor, else of any zone."""
    zones = list(_zones(sys))
    processor = [c for name, c in zones if any(word in name for word in _CPU_ZONES)]
    return max(processor or [c for _, c in zones], default=None)


def _zones(sys: Path) -> Iterator[tuple[str, float]]:
    for zone in sys.glob("class/thermal/thermal_zone*"):
        millidegrees = _number(zone / "temp")
        if millidegrees is None:
            continue
        degrees = millidegrees / 1000
        if _PLAUSIBLE_C[0] < degrees < _PLAUSIBLE_C[1]:
            yield _text(zone / "type").lower(), degrees


def _battery(sys: Path) -> tuple[float | None, bool] | None:
    """Return the charge in percent, and whether the board lives on it; None without a battery.

    Of several, the fullest counts: it is what the board has left.
    """
    found = [
        (float(percent), _text(supply / "status").lower() == "discharging")
        for supply in sorted(sys.glob("class/power_supply/*"))
        if _text(supply / "type").lower() == "battery"
        and _text(supply / "scope").lower() != "device"  # that of a mouse
        and (percent := _number(supply / "capacity")) is not None
    ]
    if not found:
        return None
    return max(percent for percent, _ in found), any(drawn for _, drawn in found)


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:  # a sensor that is asleep answers with an error
        return ""


def _number(file: Path) -> int | None:
    try:
        return int(_text(file))
    except ValueError:
        return None


def _hex(word: str) -> int:
    try:
        return int(word, 16)
    except ValueError:
        return 0
