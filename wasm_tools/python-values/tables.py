"""Write src/tables.rs: what CPython's `str` and `re` know about characters.

    python3.11 tables.py > src/tables.rs

The tables are facts of the running interpreter (its `str` methods and the case
folding of its `re` engine), so a run under another Python may give other
tables; the committed ones come from Python 3.11 (Unicode 14).
"""

# ruff: noqa: INP001, SLF001 - a script beside a crate, asking the interpreter about itself

import _sre
import re._casefix as casefix
import sys
import unicodedata
from collections.abc import Callable, Iterable

CODE_POINTS = 0x110000


def ranges(holds: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Inclusive ranges of the code points for which `holds`."""
    found: list[tuple[int, int]] = []
    for code in range(CODE_POINTS):
        if holds(chr(code)):
            if found and found[-1][1] == code - 1:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
    return found


def case_pairs() -> list[tuple[int, int]]:
    """(representative, other) for characters that `re.IGNORECASE` takes as one."""
    parent: dict[int, int] = {}

    def root(code: int) -> int:
        while parent.get(code, code) != code:
            code = parent[code]
        return code

    def join(a: int, b: int) -> None:
        a, b = sorted((root(a), root(b)))
        parent[b] = a

    for code in range(CODE_POINTS):
        join(code, _sre.unicode_tolower(code))
    for code, others in casefix._EXTRA_CASES.items():
        for other in others:
            join(code, other)
    return sorted((root(code), code) for code in parent if root(code) != code)


def runs(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """Pairs as runs (first, last, step, delta): first, first+step .. last, each paired with itself + delta."""
    by_delta: dict[int, list[int]] = {}
    for a, b in pairs:
        by_delta.setdefault(b - a, []).append(a)
    found: list[tuple[int, int, int, int]] = []
    for delta, codes in by_delta.items():
        at = 0
        while at < len(codes):
            best = at
            step = 1
            for wanted in (1, 2):
                end = at
                while end + 1 < len(codes) and codes[end + 1] - codes[end] == wanted:
                    end += 1
                if end > best:
                    best, step = end, wanted
            found.append((codes[at], codes[best], step, delta))
            at = best + 1
    return sorted(found)


def say(line: str) -> None:
    """Write one line of the file."""
    sys.stdout.write(line + "\n")


def emit(name: str, doc: str, kind: str, rows: list[tuple[int, ...]]) -> None:
    """Print one Rust table."""
    say(f"\n/// {doc}\n#[rustfmt::skip]\npub static {name}: &[{kind}] = &[")
    for row in rows:
        say("    (" + ", ".join(f"0x{n:x}" for n in row) + "),")
    say("];")


def main() -> None:
    """Print the whole file."""
    say(f"//! Written by tables.py from Python {sys.version_info.major}.{sys.version_info.minor}")
    say(f"//! (Unicode {unicodedata.unidata_version}); not edited by hand.")
    pair = "(u32, u32)"
    emit(
        "WORD",
        "Characters of `\\w`: `str.isalnum()` and the underscore.",
        pair,
        ranges(lambda c: c.isalnum() or c == "_"),
    )
    decimals = ranges(str.isdecimal)
    if any((b - a + 1) % 10 or unicodedata.decimal(chr(a)) for a, b in decimals):
        sys.exit(
            "decimal digits no longer come in rows from 0 to 9: decimal_value() in chars.rs must change"
        )
    emit("DECIMAL", "Characters of `\\d`; each range counts 0 to 9, over and over.", pair, decimals)
    emit(
        "UNPRINTABLE",
        "Characters that `repr()` escapes.",
        pair,
        ranges(lambda c: not c.isprintable()),
    )
    emit(
        "CASE_RUNS",
        "Characters alike under IGNORECASE: (first, last, step, delta).",
        "(u32, u32, u32, u32)",
        runs(case_pairs()),
    )


if __name__ == "__main__":
    main()
