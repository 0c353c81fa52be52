"""What the log tools answer, said in Python: the language decides every detail.

Where docs/differences.md says that the original loses entries, it is as written there.
"""

import contextlib
import json
import math
import re
from collections import Counter

WORD = r"\S+"
#: The names of each rank, from debug to emergency, as docs/differences.md has them.
RANKS = [
    "debug trace verbose fine finer finest config silly spam all dbg dbug trc trce vrb d t v",
    "info information informational inf i log http success default normal statement detail hint",
    "notice note n",
    "warning warn wrn w caution",
    "error err e eror erro severe fail failed failure",
    "critical crit c fatal ftl fatl f dpanic fault assert",
    "alert",
    "emergency emerg panic disaster",
]
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names.split()}
RANK |= {f"audit{space}success": 1 for space in " _"} | {
    f"audit{space}failure": 3 for space in " _"
}
#: From which number on which rank; None: a level of nobody.
NUMBERS = {
    **{number: 7 - number for number in range(8)},
    8: None, 10: 0, 30: 1, 31: 2, 40: 3, 50: 4, 60: 5, 100: 0, 200: 1, 250: 2, 300: 3, 400: 4,
    500: 5, 550: 6, 600: 7, 900: 3, 1000: 4, 1001: None, 5000: 0, 10_001: 1, 20_001: 3,
    30_001: 4, 40_001: 5, 100_001: None,
}  # fmt: skip


def rank_of(level):
    """The rank of any value; None where no table knows it."""
    text = str(level).lower()
    marks = "[]()<>{}:|*.," + "".join(c for c in map(chr, range(0x3001)) if c.isspace())
    text = text.strip("".join(set(marks) - set("\x1c\x1d\x1e\x1f")))
    if text in RANK:
        return RANK[text]
    with contextlib.suppress(ValueError):
        number = float(text) if text.isascii() and "_" not in text else math.nan
        if number.is_integer() and number >= 0:
            return NUMBERS[max(start for start in NUMBERS if start <= number)]
    stepped = re.fullmatch(r"(\D{2,}?)[-+]*[0-9]+", text) or re.fullmatch(r"(\D{2,}?)[-+]+", text)
    return RANK.get(stepped[1]) if stepped else None


def group(name, body):
    return f"(?P<{name}>{body})"


DIGITS = r"\d+"
QUOTED = '[^"]*'


def access(identity, size):
    who = f"{group('ip', WORD)} {identity} {WORD}"
    when = rf"\[{group('time', '[^]]+')}\]"
    what = f'"{group("method", WORD)} {group("path", WORD)} {WORD}"'
    return f"{who} {when} {what} {group('status', DIGITS)} {group('size', size)}"


CLIENT = f' "{group("referrer", QUOTED)}" "{group("agent", QUOTED)}"'
DASH = r"\s+-\s+"
CLOCK = r"\d+:\d+:\d+"
FORMATS = {
    "apache_combined": access(WORD, WORD) + CLIENT,
    "apache_common": access(WORD, WORD),
    "nginx": access("-", DIGITS) + CLIENT,
    "syslog": r"\s+".join(
        [
            group("time", rf"\w{{3}}\s+\d+\s+{CLOCK}"),
            group("host", WORD),
            group("process", r"\S+?") + rf"(?:\[{group('pid', DIGITS)}\])?:",
            group("message", ".*"),
        ]
    ),
    "python": DASH.join(
        [
            group("time", r"\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d,\d{3}"),
            group("logger", WORD),
            group("level", WORD),
            group("message", ".*"),
        ]
    ),
}


def is_json(line):
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def detect(lines):
    for line in filter(None, map(str.strip, lines[:10])):
        if is_json(line):
            return "json"
        for name, pattern in FORMATS.items():
            if re.match(pattern, line):
                return name
    return "unknown"


def entry_of(line, name):
    if name == "json":
        return json.loads(line) if is_json(line) else None
    match = name in FORMATS and re.match(FORMATS[name], line)
    return match.groupdict() if match else {"raw": line, "parsed": False}


def level_of(entry):
    named = [
        entry[field] for field in ("level", "severity", "loglevel", "log_level") if field in entry
    ]
    if named:
        return str(named[0]).lower()
    if "status" in entry:
        hundreds = int(entry["status"]) // 100
        return "error" if hundreds >= 5 else "warning" if hundreds == 4 else "info"
    text = entry.get("message", entry.get("raw", "")).lower()
    words = ("error", "warning", "warn", "critical", "crit", "debug")
    level = next((word for word in words if word in text), "info")
    if level in {"debug", "info"}:
        # The original stops at the words above.
        grave = {"panic": 3, "emerg": 3, "emergency": 3, "fatal": 1, "dpanic": 1, "severe": 0}
        ranks = [grave[word] for word in re.split(r"[\W_]+", text) if word in grave]
        level = ["error", "critical", "alert", "emergency"][max(ranks)] if ranks else level
    return level


def parse_logs(log_content, format_type="auto", max_entries=1000):
    lines = log_content.split("\n")
    name = detect(lines) if format_type == "auto" else format_type
    entries, errors = [], 0
    for line in filter(None, map(str.strip, lines[:max_entries])):
        entry = entry_of(line, name)
        if entry:
            level = level_of(entry)
            entry["_level"] = level
            entries.append(entry)
        else:
            errors += 1
    return {
        "format_detected": name,
        "total_lines": len(lines),
        "parsed_count": len(entries),
        "error_count": errors,
        "entries": entries,
    }


def filter_entries(entries, min_level="warning", include_levels=None):
    if include_levels:
        wanted = {level.lower() for level in include_levels}
        kept = [entry for entry in entries if entry.get("_level", "info") in wanted]
    else:
        kept = [
            entry
            for entry in entries
            if (rank := rank_of(entry.get("_level", "info"))) is None or rank >= RANK[min_level]
        ]
    levels = Counter(entry.get("_level", "unknown") for entry in kept)
    return {
        "original_count": len(entries),
        "filtered_count": len(kept),
        "levels_included": list(levels),
        "by_level": dict(levels),
        "entries": kept,
    }


def compute_log_statistics(entries):
    if not entries:
        return {"entry_count": 0, "by_level": {}}

    def top(field):
        counts = Counter(entry[field] for entry in entries if field in entry)
        return dict(counts.most_common(10)) or None

    return {
        "entry_count": len(entries),
        "by_level": dict(Counter(entry.get("_level", "unknown") for entry in entries)),
        "by_status": top("status"),
        "top_ips": top("ip"),
        "top_paths": top("path"),
    }


def search_entries(entries, pattern, fields=None, case_sensitive=False):
    regex = re.compile(pattern, 0 if case_sensitive else re.IGNORECASE)
    fields = ["message", "raw"] if fields is None else fields
    matches = []
    for entry in entries:
        for field in fields:
            value = entry.get(field)
            if value and regex.search(str(value)):
                matches.append(
                    {"entry": entry, "matched_field": field, "matched_text": str(value)[:200]}
                )
                break
    return {
        "search_pattern": pattern,
        "fields_searched": fields,
        "total_entries": len(entries),
        "match_count": len(matches),
        "matches": matches[:100],
    }


def extract_time_range(entries):
    stamps = [entry.get("time", entry.get("timestamp")) for entry in entries]
    stamps = [str(stamp) for stamp in stamps if stamp]
    if not stamps:
        return {"has_timestamps": False, "entry_count": len(entries)}
    return {
        "has_timestamps": True,
        "entry_count": len(entries),
        "first_timestamp": stamps[0],
        "last_timestamp": stamps[-1],
        "sample_timestamps": stamps[:5],
    }
