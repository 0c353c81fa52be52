"""compare_hashes on hashes of every length and form, against what Python's integers make of them."""

import math
import random

import pytest

from tests.wasm_tools.logs_and_data.harness import ToolFailed

PHASH = 0xF0E1D2C3B4A59687


def bits(text):
    """The digits of the number in rows of a square's side; ValueError where they don't fit."""
    side = math.isqrt(4 * len(text))
    found = f"{int(text, 16):b}".zfill(side * side)
    if len(found) % side:
        raise ValueError(text)
    return found


def near(one, other, threshold):
    if len(one) != len(other):
        raise ValueError("lengths")
    return sum(a != b for a, b in zip(one, other, strict=True)) <= threshold


def groups(hashes, threshold):
    """Each is what is near its first member and in no group before it."""
    found, left = [], {path: bits(text) for path, text in hashes.items()}
    while left:
        first, own = next(iter(left.items()))
        group = [path for path, other in left.items() if near(own, other, threshold)]
        left = {path: other for path, other in left.items() if path not in group}
        found += [group] if first in group and len(group) > 1 else []
    return found


def some_hash(chance):
    if chance.random() < 0.7:
        number = PHASH
        for _ in range(chance.choice((0, 1, 3, 5, 6, 12))):
            number ^= 1 << chance.randrange(64)
        return f"{number:016x}"
    sizes = (1, 2, 3, 4, 6, 8, 16, 32)
    digits = "".join(chance.choice("0123456789abcdefABCDEF") for _ in range(chance.choice(sizes)))
    return chance.choice((digits, "abc123", "abc124", "zz", "", "0" * 16, f"0x{PHASH:016x}"))


@pytest.mark.parametrize("seed", range(60))
def test_hashes_of_every_form(recorded_images, seed):
    chance = random.Random(seed)
    hashes = {f"{number}.jpg": some_hash(chance) for number in range(chance.randint(2, 6))}
    threshold = chance.choice((0, 1, 5, 10, 64))
    asked = [{"path": path, "hash": text} for path, text in hashes.items()]
    arguments = {"hashes": asked, "threshold": threshold}
    try:
        expected = groups(hashes, threshold)
    except ValueError:
        with pytest.raises(ToolFailed):
            recorded_images.call("compare_hashes", arguments)
        return
    found = recorded_images.call("compare_hashes", arguments)
    assert found["duplicate_groups"] == expected
    grouped = {path for group in expected for path in group}
    assert found["unique_paths"] == [path for path in hashes if path not in grouped]


def test_one_hash_is_compared_with_nothing(recorded_images):
    # What is no hash matters only where there is another.
    for odd in (None, 5, "zz", []):
        arguments = {"hashes": [{"path": "a.jpg", "hash": odd}, {"path": "b.jpg", "error": "gone"}]}
        found = recorded_images.call("compare_hashes", arguments)
        assert (found["total_compared"], found["unique_count"]) == (1, 1)
        two = {"hashes": [*arguments["hashes"], {"path": "c.jpg", "hash": "ff"}]}
        with pytest.raises(ToolFailed):
            recorded_images.call("compare_hashes", two)
