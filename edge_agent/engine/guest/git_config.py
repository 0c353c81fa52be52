"""Read git's configuration files: the syntax, the includes and their conditions of git-config(1).

Of https://git-scm.com/docs/git-config, "Configuration file", and nothing is run for it: an agent
must not fork, and git need not be there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: A key as ``section.sub.name``, section and name in lower case; None: a key without ``=``.
Pair = tuple[str, str | None]

LARGEST_FILE_BYTES: Final = 1024 * 1024
_MOST_INCLUDES: Final = 10  # one in another, as in git
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b", "\\": "\\", '"': '"'}
_SECTION: Final = re.compile(r'\[([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n]|\\[^\n])*)")?\]')
_NAME: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t\r]*(=?)")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|[#;][^\n]*)*")


class BrokenConfigError(Exception):
    """A file cannot be read; its text says which and why, for people."""


@dataclass(frozen=True, slots=True)
class Repository:
    """What conditions of includes ask for: directories of this machine, branch, remotes' URLs."""

    git_dirs: tuple[str, ...] = ()
    branch: str = ""
    remotes: tuple[str, ...] = ()


def read_config(path: str, home: str, repository: Repository) -> list[Pair]:
    """Return all pairs of a file and of those it includes, later ones winning; [] for no file.

    Raises:
        BrokenConfigError: one of them is none, or may not be read.
    """
    return list(_pairs(path, home, repository, 0))


def _pairs(path: str, home: str, repository: Repository, depth: int) -> Iterator[Pair]:
    if depth > _MOST_INCLUDES:
        raise BrokenConfigError(f"{shown(path, home)}: includes go too deep")
    text = read_file(path, home)
    if text is None:
        return
    for key, value in parse(text.decode("utf-8", "replace"), shown(path, home)):
        yield key, value
        if value and _includes(key, path, home, repository):
            other = str(Path(path).parent / expand(value, home))
            yield from _pairs(other, home, repository, depth + 1)


def _includes(key: str, file: str, home: str, repository: Repository) -> bool:
    if key == "include.path":
        return True
    if not (key.startswith("includeif.") and key.endswith(".path")):
        return False
    kind, _, pattern = key[len("includeif.") : -len(".path")].partition(":")
    match kind:
        case "gitdir" | "gitdir/i":
            whole = _directory_pattern(pattern, file, home)
            return _matches(whole, repository.git_dirs, ignore_case=kind == "gitdir/i")
        case "onbranch":
            return _matches(_below(pattern), (repository.branch,))
        case "hasconfig":
            which, _, url = pattern.partition(":")
            return which == "remote.*.url" and _matches(url, repository.remotes)
    return False


def _directory_pattern(pattern: str, file: str, home: str) -> str:
    if pattern.startswith("./"):
        return _below(f"{os.path.realpath(Path(file).parent)}/{pattern[2:]}")
    whole = expand(pattern, os.path.realpath(home) if home else "")
    return _below(whole if whole.startswith("/") else f"**/{whole}")


def _below(pattern: str) -> str:
    return f"{pattern}**" if pattern.endswith("/") else pattern


def _matches(pattern: str, texts: Sequence[str], *, ignore_case: bool = False) -> bool:
    """Match as git's wildmatch does with paths: a star ends at a slash, two do not."""
    parts = []
    at = 0
    for found in re.finditer(r"\*\*/|/\*\*$|\*+|\?|\[[!^]?\]?[^\]]*\]|\\(.)", pattern, re.DOTALL):
        parts.append(re.escape(pattern[at : found.start()]))
        parts.append(_as_expression(found))
        at = found.end()
    parts.append(re.escape(pattern[at:]))
    try:
        whole = re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))
    except re.error:
        return False
    return any(whole.fullmatch(text) for text in texts)


def _as_expression(found: re.Match[str]) -> str:
    match found[0]:
        case "**/":
            return "(?:.*/)?"
        case "/**":
            return "/.*"
        case "?":
            return "[^/]"
        case text if text.startswith("*"):
            return ".*" if text == "**" else "[^/]*"
        case text if text.startswith("\\"):
            return re.escape(found[1])
        case text:
            inside = text[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            return f"[{'^' + inside[1:] if inside[:1] in {'!', '^'} else inside}]"


def parse(text: str, name: str) -> Iterator[Pair]:
    """Yield the pairs of a file's text; ``name`` is what people call the file.

    Raises:
        BrokenConfigError: names the line that is wrong.
    """
    text = text.removeprefix("\ufeff")
    section, at = "", 0
    while (at := _end(_BLANK, text, at)) < len(text):
        if found := _SECTION.match(text, at):
            section = found[1].lower()
            if found[2] is not None:
                section += "." + re.sub(r"\\(.)", r"\1", found[2])
            at = found.end()
        elif found := _NAME.match(text, at):
            value, at = _value(text, found.end(), name) if found[2] else (None, found.end())
            if value is None and text[at : at + 1] not in {"", "\n", "#", ";"}:
                raise _bad(text, at, name)
            yield f"{section}.{found[1].lower()}" if section else found[1].lower(), value
        else:
            raise _bad(text, at, name)


def _value(text: str, at: int, name: str) -> tuple[str, int]:
    """Read a value and where it ends: quotes, escapes, comments and continued lines."""
    out: list[str] = []
    kept, quoted = 0, False
    while at < len(text) and (text[at] != "\n" or quoted):
        letter = text[at]
        at += 1
        if letter in "#;" and not quoted:
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
            break
        if letter == '"':
            quoted = not quoted
        elif letter == "\\":
            end = _end(re.compile(r"\r?\n"), text, at)
            if end > at:
                at = end
                continue
            if text[at : at + 1] not in _ESCAPES:
                raise _bad(text, at, name)
            out.append(_ESCAPES[text[at]])
            at += 1
        elif letter == "\n":
            break
        elif letter in " \t\r" and not quoted:
            out.extend([letter] if out else [])
            continue
        else:
            out.append(letter)
        kept = len(out)
    if quoted:
        raise _bad(text, at - 1, name)
    return "".join(out[:kept]), at


def _end(expression: re.Pattern[str], text: str, at: int) -> int:
    found = expression.match(text, at)
    return found.end() if found else at


def _bad(text: str, at: int, name: str) -> BrokenConfigError:
    line = text.count("\n", 0, at) + 1
    return BrokenConfigError(f"bad config line {line} in file {name}")


def expand(path: str, home: str) -> str:
    """Put the home in the place of a ``~``; other users' homes are not looked up."""
    return f"{home}/{path[2:]}" if path.startswith("~/") and home else path


def shown(path: str, home: str) -> str:
    """Return a path for people, without where the home is."""
    return f"~{path[len(home) :]}" if home and path.startswith(home + "/") else path


def read_file(path: str, home: str) -> bytes | None:
    """Return a file's bytes; None where there is none.

    Raises:
        BrokenConfigError: it may not be read, is no file, or is over 1 MiB.
    """
    try:
        # What is no regular file could keep the call waiting.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "cannot be read").lower()
        raise BrokenConfigError(f"{shown(path, home)}: {why}") from None
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISCHR(mode):  # /dev/null, which says that there is none
            return None
        if not stat.S_ISREG(mode):
            raise BrokenConfigError(f"{shown(path, home)}: not a regular file")
        data = file.read(LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        raise BrokenConfigError(f"{shown(path, home)}: over 1 MiB")
    return data
