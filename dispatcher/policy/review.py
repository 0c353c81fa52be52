"""What of a configuration names nothing that is known: most likely it is misspelt.

A selector, a glob or a link end that matches nothing binds nothing, so a typing error would switch
protection off in silence. What is known grows when agents join, so a doubt may be withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from dispatcher.config import Config, RuleConfig, close
from dispatcher.config.positions import Positions
from dispatcher.policy.vocabulary import BACKENDS, FEATURES, ISAS, STATES, TIERS, meant

#: The dispatcher's own tools.
OWN: Final = ("run_pipeline", "run_code")
#: What servers are asked beside tools, as policy names it after the server.
METHODS: Final = ("resources/read", "prompts/get", "completion/complete")


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to be named.

    ``nodes`` have ``name``, ``tier``, ``site``, ``isa`` and ``features``; ``tools`` are names and
    ``server.name``; of ``servers`` the tools may not be known yet.
    """

    nodes: tuple[Mapping[str, Any], ...] = ()
    tools: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()

    def values(self, key: str) -> set[str]:
        """All that the nodes have under one key."""
        return {str(node[key]) for node in self.nodes if node.get(key)}


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that names nothing. ``near``: the mend names what may have been meant."""

    place: str
    what: str
    mend: str
    near: bool = field(default=False)

    def __str__(self) -> str:
        """One line: where, what, and the mend."""
        return (
            f"{self.place}: {self.what}; {self.mend}" if self.place else f"{self.what}; {self.mend}"
        )

    def to_json(self) -> dict[str, str]:
        """As commands print it."""
        return {"place": self.place, "warning": self.what, "mend": self.mend}


def known_of(
    config: Config, nodes: Iterable[Mapping[str, Any]], tools: Iterable[tuple[str, str]]
) -> Known:
    """What is known: the nodes and tools (server, name) that there are, and what a file adds."""
    own = [
        {"name": agent.name, "tier": agent.tier, "site": agent.site, "features": agent.features}
        for agent in config.agents
    ]
    there = [*nodes]
    names = {*OWN}
    servers: set[str] = {one.name for one in config.servers}
    servers.update(one.name for agent in config.agents for one in agent.servers)
    for server, name in tools:
        names |= {name, f"{server}.{name}"}
        servers.add(server)
    return Known((*there, *own), frozenset(names), frozenset(servers))


def doubts(config: Config, known: Known) -> list[Doubt]:
    """All that names nothing known, in the order of the file."""
    found = [
        *_of_agents(config, known),
        *_of_dispatcher(config, known),
        *_of_policy(config, known),
        *_of_links(config, known),
    ]
    return list(dict.fromkeys(found))


def _of_agents(config: Config, known: Known) -> Iterator[Doubt]:
    """Tiers that nobody else uses, and that look like one that is used."""
    positions = config.positions
    named = {
        one.removeprefix("tier:")
        for rule in config.policy.rules
        for one in (*(rule.allow or ()), *rule.deny)
        if one.startswith("tier:")
    }
    tiers = [str(node.get("tier")) for node in known.nodes if node.get("tier")]
    for agent in config.agents:
        if agent.tier in TIERS or agent.tier in named:
            continue
        others = {*TIERS, *named, *(tier for tier in tiers if tiers.count(tier) > 2)}  # noqa: PLR2004
        near = close(agent.tier, TIERS) or close(agent.tier, sorted(others - {agent.tier}))
        if near:
            yield Doubt(
                _agent_place(positions, agent.name, "tier", agent.tier),
                f"agent {agent.name} is of tier {agent.tier!r}, which no rule names",
                f"did you mean {near!r}?",
                near=True,
            )


def _agent_place(positions: Positions, name: str, key: str, value: str) -> str:
    for number in range(len(positions.lines)):
        span = positions.spans.get(("agents", number, "name"))
        if span is None:
            break
        if f'"{name}"' in positions.lines[span[0] - 1]:
            return positions.place("agents", number, key, value=value)
    return positions.place("agents")


def _of_dispatcher(config: Config, known: Known) -> Iterator[Doubt]:
    nodes, place = known.values("name"), config.positions.place
    origin = config.dispatcher.origin
    if origin is not None and origin not in nodes:
        where = place("dispatcher", "origin")
        yield _doubt(where, f"origin: no node is called {origin!r}", origin, nodes, "the nodes are")
    for glob in config.dispatcher.origins:
        if not any(fnmatchcase(name, glob) for name in nodes) and nodes:
            where = place("dispatcher", "origins", value=glob)
            yield _doubt(where, f"origins: {glob!r} is no node", glob, nodes, "the nodes are")


def _of_policy(config: Config, known: Known) -> Iterator[Doubt]:
    policy, place = config.policy, config.positions.place
    for glob in policy.declassifies:
        where = place("policy", "declassifies", value=glob)
        yield from _glob(where, "declassifies", glob, known)
    for number, rule in enumerate(policy.rules):
        yield from _of_rule(config, ("policy", "rules", number), rule, known)
    for number, price in enumerate(policy.prices):
        for one in price.nodes or ():
            where = place("policy", "prices", number, "nodes", value=one)
            yield from _selector(where, "nodes", one, known)


def _of_rule(
    config: Config, key: tuple[str | int, ...], rule: RuleConfig, known: Known
) -> Iterator[Doubt]:
    place = config.positions.place
    if rule.tools is not None and not rule.tools:
        said = "tools: an empty list matches no tool, so the rule binds nothing"
        yield Doubt(place(*key, "tools"), said, "leave the key out for all tools", near=True)
    for glob in rule.tools or ():
        yield from _glob(place(*key, "tools", value=glob), "tools", glob, known)
    for name, selectors in (("allow", rule.allow or ()), ("deny", rule.deny)):
        for one in selectors:
            yield from _selector(place(*key, name, value=one), name, one, known)
    has = {str(one) for node in known.nodes for one in node.get("features") or ()}
    has |= {*FEATURES, *ISAS, *known.values("isa")}
    for one in rule.requires:
        if one not in has and not one.startswith("egress:"):
            where = place(*key, "requires", value=one)
            yield _doubt(where, f"requires: no node has {one!r}", one, has, "nodes have")
    for one in rule.backend or ():
        if one not in BACKENDS:
            where = place(*key, "backend", value=one)
            yield _doubt(where, f"backend: {one!r} is none", one, BACKENDS, "there are")


def _of_links(config: Config, known: Known) -> Iterator[Doubt]:
    nodes = known.values("name")
    for number, link in enumerate(config.links):
        for end, name in (("a", link.a), ("b", link.b)):
            if name not in nodes:
                where = config.positions.place("links", number, end)
                said = f"links.{end}: no node is called {name!r}"
                yield _doubt(where, said, name, nodes, "the nodes are")


def _selector(where: str, key: str, one: str, known: Known) -> Iterator[Doubt]:
    kind, _, value = one.partition(":")
    there = {
        "node": known.values("name"),
        "tier": {*TIERS, *known.values("tier")},
        "site": known.values("site"),
        "isa": {*ISAS, *known.values("isa")},
        "state": {*STATES},
    }[kind]
    if value not in there:
        said = f"{key}: {one!r} matches no node"
        yield _doubt(where, said, value, there, f"known are, as {kind},", form=f"{kind}:{{}}")


def _glob(where: str, key: str, glob: str, known: Known) -> Iterator[Doubt]:
    if any(fnmatchcase(name, glob) for name in known.tools):
        return
    head = glob.partition(".")[0]
    if "." in glob and any(fnmatchcase(server, head) for server in known.servers):
        rest = glob.partition(".")[2]
        unread = [one for one in known.servers if not _has_tools(one, known)]
        if any(fnmatchcase(one, head) for one in unread) or any(
            fnmatchcase(method, rest) for method in METHODS
        ):
            return
    said = f"{key}: {glob!r} matches no tool"
    meant = _meant(glob, known)
    if meant:
        yield Doubt(where, said, f"did you mean {meant!r}?", near=True)
    else:
        yield Doubt(where, said, "`sanderling tools` lists their names and servers")


def _has_tools(server: str, known: Known) -> bool:
    return any(name.startswith(f"{server}.") for name in known.tools)


def _meant(glob: str, known: Known) -> str:
    """The glob with its server, or its name, as one that is known."""
    head, dot, rest = glob.partition(".")
    if dot:
        if head in known.servers:
            prefix = f"{head}."
            names = [one.removeprefix(prefix) for one in known.tools if one.startswith(prefix)]
            near = close(rest, sorted(names))
            return f"{head}.{near}" if near else ""
        near = close(head, sorted(known.servers))
        return f"{near}.{rest}" if near else ""
    plain = glob.rstrip("*")
    if plain == glob:
        return close(glob, sorted(known.tools))
    near = close(plain, sorted({one[: len(plain)] for one in known.tools}))
    whole = {one.partition("_")[0] for one in known.tools}
    near = close(plain, sorted(whole)) or near
    return f"{near}*" if near else ""


def _doubt(
    where: str, said: str, word: str, there: Iterable[str], otherwise: str, *, form: str = "{}"
) -> Doubt:
    near = meant(word, there)
    if near:
        return Doubt(where, said, f"did you mean {form.format(near)!r}?", near=True)
    shown = sorted({*there}.difference(ISAS)) or sorted(there)
    return Doubt(where, said, f"{otherwise} {', '.join(shown) or 'none'}")
