"""The words that rules and callers choose nodes by, and whether somebody has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from dispatcher.config import Config, close

TIERS: Final = ("device", "edge", "cloud")
ISAS: Final = ("x86_64", "aarch64", "riscv64", "armv7l", "i686", "ppc64le", "s390x")
STATES: Final = ("throttled", "hot", "battery-low", "on-battery")
BACKENDS: Final = ("wasm", "process", "container", "remote")
FEATURES: Final = ("egress", "gpu")
#: Words that are meant rather than a name of somebody's own.
USUAL: Final = (*TIERS, *ISAS, *STATES, *BACKENDS, *FEATURES)
#: pi4 is no misspelt pi5.
_NO_DIGITS: Final = {ord(one): None for one in "0123456789"}


def meant(word: str, there: Iterable[str]) -> str:
    """The word that was meant by one that nobody has, or ""."""
    there = set(there)
    usual = [one for one in USUAL if one in there]
    near = close(word, usual) or close(word, sorted(there))
    return near if word.translate(_NO_DIGITS) != near.translate(_NO_DIGITS) else ""


def unknown(key: str, selectors: Sequence[str], nodes: Sequence[Any], config: Config) -> str | None:
    """Say of the first selector that matches nobody that it does, with the mend.

    What rules and agents of the configuration name is known, for its nodes may join yet; so are
    the usual words. Nothing is said of ``node:``, or where no node is known. A list of which
    another part is known goes without what looks like no misspelling.

    Args:
        key: what the selectors are, for the sentence.
        selectors: ``kind:value``, as callers write them.
        nodes: as the registry knows them.
        config: with its agents and rules.
    """
    doubted = []
    for one in selectors:
        kind, _, value = one.partition(":")
        there = _there(kind, nodes, config)
        if kind == "node" or not nodes or value in there:
            continue
        near = meant(value, there)
        names = ", ".join(sorted(there.difference(ISAS, STATES)) or sorted(there)) or "none"
        mend = f"did you mean {near!r}?" if near else f"there are {names}"
        sure = kind != "site"  # a place is a name of somebody's own, and may yet join
        doubted.append((sure, bool(near), f"{key}: no node has the {kind} {value!r}; {mend}"))
    hopeless = len(doubted) == len(selectors)
    certain = [words for sure, near, words in doubted if near or (sure and hopeless)]
    return certain[0] if certain else None


def _there(kind: str, nodes: Sequence[Any], config: Config) -> set[str]:
    """What nodes have of a kind, may have, or are known to have once they join."""
    usual: dict[str, tuple[str, ...]] = {"tier": TIERS, "isa": ISAS, "state": STATES}
    found = {str(getattr(node, kind, "")) for node in nodes}
    found |= {str(getattr(agent, kind, "")) for agent in config.agents}
    ruled = [one for rule in config.policy.rules for one in (*(rule.allow or ()), *rule.deny)]
    found |= {one.partition(":")[2] for one in ruled if one.startswith(f"{kind}:")}
    return (found | {*usual.get(kind, ())}) - {""}
