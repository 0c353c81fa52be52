"""What a person sees: tables of tools, nodes, costs. Colours on a terminal only (and NO_COLOR)."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dispatcher.fitting_table import ENDLESS, Column, FittingTable
from ground.plain_text import json_text, lines, one_line
from protos.contract import PLACEMENT_KEY, WHY_KEY

_PARTS: Final = ("queue", "start", "exec", "transfer")
_SURCHARGE: Final = "surcharge"  # what money and energy count as; a part where they do
_SAME_MS: Final = 5e-4  # nearer than this is the same
_WORDS: Final[Mapping[str, str]] = {
    "backend": "has no backend that runs it",
    "requires": "lacks a feature that it requires",
    "memory": "too little memory for it",
    "allow": "is not on the allow list",
    "deny": "is on a deny list",
    "data": "does not hold its files",
    "privacy": "its data may not go there",
    "link": "no way there from its origin",
    "no_profile": "nobody knows what it costs there",
    "tenant": "serves other tenants",
    "egress": "may not send to a host that it needs",
    "budget": "its budget does not pay for it",
    "deadline": "cannot answer in time",
    "anti_affinity": "has a call that it must stand apart from",
    "spread": "has enough calls of its group",
    "capacity": "no slot is free",
}

Json = Mapping[str, Any]


def console(*, to_stderr: bool = False) -> Console:
    """A console on stdout or stderr."""
    stream = sys.stderr if to_stderr else sys.stdout
    piped = not stream.isatty()
    return Console(
        stderr=to_stderr,
        highlight=False,
        markup=False,
        width=ENDLESS if piped else None,
        force_terminal=False if piped else None,  # whatever FORCE_COLOR says: others parse it
    )


def result(value: Json) -> None:
    """Print a call's result: its text on stdout, where it ran on stderr."""
    failed = value.get("isError") is True
    text = [_block(block) for block in value.get("content") or ()]
    if not text and "structuredContent" in value:
        text = [json_text(value["structuredContent"], indent=2)]
    out = sys.stderr if failed else sys.stdout
    # A file or a pipe gets what the tool gave; a terminal must not obey it.
    shown = map(lines, text) if out.isatty() else text
    out.write("".join(f"{one}\n" for one in shown))
    out.flush()  # before what is said of it, also where both go to one file
    meta = value.get("_meta") or {}
    if PLACEMENT_KEY in meta:
        said = _ran(meta[PLACEMENT_KEY], meta.get(WHY_KEY, ""))
        console(to_stderr=True).print(one_line(said), style="dim")


def explanation(tool: str, value: Json, *, to_stderr: bool = False) -> None:
    """Print where a call would run: a row per node, one sentence why, what stands in the way."""
    out = console(to_stderr=to_stderr)
    priced = any((node["parts"] or {}).get(_SURCHARGE) for node in value["nodes"])
    parts = (*_PARTS, _SURCHARGE) if priced else _PARTS
    figures = tuple(right(part) for part in ("ms", *parts))
    table = new_table("", "node", *figures, sentences("why"))
    nodes = sorted(value["nodes"], key=_by_cost)
    best = next((node for node in nodes if node["node"] == value["placed"]), None)
    for node in sorted(nodes, key=lambda one: one is not best):
        mark = Text("->" if node is best else "", style="bold green")
        shown = [_part(node["cost_ms"])] + ["-"] * len(parts)
        if node["cost_ms"] is not None:
            shown[1:] = [_part(node["parts"].get(part, 0.0)) for part in parts]
        style = "bold" if node is best else "dim" if node["reasons"] else None
        table.add_row(mark, node["node"], *shown, _why(node, best), style=style)
    out.print(table)
    out.print(one_line(verdict(tool, value)))
    if value.get("label"):
        out.print(one_line(f"Its label is raised: {value['label']['why']}."))
    for reason, places in (value.get("rules") or {}).items():
        out.print(f"{reason} is of the rule at {' and '.join(places)}.")
    if value["placed"] is None:
        if value.get("core"):
            out.print(f"In the way: {'; and '.join(map(_in_words, value['core']))}.")
        if value.get("mend"):
            out.print(one_line(f"To mend: {value['mend']}"))


def _why(node: Json, best: Json | None) -> str:
    """Why a node was chosen, lost, or may not run the call."""
    if node["reasons"]:
        return "; ".join(map(_in_words, node["reasons"]))
    if best is None or node is best:
        return "chosen"
    lead = node["cost_ms"] - best["cost_ms"]
    if abs(lead) < _SAME_MS:
        return "costs the same"
    ours, theirs = node["parts"], best["parts"]
    parts = (*_PARTS, _SURCHARGE)
    more = {part: ours.get(part, 0.0) - theirs.get(part, 0.0) for part in parts}
    most = max(more, key=lambda part: more[part] * (1 if lead > 0 else -1))
    return f"{_signed(lead)} ms, mostly {most}"


def _in_words(reason: str) -> str:
    words = _WORDS.get(reason)
    return f"{reason} ({words})" if words else reason


def verdict(tool: str, value: Json) -> str:
    """One sentence: where a call runs and why there, or why nowhere."""
    placed = value["placed"]
    if placed is None:
        counts = Counter(reason for node in value["nodes"] for reason in node["reasons"])
        if not counts:
            return f"{tool} can run nowhere: no node is connected."
        causes = ", ".join(f"{reason} ({_nodes(count)})" for reason, count in counts.items())
        return f"{tool} can run nowhere: {causes}."
    refused = sum(node["cost_ms"] is None for node in value["nodes"])
    others = f"; {_nodes(refused)} may not run it" if refused else ""
    return f"{tool} runs on {value['why']}{others}."


