"""Pure placement: which node should run which call. No transport, no engine, no input or output.

A whole problem, as ``python -m solver`` reads it::

    answer = place(parse_problem(json_text))       # Problem -> Answer
    answer.status, answer.placements, answer.unplaced, answer.to_json()

One call at a time over nodes that live on, as a dispatcher does it. The table is a structure of
arrays that heartbeats update in place; ``place_one`` costs some ten microseconds at 1,000 nodes::

    table = NodeTable()
    table.add(Node(id="pi4", memory_mib=512, slots=2, tier="device", site="home", isa="aarch64",
                   backends=frozenset({"wasm"}), mounts=("/logs",)))
    table.link("pi4", "nuc", rtt_ms=0.9, mbit_s=940)
    table.update("pi4", queue_ms=3.5, memory_mib=480, slots=1)           # each heartbeat
    table.remove("pi4")                                                  # it went away

    profile = Profile(table, exec_ms={"pi4": 210.0, "nuc": 20.0}, start_ms={"pi4": 3.0})
    profile.learn("nuc", exec_ms=18.7)                                   # after each result

    call = CallSpec(origin="pi4", profile=profile, input_kib=300, output_kib=20, memory_mib=32,
                    backend=("wasm",), privacy="site", data=("/logs/a.log",))
    match place_one(table, call):
        case Placed(node=node, cost_ms=cost_ms, parts=parts): ...        # parts.queue, .start, ...
        case Refused() as refused: print(refused.rejected, refused.mend)

Both results have ``rejected`` (reason -> number of nodes; on a ``Refused`` with ``core`` and
``mend`` beside it) and ``explain()``, an :class:`Explanation` with every node's cost, parts and
reasons, the runner-up, and ``to_json()`` in the form of ``sanderling explain``. These are computed
when asked, from the table as it then is: ask before it changes.

Calls that arrive together, or come after each other, over the same table::

    results = place_batch(table, [call, other], time_limit_s=0.02)       # one per call
    results = place_batch(table, [read, parse], after=[(), (0,)])        # parse comes after read

``slots`` and ``memory_mib`` are what is free. A node without a free slot refuses under
``capacity``; a dispatcher that would rather queue there keeps ``slots`` at 1 or more and says how
long the wait is in ``queue_ms``. ``allow`` and ``deny`` are sets of node ids; keep and reuse the
same frozenset, since what a policy forbids is cached by its value.

Of a whole problem, what keeps a refused call from running beside those that are placed, by a
search of its own: the least set of kinds of constraints, as anti_affinity and capacity together::

    conflict(problem, answer, "c3")                                      # ("anti_affinity", ...)
    mends(problem, answer)["c3"]                     # "let 2 calls of group g run on pi4"

Ids that no table entry has raise :class:`UnknownNode`; every error is a :class:`SolverError` of
one line.
"""

import sys

try:
    from solver.batch import place_batch
    from solver.conflicts.conflict import conflict
    from solver.conflicts.mends import mends
    from solver.errors import NoPlacement, ProblemError, SolverError, UnknownNode
    from solver.explain.explain import Explanation, Verdict
    from solver.instance.call_spec import CallSpec, Profile
    from solver.instance.costs import Parts
    from solver.instance.filters import REASONS
    from solver.instance.node_table import NodeTable
    from solver.place import place
    from solver.problem import Answer, Call, Label, Link, Node, Placement, Problem, Unplaced
    from solver.schema import parse_problem
    from solver.single import Placed, Refused, place_one
except ModuleNotFoundError:
    # Its command has help where the packages are missing, and names them itself.
    if sys.argv[:1] != ["-m"]:
        raise

__all__ = [
    "REASONS",
    "Answer",
    "Call",
    "CallSpec",
    "Explanation",
    "Label",
    "Link",
    "NoPlacement",
    "Node",
    "NodeTable",
    "Parts",
    "Placed",
    "Placement",
    "Problem",
    "ProblemError",
    "Profile",
    "Refused",
    "SolverError",
    "UnknownNode",
    "Unplaced",
    "Verdict",
    "conflict",
    "mends",
    "parse_problem",
    "place",
    "place_batch",
    "place_one",
]
