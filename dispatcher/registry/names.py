"""The names under which tools are published.

Model APIs take names of ``[a-zA-Z0-9_-]``, 64 letters at most, and refuse a whole request for one
other name. So a name that does not fit is made to: other letters become ``_``, the end is cut, and
a hash of the original follows, which keeps two apart and depends on nothing but the name. A name
that several servers have is published as ``server__tool``.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from dispatcher.registry.tools import ToolEntry

MOST: Final = 64  # letters
_FITS: Final = re.compile(rf"[a-zA-Z0-9_-]{{1,{MOST}}}")
_OTHER: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_DIGITS: Final = 8  # of the hash
_TITLE: Final = "title"


def fitting(name: str) -> str:
    """The name where it fits, else one that does and tells it from all others."""
    return name if _FITS.fullmatch(name) else _hashed(name, name)


def published(entries: Sequence[ToolEntry]) -> list[ToolEntry]:
    """The tools under their public names: no two have one, whatever the order they came in."""
    plain = {entry.key: fitting(entry.name) for entry in entries}
    count = Counter(plain.values())
    owners = {f"{entry.server}__{entry.name}": entry.server for entry in entries}
    names = {
        entry.key: plain[entry.key]
        for entry in entries
        if count[plain[entry.key]] == 1 and not _of_another(entry, plain[entry.key], owners)
    }
    shared = sorted((entry for entry in entries if entry.key not in names), key=_by_key)
    full = {entry.key: f"{entry.server}__{entry.name}" for entry in shared}
    wanted = Counter([*names.values(), *map(fitting, full.values())])
    for key, name in full.items():
        # "a" with "b__c" and "a__b" with "c" would be one; so would a tool that is called so.
        names[key] = fitting(name) if wanted[fitting(name)] == 1 else _hashed(name, key)
    return [_under(entry, names[entry.key]) for entry in entries]


def aliases(entries: Sequence[ToolEntry]) -> dict[str, ToolEntry]:
    """What else names a tool in a call: ``server.tool``, its server's name for it, ``server__tool``.

    Of two tools that one name means, the first of these counts. The second names none that two
    servers have.
    """
    count = Counter(entry.name for entry in entries)
    found = {entry.key: entry for entry in entries}
    for entry in sorted(entries, key=_by_key):
        if count[entry.name] == 1:
            found.setdefault(entry.name, entry)
    for entry in sorted(entries, key=_by_key):
        found.setdefault(f"{entry.server}__{entry.name}", entry)
    return found


def renamed(before: Mapping[str, ToolEntry], after: Mapping[str, ToolEntry]) -> list[str]:
    """What whoever added a server should know of names, one line each; both are by public name.

    First the tools that were published under another name before, then the new ones that are not
    published under their own.
    """
    old = {entry.key: name for name, entry in before.items()}
    changed, own = [], []
    for name, entry in after.items():
        if old.get(entry.key, name) != name:
            changed.append(f"{entry.key} is published as {name} now, no longer as {old[entry.key]}")
        elif entry.key not in old and name != entry.name:
            own.append(f"{entry.key} is published as {name}")
    return changed + own


def _of_another(entry: ToolEntry, name: str, owners: Mapping[str, str]) -> bool:
    """Whether it is called as another server's tool is in calls: nobody takes another's calls."""
    return owners.get(name, entry.server) != entry.server


def _under(entry: ToolEntry, name: str) -> ToolEntry:
    definition = entry.definition
    if definition.get("name") == name:
        return replace(entry, public_name=name)
    made = {**definition, "name": name}
    if not _FITS.fullmatch(entry.name) and not isinstance(made.get(_TITLE), str):
        made[_TITLE] = entry.name  # for people, who were to read the other
    return replace(entry, public_name=name, definition=made)


def _hashed(name: str, original: str) -> str:
    """The name made to fit, with a hash of what it was made of."""
    digest = hashlib.sha256(original.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    clean = _OTHER.sub("_", name).strip("_")[: MOST - _DIGITS - 1]
    return f"{clean}_{digest}" if clean else f"tool_{digest}"


def _by_key(entry: ToolEntry) -> str:
    return entry.key
