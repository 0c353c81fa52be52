"""Modules and components with bytes changed at random: refused, or run within their limits."""

import random

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import MIB, Limits
from edge_agent.errors import EdgeAgentError
from edge_agent.mounts import make_mount
from tests.edge_agent.engines import MESSAGE
from tests.edge_agent.guests import (
    components,
    hostile_components,
    hostile_files,
    modules,
    socket_components,
)
from tests.edge_agent.guests.modules import Module
from tests.edge_agent.guests.neighbours import untouched

LIMITS = Limits(
    wall_ms=200, memory_mib=16, disk_bytes=MIB, host_calls=1000, open_files=50, log_bytes=MIB
)
HEAD_BYTES = 8
# Parts of sections, types and instructions, which say more than others where they end up.
TELLING = b"\x00\x01\x0b\x10\x40\x41\x42\x6a\x7e\x7f\x80\xff"
ORIGINALS = {
    "saying": components.saying(),
    "dropping": components.dropping("stderr"),
    "waiting": components.waiting("(call $duration (i64.const 10))"),
    "using files": components.using_files("(call $again)"),
    "filling the disk": components.filling_disk(),
    "connecting": socket_components.reaching("start-connect", (127, 0, 0, 1), 1),
    "passing": hostile_components.passing("(list u8)", 10),
    "a core module's writing": hostile_files.writing(100),
    "a core module's request": modules.asking_host("http", '{"url": "http://a"}'),
    "a core module's sleep": modules.sleeping(0.01),
}


def mutated(wasm, rng):
    data = bytearray(wasm)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(HEAD_BYTES, len(data))
        data[at] = rng.choice([rng.choice(TELLING), rng.randrange(256), data[at] ^ 1])
    return Module(bytes(data))


@pytest.mark.parametrize("name", ORIGINALS)
def test_changed_bytes_are_contained(engine, tmp_path, name):
    rng, told = random.Random(name), []
    (tmp_path / "mounted").mkdir()
    mounts = [make_mount("/m", tmp_path / "mounted")]
    with untouched(engine):
        for _ in range(60):
            module = mutated(ORIGINALS[name].wasm, rng)
            try:
                loaded, _ = engine.modules.get(module.digest, lambda wasm=module.wasm: wasm)
                engine.send(loaded, MESSAGE, CallState(LIMITS, mounts))
            except EdgeAgentError as error:
                told.append(str(error))
    assert told
    assert not [words for words in told if "\n" in words]
