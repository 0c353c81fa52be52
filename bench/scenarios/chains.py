"""The scenarios as problems: measured tools, three nodes, and who comes after whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from solver import Call, Link, Node, Problem

DATA: Final = Path(__file__).with_name("data") / "profiles.json"
TIERS: Final = ("device", "edge", "cloud")
ORIGIN: Final = "device"
HOME: Final = frozenset({"device", "edge"})  # the nodes of one site; the cloud is elsewhere
SLOTS: Final = 4  # cores of each of the three machines
KIB_PER_MB: Final = 1e6 / 1024

# Whether a private tool binds itself alone, as in EdgeAgent, or also all that its output reaches.
Reading = Literal["tool", "flow"]
READINGS: Final[tuple[Reading, ...]] = ("tool", "flow")


@dataclass(frozen=True, slots=True)
class Step:
    """One tool of a scenario, run ``times`` at once, and the steps that it comes after.

    Where both this step and the one before run several times, the k-th comes after the k-th.
    """

    tool: str
    after: tuple[str, ...] = ()
    times: int = 1


def _chain(*steps: Step | str) -> tuple[Step, ...]:
    """Steps of which each comes after the one before."""
    found: list[Step] = []
    for step in steps:
        tool, times = (step, 1) if isinstance(step, str) else (step.tool, step.times)
        found.append(Step(tool, (found[-1].tool,) if found else (), times))
    return tuple(found)


SCENARIOS: Final[dict[str, tuple[Step, ...]]] = {
    "code review": _chain(
        "read_file", "git_diff", "summarize_text", "merge_summaries", "write_file"
    ),
    "log analysis": _chain("read_text_file", "parse_logs", "compute_log_statistics", "write_file"),
    "research assistant": _chain(
        Step("fetch", times=3),
        Step("summarize_text", times=3),
        "aggregate_list",
        "combine_research_results",
        "write_file",
    ),
    "image processing": _chain(
        "scan_directory",
        Step("compute_image_hash", times=4),
        "compare_hashes",
        "batch_resize",
        "aggregate_list",
        "write_file",
    ),
}


def measured() -> dict[str, Any]:
    """The figures of data/profiles.json."""
    data: dict[str, Any] = json.loads(DATA.read_text())
    return data


def problem_of(name: str, reading: Reading) -> Problem:
    """A scenario as a problem whose objective is the moment of the last answer.

    What a step takes in beyond the outputs of those before it comes from the origin.
    """
    data = measured()
    calls: list[Call] = []
    copies: dict[str, list[str]] = {}
    made_kib: dict[str, float] = {}
    for step in SCENARIOS[name]:
        figures = data["tools"][step.tool]
        ids = [step.tool if step.times == 1 else f"{step.tool} {k + 1}" for k in range(step.times)]
        for k, call_id in enumerate(ids):
            after = tuple(
                other
                for before in step.after
                for other in (
                    copies[before][k : k + 1]
                    if len(copies[before]) == step.times
                    else copies[before]
                )
            )
            given_kib = sum(made_kib[other] for other in after)
            made_kib[call_id] = figures["output_mb"] * KIB_PER_MB
            calls.append(_call(call_id, step.tool, figures, after, given_kib, reading))
        copies[step.tool] = ids
    nodes, links = three_nodes(data["links"])
    return Problem(nodes, tuple(calls), links, mode="makespan", time_limit_s=10.0)


def _call(
    call_id: str,
    tool: str,
    figures: Mapping[str, Any],
    after: tuple[str, ...],
    given_kib: float,
    reading: Reading,
) -> Call:
    return Call(
        id=call_id,
        tool=tool,
        origin=ORIGIN,
        exec_ms=figures["exec_ms"],
        input_kib=max(figures["input_mb"] * KIB_PER_MB - given_kib, 0.0),
        output_kib=figures["output_mb"] * KIB_PER_MB,
        privacy="site" if figures["private"] and reading == "flow" else "public",
        allow=HOME if figures["private"] and reading == "tool" else None,
        requires=("gpu",) if figures["gpu"] else (),
        after=after,
    )


def three_nodes(
    links: Mapping[str, Mapping[str, float]],
) -> tuple[tuple[Node, ...], tuple[Link, ...]]:
    """Device and edge at home, the cloud away. Edge and cloud talk through the device.

    Nobody measured a way between edge and cloud: EdgeAgent's middleware stands on the device and
    relays. So latencies add up, and so do the times per KiB.
    """
    near, far = links["device-edge"], links["device-cloud"]
    nodes = tuple(
        Node(
            id=tier,
            tier=tier,
            site="home" if tier in HOME else "away",
            memory_mib=4096,
            slots=SLOTS,
            backends=frozenset({"wasm"}),
        )
        for tier in TIERS
    )
    relayed = 1 / (1 / near["mbit_s"] + 1 / far["mbit_s"])
    return nodes, (
        Link("device", "edge", near["latency_ms"], near["mbit_s"]),
        Link("device", "cloud", far["latency_ms"], far["mbit_s"]),
        Link("edge", "cloud", near["latency_ms"] + far["latency_ms"], relayed),
    )
