"""Calls that change repositories, in the order that they are made."""

from typing import Any

Call = tuple[str, dict[str, Any]]


def add(*files: str) -> Call:
    return "git_add", {"files": list(files)}


def commit(message: str) -> Call:
    return "git_commit", {"message": message}


def branch(name: str, base: str | None = None) -> Call:
    return "git_create_branch", {"branch_name": name} | ({"base_branch": base} if base else {})


def checkout(name: str) -> Call:
    return "git_checkout", {"branch_name": name}


RESET: Call = ("git_reset", {})

# Scenario -> what is done there.
WRITES: dict[str, list[list[Call]]] = {
    "history": [
        [checkout("side"), checkout("v1.0"), checkout("light"), checkout("main"), checkout("HEAD")],
        [branch("new"), branch("new"), branch("at-tag", "light"), branch("at-side", "side")],
        [branch("sub/topic"), branch("sub"), branch("main/x"), branch("no", "nowhere")],
        [branch("-x"), branch("a..b"), branch("a b"), branch("x", "-y"), branch("end.lock")],
        [checkout("-f"), checkout("--orphan"), checkout("nowhere"), checkout("HEAD:README")],
        [checkout("side~1"), checkout("@{-1}"), commit("nothing"), RESET, checkout("side")],
        [branch("topic"), checkout("topic"), checkout("main~2"), branch("late"), checkout("topic")],
        [checkout("README"), add("nowhere"), add("../outside"), add("."), add("README")],
    ],
    "packed": [
        [
            checkout("side"),
            checkout("HEAD~1"),
            checkout("main"),
            branch("p", "light"),
            checkout("p"),
        ],
        [branch("main"), checkout("light"), RESET],
    ],
    "changes": [
        [
            commit("What was staged"),
            add("dir"),
            commit("The directory"),
            add("."),
            commit("All\n\nwith a body"),
        ],
        [add("code.c", "bin"), commit("Two files\n"), RESET, add("*.txt"), commit("Texts")],
        [RESET, add("box"), add("loose"), commit("New ones"), RESET],
        [
            checkout("HEAD~1"),
            checkout("main"),
            add("dir/f0.txt", "dir/f6.txt", "link", "run.sh"),
            commit("Kinds"),
        ],
        [add("."), add("."), RESET, RESET, commit("nothing")],
        [
            add("nowhere.txt"),
            add("loose", "nowhere.txt"),
            add("box/../loose"),
            add("./new.txt"),
            add("dir/"),
        ],
    ],
    "ignored": [
        [add("."), commit("All that counts")],
        [add("a.log"), add("build"), add("sub"), add("sub/secret", "doc/z"), commit("Some")],
        [add("*.log"), add("void"), add("build/x"), add("only"), RESET],
    ],
    "conflict": [
        [
            commit("too early"),
            checkout("other"),
            add("both.txt"),
            add("gone.txt", "left.txt", "new.txt"),
        ],
        [add("."), commit("Merged"), checkout("other"), checkout("main")],
        [RESET, add("."), commit("Merged after a reset")],
    ],
    "unborn": [
        [commit("The first"), add("b.txt"), commit("The second")],
        [RESET, branch("x"), add("."), commit("")],
    ],
    "bare_start": [[commit("nothing"), add("."), checkout("main"), branch("x")]],
    "detached": [
        [branch("x"), branch("y", "main"), commit("no"), checkout("main"), checkout("side")],
        [checkout("light"), checkout("origin/x"), checkout("main")],
    ],
    "tracking": [
        [
            checkout("behind"),
            checkout("origin/both"),
            checkout("both"),
            branch("z", "origin/behind"),
        ],
        [checkout("gone"), checkout("equal"), checkout("ahead"), checkout("main")],
    ],
    "submodule": [
        [add("moved"), commit("Moved on"), add("dirty"), add("littered/junk"), add(".")],
        [checkout("HEAD~1"), checkout("main"), RESET],
    ],
    "endings": [
        [add("."), commit("Endings"), checkout("HEAD~1"), checkout("main")],
        [add("w.txt"), add("u.txt", "s.sh"), commit("Some"), RESET],
    ],
    "replaced": [
        [add("."), branch("at", "side"), checkout("at"), checkout("HEAD~1"), commit("no")]
    ],
    "split": [[add("c.txt"), checkout("side"), add("."), checkout("HEAD")]],
    "encoded": [
        [add("wide.w"), add("."), commit("All"), checkout("HEAD~1"), checkout("main"), RESET],
    ],
    "twins": [
        [checkout("side"), checkout("main"), add("a"), commit("A directory"), checkout("twin")],
        [add(":/"), checkout("@"), checkout("@"), checkout("HEAD"), checkout("main")],
        [branch("refs/heads/full"), branch("refs/heads/full"), branch("refs/tags/x"), RESET],
        [
            add(".git"),
            add(".git/config"),
            add(".git/nowhere"),
            add("unknown/"),
            add("../repo/unknown"),
            add("a/../unknown"),
            add("a/"),
        ],
        [
            add(":!a", ":!d"),
            add(":(exclude)a", "."),
            add(":(glob)**/x"),
            add(":(icase)UNK*"),
            add(":(literal)unk*"),
            add(":(nope)a"),
            add(":(glob,literal)a"),
            add(":(top)a"),
            add(":^unknown", "."),
            add(":a"),
        ],
    ],
    "outside": [
        [checkout("other"), checkout("main"), add("out/z"), add("in"), add("."), RESET, add(".")],
        [RESET, checkout("other"), checkout("HEAD~1"), checkout("other"), commit("no")],
    ],
    "turned": [
        [
            checkout("HEAD~1"),
            checkout("main"),
            checkout("a.txt"),
            checkout("main~1"),
            checkout("main"),
        ],
    ],
    "meant": [[RESET], [add("."), commit("All that was meant"), checkout("side")]],
    "bare_attributes": [[add("a"), commit("A"), RESET, add("."), commit("All")]],
    "passed_over": [[add("."), commit("What is passed over, too")]],
    "skewed": [[branch("b"), checkout("b"), checkout("side"), checkout("v1")]],
    "linked": [[add("."), commit("From here"), checkout("main"), checkout("v1")]],
    "alternates": [[branch("b", "main"), checkout("b"), checkout("main"), RESET]],
    "shallow": [[checkout("HEAD~1"), checkout("HEAD~1"), checkout("main"), commit("no")]],
}
