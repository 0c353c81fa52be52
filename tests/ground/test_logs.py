"""Lines about what happens again and again."""

from ground.logs import Repeats


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_a_line_is_said_once_and_then_counted_further_and_further_apart():
    said, clock = [], Clock()
    repeats = Repeats(said.append, clock)
    for _ in range(24 * 3600):
        repeats.happened("down", "it is down")
        clock.now_s += 1
    assert said[:3] == [
        "it is down", "it is down (61 times so far)", "it is down (181 times so far)"
    ]  # fmt: skip
    assert len(said) < 32  # of 86,400


def test_other_things_are_said_by_themselves():
    said = []
    repeats = Repeats(said.append)
    for n in (1, 2, 1, 2):
        repeats.happened(str(n), f"line {n}")
    assert said == ["line 1", "line 2"]


def test_what_is_over_is_said_anew():
    said = []
    repeats = Repeats(said.append)
    repeats.happened("a", "a")
    repeats.over()
    repeats.happened("a", "a")
    assert said == ["a", "a"]


def test_strangers_fill_no_memory():
    repeats = Repeats(lambda _: None)
    for n in range(10_000):
        repeats.happened(str(n), "line")
    assert len(repeats._said) <= 64