def tools(found: Sequence[Json]) -> None:
    """Print the tools, and how many there are."""
    table = new_table("tool", "server", sentences("what it does"))
    for tool in found:
        about = (tool.get("description") or tool.get("title") or "").strip().splitlines()
        table.add_row(tool["name"], tool["server"], about[0] if about else "")
    servers = len({tool["server"] for tool in found})
    console().print(Group(table, f"{len(found)} tools of {servers} servers"))


def agents(found: Sequence[Json]) -> None:
    """Print the nodes, and what is wrong with their servers."""
    wrong = [line for node in found for one in node.get("servers", ()) for line in troubles(one)]
    console().print(Group(nodes_table(found), *wrong))


def server_state(state: str) -> Text:
    """The state of a server, in its colour."""
    colours = {"failed": "red", "away": "red", "asking": "yellow", "starting": "yellow"}
    return Text(state, style=colours.get(state, "green"))


def troubles(server: Json) -> list[Text]:
    """A line for each thing that is wrong with a server of a node."""
    name = f"{server['name']} on {server['node']}"
    wrong = []
    if server["error"]:
        # Why it ended has its last words already.
        words = server["words"] if server["words"] not in server["error"] else ""
        told = f"{server['error']} (its last words: {words})" if words else server["error"]
        wrong.append(Text(one_line(f"{name}: {told}"), style="red"))
    return wrong + [
        Text(one_line(f"{name}: {line}"), style="yellow") for line in server["warnings"]
    ]


def nodes_table(found: Sequence[Json]) -> RenderableType:
    """The nodes as a table: what they are, and how busy."""
    table = new_table(
        "node",
        "tier",
        "site",
        "isa",
        Column("slots", "right", spare=2),
        right("running"),
        right("memory free"),
        Column("cpu", "right", spare=1),
        Column("away", "right", spare=4),
        sentences("mounts"),
        Column("features", wraps=True, spare=3),
        sentences("state"),
    )
    for node in found:
        mounts = (m["path"] + (" (ro)" if m["readonly"] else "") for m in node["mounts"])
        table.add_row(
            node["name"],
            node["tier"],
            node["site"],
            node["isa"],
            str(node["slots"]),
            f"{node['running']}+{node['queued']}" if node["queued"] else str(node["running"]),
            f"{node['memory_free_mib']} of {node['memory_mib']} MiB",
            f"{node['cpu_percent']:.0f} %",
            "" if node.get("rtt_ms") is None else f"{node['rtt_ms']:.1f} ms",
            ", ".join(mounts),
            ", ".join(node["features"]),
            _state(node),
        )
    if not found:
        return Text("no nodes; start one: `edge-agent run`, or `sanderling up`")
    return table


def calls_table(found: Sequence[Json]) -> RenderableType:
    """The last calls as a table, newest first."""
    table = new_table("when", "tool", "node", "", *(right(p) for p in (*_PARTS, "total")))
    for row in found:
        when = time.strftime("%H:%M:%S", time.localtime(row["started_s"]))
        style = None if row["status"] == "done" else "red"
        figures = (_ms(row[f"{part}_ms"]) for part in (*_PARTS, "total"))
        status = Text("cold" if row["cold"] else "" if style is None else row["status"])
        table.add_row(when, row["tool"], row["node"], status, *figures, style=style)
    return table


def new_table(*columns: str | Column) -> FittingTable:
    """A table of these columns."""
    return FittingTable([Column(one) if isinstance(one, str) else one for one in columns])


def right(name: str) -> Column:
    """A column of figures."""
    return Column(name, "right")


def sentences(name: str) -> Column:
    """A column of sentences or lists."""
    return Column(name, wraps=True)


def _block(block: Json) -> str:
    """One content block as text."""
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text", ""))
    if "data" in block:
        return f"[{kind}: {block.get('mimeType', '?')}, {len(block['data'])} characters of base64]"
    return json_text(block)


def _ran(placement: Json, why: str) -> str:
    start = "cold" if placement["cold"] else "warm"
    units = (("money", "of money"), ("energy_j", "J"))
    paid = [f"{placement[name]:.3g} {unit}" for name, unit in units if placement.get(name)]
    spent = f"; spent {' and '.join(paid)}" if paid else ""
    return (
        f"ran on {placement['node']} ({placement['tier']}){f', {why}' if why else ''}: {start}, "
        f"{_ms(placement['total_ms'])} ms of which {_ms(placement['exec_ms'])} ms running{spent}"
    )


def _state(node: Json) -> Text:
    if not node["connected"]:
        seconds = max(time.time() - node["last_seen"], 0)
        return Text(f"gone for {_ago(seconds)}", style="red")
    if not node["placeable"]:
        return Text("takes no calls", style="yellow")
    words = ["ready", *node.get("states", [])]
    if node.get("temperature_c") is not None:
        words.append(f"{node['temperature_c']:.0f} °C")
    if node.get("battery_percent") is not None:
        words.append(f"battery {node['battery_percent']:.0f} %")
    return Text(", ".join(words), style="yellow" if node.get("states") else "green")


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _by_cost(node: Json) -> tuple[bool, float, str]:
    cost = node["cost_ms"]
    return cost is None, cost or 0.0, node["node"]


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"


def _part(value: float | None) -> str:
    return "-" if value is None else _ms(value)


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{_ms(abs(value))}"


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004 - three digits
