"""Calls to the time server, each at a moment of its own: days of clock changes above all."""

from datetime import UTC, datetime
from typing import Any

Call = tuple[str, dict[str, Any]]


def _at(written: str) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()


def _now(zone: Any) -> Call:
    return "get_current_time", {"timezone": zone}


def _convert(source: Any, time: Any, target: Any) -> Call:
    return "convert_time", {"source_timezone": source, "time": time, "target_timezone": target}


_ZONES = (
    "UTC", "Etc/UTC", "Etc/GMT+5", "GMT", "EST", "EST5EDT", "Europe/Paris", "Europe/London", "Europe/Dublin",
    "America/New_York", "America/St_Johns", "America/Argentina/Buenos_Aires", "Asia/Kolkata",
    "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Australia/Adelaide", "Pacific/Chatham",
    "Pacific/Kiritimati", "Pacific/Apia", "America/Vancouver", "Africa/Casablanca", "Africa/Cairo", "Antarctica/Troll", "Factory",
)  # fmt: skip

_BAD_ZONES = (
    "Mars/Base", "europe/paris", "Paris", "UTC+1", "+01:00", "Europe/Paris/", "Europe//Paris", "./UTC",
    "../UTC", "/etc/localtime", "Europe/../UTC", "..", ".", " UTC", "UTC ", "O'Hara", "a\"'b", "back\\slash",
    "new\nline", "", "GMT+5", "日本",
)  # fmt: skip

_BAD_TIMES = (
    "24:00",
    "12:60",
    "-1:00",
    "9",
    "9:5:1",
    "09.30",
    "",
    ":",
    "noon",
    " 9:00",
    "9:00 ",
    "001:00",
    "1:000",
    "+9:00",
)

MOMENTS: dict[str, tuple[float, list[Call]]] = {
    "winter": (
        _at("2026-01-15T12:34:56"),
        [_now(zone) for zone in (*_ZONES, *_BAD_ZONES)]
        + [_convert(source, "9:05", "Asia/Kathmandu") for source in _ZONES]
        + [_convert("UTC", time, "Asia/Kolkata") for time in _BAD_TIMES]
        + [
            _convert("Nowhere", "25:00", "UTC"),
            _convert("UTC", "25:00", "Nowhere"),
            _convert("", "1:00", ""),
            _convert("UTC", "1:00", ""),
            _convert("UTC", "0:0", "Pacific/Kiritimati"),
            _convert("Pacific/Kiritimati", "00:00", "Pacific/Pago_Pago"),
        ],
    ),
    "summer": (
        _at("2026-07-15T00:00:00"),
        [_now(zone) for zone in _ZONES]
        + [_convert("Europe/London", "23:59", target) for target in _ZONES],
    ),
    "Europe springs forward": (
        _at("2026-03-29T12:00:00"),
        [
            _convert("Europe/Paris", time, "UTC")
            for time in ("01:59", "02:00", "02:30", "02:59", "03:00")
        ]
        + [_convert("UTC", time, "Europe/Paris") for time in ("00:59", "01:00", "01:30")]
        + [
            _convert("Europe/Dublin", "01:30", "America/New_York"),
            _convert("Europe/London", "01:15", "UTC"),
        ],
    ),
    "Europe falls back": (
        _at("2026-10-25T01:30:00"),
        [_now("Europe/Paris"), _now("Europe/Dublin")]
        + [_convert("Europe/Paris", time, "UTC") for time in ("01:59", "02:00", "02:30", "03:00")]
        + [_convert("UTC", time, "Europe/Paris") for time in ("00:30", "01:30")],
    ),
    "one second before New York falls back": (
        _at("2026-11-01T05:59:59"),
        [_now("America/New_York"), _convert("America/New_York", "01:30", "UTC")],
    ),
    "Lord Howe moves by half an hour": (
        _at("2026-10-03T20:00:00"),
        [_now("Australia/Lord_Howe")]
        + [_convert("Australia/Lord_Howe", time, "UTC") for time in ("02:00", "02:15", "02:30")],
    ),
    "the year turns": (
        _at("2026-12-31T11:30:00"),
        [
            _now("Pacific/Kiritimati"),
            _now("Pacific/Pago_Pago"),
            _convert("Pacific/Kiritimati", "12:00", "Pacific/Pago_Pago"),
        ],
    ),
    "Ramadan": (_at("2026-03-01T12:00:00"), [_now("Africa/Casablanca"), _now("Africa/El_Aaiun")]),
    "leap day": (
        _at("2028-02-29T23:30:00"),
        [_now("Asia/Tokyo"), _convert("America/Los_Angeles", "16:00", "Asia/Tokyo")],
    ),
    "beyond the tables": (_at("2060-07-01T12:00:00"), [_now(zone) for zone in _ZONES]),
}

# The moments at which every zone is asked for its time.
ALL_ZONES_AT = {
    "January": _at("2026-01-10T00:00:00"),
    "July": _at("2026-07-10T00:00:00"),
    "later": _at("2030-12-01T00:00:00"),
}

WRONG: list[Call] = [
    _now(5),
    _now(None),
    ("get_current_time", {}),
    ("get_current_time", {"zone": "UTC"}),
    _convert("UTC", 900, "UTC"),
    ("convert_time", {"source_timezone": "UTC", "time": "9:00"}),
]
