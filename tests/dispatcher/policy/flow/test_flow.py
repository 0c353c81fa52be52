"""What is remembered of private calls, for whom, for how long, and what is not."""

import random
import sqlite3
import stat

import pytest

from dispatcher.errors import ConfigError
from dispatcher.policy.flow import memory as memory_module
from dispatcher.policy.flow.flow import Flow, flow_key
from dispatcher.policy.flow.hashing import Hasher
from dispatcher.policy.flow.labels import Label, permitted, strictest_first
from dispatcher.policy.flow.prints import GRAM, WINDOW
from dispatcher.store.sqlite import SqliteStore
from tests.dispatcher.policy.flow.corpus import NOTES, text_result

PI = Label("node", "pi4", "home")
NUC = Label("node", "nuc", "home")
HOME = Label("site", "pi4", "home")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def give(
    flow, text=NOTES, label=PI, *, session="a", tool="filesystem.read_text_file", own=frozenset()
):
    flow.gave(
        flow.kept(text_result(text)), label, tool=tool, node=label.origin, session=session, own=own
    )


def labels(flow, arguments, session="b"):
    raised = flow.raised(arguments, session)
    return () if raised is None else raised.labels


def passage(seed, length=400):
    drawn = random.Random(seed)
    return "".join(drawn.choice(LETTERS + " ") for _ in range(length))


def test_a_passage_of_the_promised_length_is_always_found():
    shortest = GRAM + WINDOW - 1
    text = "".join(random.Random(5).choices(LETTERS, k=600))
    flow = Flow("content")
    give(flow, text)
    for start in range(len(text) - shortest):
        assert labels(flow, {"x": f"{'-' * start} {text[start : start + shortest]} !"}) == (PI,)


