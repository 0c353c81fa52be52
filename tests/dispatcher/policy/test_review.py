"""Typing errors in a configuration, each found with its line and what was meant."""

import pytest

from dispatcher.config import load
from dispatcher.policy.review import doubts, known_of

TOOLS = [
    ("filesystem", "read_text_file"),
    ("filesystem", "write_file"),
    ("summarize", "summarize_text"),
    ("log-parser", "parse_logs"),
]
NODES = [
    {"name": "pi4", "tier": "device", "site": "home", "isa": "aarch64", "features": ["camera"]},
    {"name": "nuc", "tier": "edge", "site": "home", "isa": "x86_64", "features": []},
    {"name": "vm", "tier": "cloud", "site": "dc1", "isa": "x86_64", "features": []},
]


def found(tmp_path, text, nodes=NODES, tools=TOOLS):
    path = tmp_path / "p.toml"
    path.write_text(text)
    config = load(path)
    return [
        str(one).removeprefix(f"{tmp_path}/")
        for one in doubts(config, known_of(config, nodes, tools))
    ]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ('tools = ["filesytem.*"]', "'filesystem.*'"),
        ('tools = ["filesystem.raed_text_file"]', "'filesystem.read_text_file'"),
        ('tools = ["sumarize_text"]', "'summarize_text'"),
        ('tools = ["sumarize*"]', "'summarize*'"),
        ('allow = ["tier:clod"]', "'tier:cloud'"),
        ('deny = ["tier:Cloud"]', "'tier:cloud'"),
        ('deny = ["tier:CLOUD"]', "'tier:cloud'"),
        ('deny = ["node:nuk"]', "'node:nuc'"),
        ('allow = ["site:hom"]', "'site:home'"),
        ('allow = ["isa:x86-64"]', "'isa:x86_64'"),
        ('allow = ["isa:arch64"]', "'isa:aarch64'"),
        ('deny = ["state:throtled"]', "'state:throttled'"),
        ('requires = ["camrea"]', "'camera'"),
        ('backend = ["wasmm"]', "'wasm'"),
    ],
)
def test_a_misspelt_rule_is_found(tmp_path, line, meant):
    [one] = found(tmp_path, f"[[policy.rules]]\n{line}\n")
    assert one.startswith("p.toml:2: ")
    assert one.endswith(f"did you mean {meant}?")


def test_a_rule_of_no_tools_binds_nothing(tmp_path):
    [one] = found(tmp_path, '[[policy.rules]]\nprivacy = "node"\ntools = []\n')
    assert one.startswith("p.toml:3: tools: an empty list matches no tool")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[policy]\ndeclassifies = ["sumarize.*"]\n', 2),
        ('[dispatcher]\norigin = "nuk"\n', 2),
        ('[dispatcher]\norigins = ["vm", "nuk"]\n', 2),
        ('[[links]]\na = "pi4"\nb = "nuk"\nrtt_ms = 1\nmbit_s = 1\n', 3),
        ('[[policy.prices]]\nnodes = ["tier:clod"]\n', 2),
        ('[[agents]]\nname = "a"\ntier = "edge"\n[[agents]]\nname = "b"\ntier = "clod"\n', 6),
    ],
)
def test_so_is_a_misspelt_name_elsewhere(tmp_path, text, line):
    [one] = found(tmp_path, text)
    assert one.startswith(f"p.toml:{line}: ")
    assert "did you mean" in one


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[[policy.rules]]\ntools = ["filesystem.*", "parse_*", "*"]\nprivacy = "node"\n',
        '[[policy.rules]]\nallow = ["tier:cloud", "site:dc1", "node:pi4", "isa:riscv64"]\n',
        '[[policy.rules]]\ndeny = ["state:hot"]\nrequires = ["camera", "gpu", "egress"]\n',
        '[[policy.rules]]\ntools = ["summarize.resources/read", "*.prompts/get"]\n',
        '[policy]\ndeclassifies = ["summarize.*"]\n',
        '[[servers]]\nname = "notes"\nurl = "http://x/"\n[[policy.rules]]\ntools = ["notes.a_*"]\n',
        '[[agents]]\nname = "fog1"\ntier = "fog"\n[[policy.rules]]\ndeny = ["tier:fog"]\n',
        '[dispatcher]\norigin = "pi4"\norigins = ["*"]\n',
    ],
)
def test_what_is_right_is_not_doubted(tmp_path, text):
    assert found(tmp_path, text) == []


def test_what_may_join_later_is_no_typing_error(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text('[[policy.rules]]\nallow = ["node:pi5"]\n')
    config = load(path)
    [one] = doubts(config, known_of(config, NODES, TOOLS))
    assert not one.near
    later = [*NODES, {"name": "pi5", "tier": "device", "site": "home", "isa": "aarch64"}]
    assert doubts(config, known_of(config, later, TOOLS)) == []
