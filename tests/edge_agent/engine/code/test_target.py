"""The engine on machines that lack something: address space, vectors, an extension."""

import json
import subprocess
import sys

import pytest

import wasm_tools
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code import settings, target
from edge_agent.engine.code.address_space import ON_DEMAND, AddressSpace, find_space, fits
from edge_agent.engine.limits import GIB
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import ModuleRejected
from tests.edge_agent.guests import modules

CPUINFO = """processor\t: 0
hart\t\t: 1
isa\t\t: {isa}
mmu\t\t: sv39
uarch\t\t: {uarch}
"""


@pytest.fixture
def board(monkeypatch, tmp_path):
    """Make this machine look like a RISC-V board to the agent's own reading of it."""

    def pretend(isa, uarch="sifive,u74-mc", hwcap="imafdc"):
        file = tmp_path / "cpuinfo"
        file.write_text(CPUINFO.format(isa=isa, uarch=uarch))
        monkeypatch.setattr(target, "_CPUINFO", file)
        monkeypatch.setattr(target.platform, "machine", lambda: "riscv64")
        bits = sum(1 << ord(letter) - ord("a") for letter in hwcap)
        monkeypatch.setattr(target, "_hwcap", lambda: bits)
        target.riscv_extensions.cache_clear()

    yield pretend
    target.riscv_extensions.cache_clear()


# ---- address space ----------------------------------------------------------------

# Runs a module that grows to 40 MiB and one that never stops growing, under a limit on
# the address space, and tells what it was given and how each ended.
CALLS = """
import json, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from edge_agent.engine.limits import Limits
from edge_agent.engine.call_state import CallState
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallFailed
from tests.edge_agent.guests import modules
engine = WasmEngine(None, concurrency=2)
def end(module):
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    try:
        return engine.send(loaded, b"{}", CallState(Limits(memory_mib=64))).data.decode()
    except CallFailed as error:
        return type(error).__name__
grown = modules.module(
    "(drop (memory.grow (i32.const 640)))"
    "(i32.store8 (i32.const 41943000) (i32.const 33))"
    "(i64.const %d)" % modules.packed(41943000, 1))
print(json.dumps([engine.space.pooled, engine.space.reservation_bytes,
                  end(grown), end(modules.memory_bomb())]))
engine.close()
"""


@pytest.mark.parametrize(
    ("address_space_gib", "pooled", "reservation_gib"),
    [(4096, True, 4), (256, True, 2), (128, True, 1), (6, False, 0)],
    ids=["47 bits", "as RISC-V's Sv39", "half of that", "a tight ulimit"],
)
def test_modules_run_in_the_address_space_that_there_is(address_space_gib, pooled, reservation_gib):
    done = subprocess.run(
        [sys.executable, "-c", CALLS, str(address_space_gib * GIB)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    was_pooled, reservation, grown, bomb = json.loads(done.stdout)
    assert was_pooled == pooled
    assert reservation // GIB == reservation_gib
    assert grown == "!"
    assert bomb == "MemoryExceeded"


def test_what_fits_is_tried_out():
    assert fits(GIB)
    assert not fits(1 << 60)
    assert find_space(2) == AddressSpace(pooled=True, reservation_bytes=4 * GIB)
    assert find_space(1 << 30) == ON_DEMAND


# ---- instruction sets -------------------------------------------------------------


@pytest.mark.parametrize(
    ("isa", "simd"),
    [
        ("rv64imafdc_zicsr_zifencei_zba_zbb", False),
        ("rv64imafdcv_zicsr_zvl128b", True),
        ("rv64imafdc_xventanacondops_zve32x", False),
        ("", False),
    ],
)
def test_riscv_has_simd_with_the_vector_extension_only(board, isa, simd):
    board(isa)
    assert target.isa() == "riscv64"
    assert target.has_simd() == simd


def test_the_kernel_may_tell_of_vectors_to_the_process_alone(board):
    board("", hwcap="imafdcv")
    assert target.has_simd()


def test_vectors_of_the_draft_are_not_those_of_the_standard(board):
    board("rv64imafdcv", uarch="thead,c910")
    assert not target.has_simd()


@pytest.mark.parametrize("name", ["x86_64", "AMD64", "aarch64", "arm64"])
def test_other_isas_always_have_vectors(monkeypatch, name):
    monkeypatch.setattr(target.platform, "machine", lambda: name)
    assert target.has_simd()
    assert target.compiled_for() == ""


def test_without_vectors_a_module_that_needs_them_is_refused(monkeypatch):
    monkeypatch.setattr(target, "has_simd", lambda: False)
    monkeypatch.setattr(settings, "has_simd", lambda: False)
    engine = WasmEngine(None, concurrency=1, compiles_apart=False)
    with pytest.raises(ModuleRejected, match="SIMD"):
        engine.modules.get(*vectors())
    plain = modules.saying("scalar")
    loaded, _ = engine.modules.get(plain.digest, lambda: plain.wasm)
    assert b"scalar" in engine.send(loaded, b"{}", CallState()).data
    engine.close()


def test_compiled_code_is_not_taken_along_to_a_lesser_board(board, tmp_path):
    server = modules.saying("compiled")
    asked = []

    def first_call():
        engine = WasmEngine(tmp_path, concurrency=1, compiles_apart=False)
        engine.modules.get(server.digest, lambda: asked.append(1) or server.wasm)
        engine.close()
        return len(asked)

    board("rv64imafdcv_zba")
    assert [first_call(), first_call()] == [1, 1]
    board("rv64imafdc")
    assert first_call() == 2


def vectors():
    """Return the digest of the built-in server that uses vectors, and a way to its bytes."""
    (server,) = (one for one in wasm_tools.servers() if one.name == "image-resize")
    return server.sha256, lambda: wasm_tools.module_path(server.name).read_bytes()