@pytest.mark.parametrize("size", [70_000, 300_000, 5_000_000])
def test_all_of_a_long_result_is_remembered(size):
    drawn = random.Random(size)
    words = ["".join(drawn.choices(LETTERS, k=7)) for _ in range(4000)]
    text = " ".join(drawn.choices(words, k=size // 8))
    flow = Flow("content")
    give(flow, text)
    for start in (0, 65_000, size // 2, size - 2000):
        assert labels(flow, {"x": text[start : start + 1500]}) == (PI,)


def test_nothing_is_remembered_where_flow_is_off():
    flow = Flow("off")
    give(flow)
    assert labels(flow, {"x": NOTES}) == ()


def test_public_results_are_not_remembered():
    flow = Flow("content")
    give(flow, label=Label("public", "pi4"))
    assert labels(flow, {"x": NOTES}) == ()


def test_a_print_is_no_oracle_without_its_key():
    ours, theirs = Flow("content"), Flow("content")
    assert not set(ours.kept(text_result(NOTES))) & set(theirs.kept(text_result(NOTES)))


def test_mixing_is_undone():
    hasher = Hasher(b"k")
    hashes = hasher.values.copy()
    assert (hasher.unmixed(hasher.mixed(hashes)) == hashes).all()
    assert not (hasher.mixed(hashes) == hashes).any()


def test_what_the_client_sent_itself_is_not_private_for_being_answered():
    flow = Flow("content")
    sent = {"path": "/home/mira/reports/of-the-year/quarterly-figures-of-the-north.txt"}
    give(flow, f"{sent['path']}: {NOTES}", own=flow.own(sent))
    assert labels(flow, sent) == ()
    assert labels(flow, {"x": NOTES}) == (PI,)


def test_what_every_client_is_told_is_not_private():
    flow = Flow("content")
    flow.public = lambda: (1, [{"description": "Reads a whole file, and tells how long it is."}])
    give(flow, "It reads a whole file, and tells how long it is. But: " + NOTES)
    assert labels(flow, {"x": "reads a whole file, and tells how long it is"}) == ()
    assert labels(flow, {"x": NOTES}) == (PI,)


def test_labels_of_several_calls_all_hold():
    flow = Flow("content")
    give(flow, passage(1), PI)
    give(flow, passage(2), NUC)
    assert set(labels(flow, {"a": passage(1), "b": passage(2)})) == {PI, NUC}
    why = flow.raised({"a": passage(1), "b": 1}, "").why
    assert why.startswith("argument a holds what filesystem.read_text_file gave on pi4 at ")


def test_parts_that_tell_only_together_are_named_so():
    flow = Flow("content")
    give(flow, "meeting 1043 988 1220 1307 ends")
    raised = flow.raised({"a": 1043, "b": 988, "c": 1220, "d": 1307}, "")
    assert raised.why.startswith("what the arguments hold together")


def test_the_narrower_label_stays():
    flow = Flow("content")
    give(flow, label=PI)
    give(flow, label=HOME)
    assert labels(flow, {"x": NOTES}) == (PI,)
    other = Flow("content")
    give(other, label=HOME)
    give(other, label=PI)
    assert labels(other, {"x": NOTES}) == (PI,)


def test_labels_leave_nodes():
    nodes = [("pi4", "home"), ("nuc", "home"), ("vm", "dc1")]
    assert permitted([PI], nodes) == {"pi4"}
    assert permitted([HOME], nodes) == {"pi4", "nuc"}
    assert permitted([HOME, NUC], nodes) == {"nuc"}
    assert permitted([PI, NUC], nodes) == frozenset()
    assert permitted([Label("site", "gone", "")], [("pi4", "")]) == frozenset()
    assert strictest_first([HOME, PI, Label("public", "")]) == (PI, HOME)


def test_a_session_has_the_labels_of_what_it_was_given():
    flow = Flow("session")
    give(flow, session="a")
    assert labels(flow, {"x": "a paraphrase"}, "a") == (PI,)
    assert labels(flow, {"x": "a paraphrase"}, "b") == ()
    assert labels(flow, {"x": NOTES}, "b") == (PI,)
    assert "its session holds" in flow.raised({}, "a").why


def test_calls_without_a_session_count_as_one():
    flow = Flow("session")
    give(flow, session="")
    assert labels(flow, {"x": 1}, "") == (PI,)


def test_content_does_not_raise_sessions():
    flow = Flow("content")
    give(flow, session="a")
    assert labels(flow, {"x": "a paraphrase"}, "a") == ()


def opened(tmp_path, mode="content"):
    store = SqliteStore(tmp_path / "s.db")
    store.open()
    flow = Flow(mode, (), store)
    flow.open(tmp_path)
    return flow, store


def test_what_was_private_is_known_after_a_restart(tmp_path):
    flow, store = opened(tmp_path)
    give(flow)
    store.close()
    again, store = opened(tmp_path)
    assert labels(again, {"x": NOTES}) == (PI,)
    assert labels(again, {"x": "ingrid.halvorsen@example.org"}) == (PI,)
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.glob("s.db*"))
    assert b"halvorsen" not in data.lower()
    assert b"okonkwo" not in data.lower()
    assert stat.S_IMODE((tmp_path / "flow-key").stat().st_mode) == 0o600


def test_sessions_of_before_a_restart_are_everybodys(tmp_path):
    flow, store = opened(tmp_path, "session")
    give(flow)
    store.close()
    again, store = opened(tmp_path, "session")
    assert labels(again, {"x": "a paraphrase"}, "another") == (PI,)
    store.close()


def test_what_is_old_is_forgotten(tmp_path, monkeypatch):
    flow, store = opened(tmp_path)
    give(flow)
    later_s = memory_module.time.time() + memory_module.KEPT_S + 1
    monkeypatch.setattr(memory_module.time, "time", lambda: later_s)
    assert labels(flow, {"x": NOTES}) == ()
    store.flush()
    again = Flow("content", (), store)
    again.open(tmp_path)
    assert labels(again, {"x": NOTES}) == ()
    store.close()
    rows = sqlite3.connect(tmp_path / "s.db").execute("SELECT count(*) FROM flow").fetchone()
    assert rows == (0,)


def test_a_key_that_cannot_be_kept_is_told(tmp_path):
    (tmp_path / "flow-key").mkdir()
    with pytest.raises(ConfigError, match="flow-key"):
        flow_key(tmp_path)


def test_too_much_is_kept_more_coarsely_before_any_is_forgotten(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(memory_module.Memory, "__init__", bounded(memory_module.Memory, 3000))
    flow, store = opened(tmp_path)
    texts = [passage(n, 4000) for n in range(8)]
    for text in texts:
        give(flow, text)
    assert "more was private than is remembered" in caplog.text
    assert len(flow._memory) <= 3000
    for text in texts:
        assert labels(flow, {"x": text}) == (PI,)
    assert labels(flow, {"x": texts[-1][100:140]}) == (PI,)
    store.close()
    again, store = opened(tmp_path)
    for text in texts:
        assert labels(again, {"x": text}) == (PI,)
    store.close()


def bounded(kind, most):
    made = kind.__init__
    return lambda self, printer, store=None: made(self, printer, store, most)


def test_tools_that_declassify():
    flow = Flow("content", ["summarize.*", "redact"])
    assert flow.declassifies("summarize", "summarize_text")
    assert flow.declassifies("any", "redact")
    assert not flow.declassifies("web", "fetch")


def test_what_a_declassifying_tool_repeats_is_released():
    flow = Flow("content")
    give(flow)
    first, second, *_ = NOTES.splitlines()
    flow.release({"content": [{"type": "text", "text": f"They say: {first.upper()}"}]})
    assert labels(flow, {"x": first}) == ()
    assert labels(flow, {"x": second}) == (PI,)
    give(flow)
    assert labels(flow, {"x": first}) == (PI,)


def test_reading_a_file_again_is_not_new():
    flow = Flow("content")
    assert flow.gave_just_now(1) is False
    assert flow.gave_just_now(1) is True
    assert flow.gave_just_now(2) is False
