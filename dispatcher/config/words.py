"""What the tables of the configuration are made of: names, selectors, egress rules."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PrivacyName = Literal["public", "site", "node"]
NODE_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
EGRESS_RULE = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._*-]+):[0-9]{1,5}")
SELECTOR_KINDS = ("tier", "site", "node", "isa", "state")

NodeName = Annotated[str, Field(pattern=NODE_NAME)]
Port = Annotated[int, Field(ge=0, le=65535)]
Word = Annotated[str, Field(min_length=1)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False, strict=False)]
#: What a caller may give as TOML or as an override: a string, or a path already.
DirectoryPath = Annotated[Path, Field(strict=False)]


def selector(value: str) -> str:
    """Check one "kind:value" selector.

    Raises:
        ValueError: the kind is unknown or the value is empty.
    """
    kind, colon, name = value.partition(":")
    if not colon or kind not in SELECTOR_KINDS or not name:
        kinds = ", ".join(f"{known}:NAME" for known in SELECTOR_KINDS)
        raise ValueError(f"{value!r} is no selector; write one of {kinds}")
    return value


def egress_rule(value: str) -> str:
    """Check the form of SCHEME://HOST:PORT; the agent checks the rest.

    Raises:
        ValueError: it has another form.
    """
    if not EGRESS_RULE.fullmatch(value):
        raise ValueError(f"{value!r}: write SCHEME://HOST:PORT, as in https://example.org:443")
    return value


EgressRule = Annotated[str, AfterValidator(egress_rule)]


class Table(BaseModel):
    """One table of the file: an unknown key or a wrong type is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def close(word: str, known: Sequence[str]) -> str:
    """The known name nearest to one that is not, in any case; "" where none is near."""
    found = [name for name in known if name.lower() == word.lower()]
    found = found or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    found = found or [name for name in known if word and name.startswith(word)]
    return found[0] if found else ""


def nearest(word: str, known: Sequence[str], otherwise: str) -> str:
    """Words for a mend: the known name nearest to one that is not, else all of them."""
    near = close(word, known)
    if near:
        return f"did you mean {near!r}?"
    return f"{otherwise} {', '.join(sorted(known)) or 'none'}"


def first_twice(names: Sequence[str]) -> str | None:
    """The first name that stands twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
