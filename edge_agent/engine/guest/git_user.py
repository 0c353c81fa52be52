"""What the git server is told of its node user's own git configuration, and nothing more.

It is what ``git config --system`` and ``--global`` would give there: a name, an address, and the
settings that the tools heed. Where a value could hold a secret or a path of this machine (credentials, headers, URLs,
commands), it stays here. Only a server named ``git`` is told (`edge_agent.engine.call_state.GIT_SERVER`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge_agent.engine.guest.git_config import (
    Pair,
    Repository,
    expand,
    read_config,
    read_file,
)

#: The hooks that the tools would have to run, or to name.
_HOOKS: Final = (
    "pre-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "post-checkout",
)
_SYSTEM: Final = "/etc/gitconfig"  # of git as distributions build it
_TRUE: Final = re.compile(r"true|yes|on|[+-]?0*[1-9]\d*", re.IGNORECASE)
_TOLD: Final = re.compile(
    r"(?:user|author|committer)\.(?:name|email)|user\.useconfigonly"
    r"|commit\.gpgsign|tag\.gpgsign"
    r"|core\.(?:abbrev|autocrlf|eol|safecrlf|quotepath|ignorecase|filemode|symlinks"
    r"|logallrefupdates|usereplacerefs|precomposeunicode)"
    r"|advice\.[a-z]+"
    r"|status\.(?:showuntrackedfiles|aheadbehind|showstash|renames|renamelimit|relativepaths)"
    r"|diff\.(?:algorithm|renames|renamelimit|noprefix|mnemonicprefix|interhunkcontext"
    r"|suppressblankempty|ignoresubmodules|indentheuristic)"
    r"|diff\..+\.(?:binary|xfuncname|funcname)"
)
#: Told to be there, so that nobody stores what such a program would have changed first.
_PROGRAMS: Final = re.compile(r"filter\..+\.(?:clean|smudge|process|required)", re.DOTALL)
_A_PROGRAM: Final = "(a program of the node)"


def tell(repository: Repository, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return ``{"config", "ignore", "attributes", "hooks"}``, the last three where there are any.

    ``config`` has pairs of key and value, later ones winning; ``ignore`` and ``attributes`` are
    the texts of the user's excludes and attributes file, with a character of U+0000 to U+00FF for
    each byte; ``hooks`` are the names of the hooks in a directory that the user has for all
    repositories. ``environment`` says where all this is, as it does for git: ``GIT_CONFIG_SYSTEM``,
    ``GIT_CONFIG_NOSYSTEM``, ``GIT_CONFIG_GLOBAL``, ``XDG_CONFIG_HOME``, ``HOME``.

    Raises:
        BrokenConfigError: git would stop here too.
    """
    home = environment.get("HOME", "")
    own = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    pairs: list[Pair] = []
    for path in _files(environment, home, own):
        pairs += read_config(path, home, repository)
    last = dict(pairs)
    told: dict[str, Any] = {"config": _kept(pairs)}
    for name, key, usual in (
        ("ignore", "core.excludesfile", "ignore"),
        ("attributes", "core.attributesfile", "attributes"),
    ):
        path = expand(last.get(key) or "", home) if key in last else own and f"{own}/git/{usual}"
        if _may_read(path) and (text := read_file(path, home)) is not None:
            told[name] = text.decode("latin-1")
    place = expand(last.get("core.hookspath") or "", home)
    if place.startswith("/"):
        told["hooks"] = [name for name in _HOOKS if _may_run(f"{place}/{name}")]
    elif place:
        told["config"].append(("core.hookspath", place))
    return told


def _files(environment: Mapping[str, str], home: str, own: str) -> list[str]:
    places: list[str] = []
    if not _TRUE.fullmatch(environment.get("GIT_CONFIG_NOSYSTEM", "")):
        places.append(environment.get("GIT_CONFIG_SYSTEM", _SYSTEM))
    if "GIT_CONFIG_GLOBAL" in environment:
        places.append(environment["GIT_CONFIG_GLOBAL"])
    else:
        places += [f"{own}/git/config" if own else "", f"{home}/.gitconfig" if home else ""]
    return [path for path in places if _may_read(path)]


def _may_read(path: str) -> bool:
    # As git, which passes over a file of the user's that it may not read.
    return path.startswith("/") and "\0" not in path and os.access(path, os.R_OK)


def _kept(pairs: list[Pair]) -> list[Pair]:
    kept = []
    for key, value in pairs:
        if _TOLD.fullmatch(key):
            kept.append((key, value))
        elif _PROGRAMS.fullmatch(key):
            kept.append((key, _A_PROGRAM))
    return kept


def _may_run(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)
