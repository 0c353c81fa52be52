"""Where things stand in a TOML file."""

import pytest

from dispatcher.config import load
from dispatcher.config.positions import Positions

TEXT = '''# comment [[not]]
[dispatcher]
origin = "x"
[policy]
declassifies = [
  "a.*", # hello ]
  'b]c',
]
note = """
[[policy.rules]]
"""
[[policy.rules]]
tools = ["x"]
[[ policy . "rules" ]]
tools = ["y",
  "tier:clod"]
limits.wall_ms = 3
[[agents]]
name = "a"
[[agents.mounts]]
path = "/x"
[[agents]]
name = "b"
  [[agents.mounts]]
  path = "/y"
'''


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (("dispatcher", "origin"), None, 3),
        (("policy", "declassifies"), None, 5),
        (("policy", "declassifies"), "b]c", 7),
        (("policy", "rules", 0), None, 12),
        (("policy", "rules", 1), None, 14),
        (("policy", "rules", 1, "tools"), "tier:clod", 16),
        (("policy", "rules", 1, "limits", "wall_ms"), None, 17),
        (("policy", "rules", 1, "deny"), "tier:x", 14),
        (("agents", 0, "mounts", 0, "path"), None, 21),
        (("agents", 1, "mounts", 0, "path"), None, 25),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_each_thing_has_its_line(key, value, line, ends):
    text = TEXT.replace("\n", ends)
    assert Positions.of("p.toml", text).place(*key, value=value) == f"p.toml:{line}"


def test_what_stands_nowhere_is_of_the_file():
    assert Positions.of("p.toml", TEXT).place("links", 0) == "p.toml"


def test_inline_rules_are_found_by_their_words():
    text = '[policy]\nrules = [\n  {tools = ["a"]},\n  {deny = ["tier:b"]},\n]\n'
    place = Positions.of("p.toml", text).place
    assert place("policy", "rules", 1) == "p.toml:2"
    assert place("policy", "rules", 1, "deny", value="tier:b") == "p.toml:4"


def test_rules_know_where_they_stand(tmp_path):
    path = tmp_path / "home.toml"
    path.write_text('\n\n[[policy.rules]]\nprivacy = "node"\n')
    [rule] = load(path).policy.rules
    assert rule.place == "home.toml:3"
