"""Modules that go over one limit each: the call ends with its name, and the next one works."""

import pytest

from edge_agent.errors import LimitExceeded, ModuleRejected, ModuleTrapped
from tests.edge_agent.guests import modules
from tests.edge_agent.guests.modules import WASI, module, saying

HOST = '(import "sanderling_host" "file_mode" (func $host (param i32 i32) (result i64)))'
WRITE = WASI + '"fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
POLL = WASI + '"poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))'
RANDOM = WASI + '"random_get" (func $random (param i32 i32) (result i32)))'


@pytest.fixture(autouse=True)
def next_call_works(send):
    yield
    assert b"still here" in send(saying("still here"), wall_ms=5000).data


def test_host_calls_end_at_their_limit(send):
    asking = module(
        "(loop $l (drop (call $host (i32.const 1024) (i32.const 2))) (br $l)) (i64.const 0)",
        imports=HOST,
        data=b"{}",
    )
    with pytest.raises(LimitExceeded, match=r"after 500 calls of the host; .* raise host_calls"):
        send(asking, host_calls=500)


def test_waiting_counts_as_asking_the_host(send):
    waiting = module(
        """(loop $l (drop (call $poll (i32.const 1024) (i32.const 4096) (i32.const 1)
             (i32.const 8192))) (br $l)) (i64.const 0)""",
        imports=POLL,
        data=bytes(16) + b"\1" + bytes(31),
    )
    with pytest.raises(LimitExceeded, match="raise host_calls"):
        send(waiting, host_calls=50)


def test_a_flood_on_standard_error_ends_at_its_limit(send):
    shouting = module(
        """(i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const 65536))
        (loop $l (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) (br $l))
        (i64.const 0)""",
        imports=WRITE,
    )
    with pytest.raises(LimitExceeded, match=r"1048576 bytes on standard error; .* raise log_kib"):
        send(shouting, log_bytes=1024 * 1024)


def test_a_table_over_its_limit_is_named(send):
    with pytest.raises(LimitExceeded, match=r"more than 100 elements; .* raise table_elements"):
        send(saying("hello", extra="(table 101 funcref)"), table_elements=100)


def test_a_table_bomb_is_denied_its_growth(send):
    growing = module(
        """(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 64))
             (i32.const -1)))) (i64.extend_i32_u (table.size $t))""",
        extra="(table $t 1 funcref)",
    )
    # Its answer is as long as the table became.
    assert 900 < len(send(growing, table_elements=1000).data) <= 1000


def test_many_tables_are_too_many(send):
    with pytest.raises((ModuleRejected, LimitExceeded)):
        send(saying("hello", extra="(table 1 funcref)" * 50))


def test_deep_recursion_before_the_call_is_contained(send):
    deep = (
        "(func $deep (param i64) (result i64) (i64.add (call $deep (local.get 0)) (i64.const 1)))"
    )
    for way in (
        f'{deep} (func (export "_initialize") (drop (call $deep (i64.const 1))))',
        f"{deep} (func $start (drop (call $deep (i64.const 1)))) (start $start)",
    ):
        with pytest.raises(ModuleTrapped, match="stack overflow"):
            send(module(extra=way))


def test_a_trap_before_the_call_is_contained(send):
    for way in ('(func (export "_initialize") unreachable)', "(func $s unreachable) (start $s)"):
        with pytest.raises(ModuleTrapped, match="unreachable"):
            send(module(extra=way))


def test_data_beyond_the_memory_is_contained(send):
    with pytest.raises(ModuleTrapped, match="out of bounds"):
        send(saying("hello", extra='(data (i32.const 262143) "too long")'))


def test_random_bytes_by_the_gibibyte_are_contained(send):
    asking = module(
        """(drop (call $random (i32.const 0) (i32.const 0x7fffffff))) (i64.const 0)""",
        imports=RANDOM,
    )
    with pytest.raises(ModuleTrapped):
        send(asking)


@pytest.mark.parametrize(
    ("source", "target", "count", "counted"),
    [
        (0xFFFF_FFF0, 0, 1, 0),
        (0, 0xFFFF_FFF0, 1, 0),
        (0, 0, 0xFFFF_FFFF, 0),
        (0, 0, 4096, 0),
        (4 * 65536 - 47, 0, 1, 0),
        (0, 0, 1, 4 * 65536 - 3),
        (0, 0, 0, 0),
    ],
)
def test_forged_pointers_of_a_wait_are_an_error_of_the_guest(send, source, target, count, counted):
    waiting = module(
        f"""(drop (call $poll (i32.const {source}) (i32.const {target}) (i32.const {count})
             (i32.const {counted}))) (i64.const {modules.packed(1024, 5)})""",
        imports=POLL,
        data=b"alive",
    )
    assert send(waiting, wall_ms=2000).data == b"alive"


@pytest.mark.parametrize(
    ("pointer", "length"),
    [(0xFFFF_FFFF, 1), (0xFFFF_FFF0, 0xFFFF_FFFF), (4 * 65536 - 1, 2), (0, 0x7FFF_FFFF)],
)
@pytest.mark.parametrize("function", ["file_mode", "http"])
def test_forged_pointers_to_the_host_get_no_answer(send, function, pointer, length):
    asking = module(
        f"(call $host (i32.const {pointer}) (i32.const {length}))",
        imports=f'(import "sanderling_host" "{function}" (func $host (param i32 i32) (result i64)))',
    )
    assert send(asking).data == b""


@pytest.mark.parametrize(
    "extra",
    [
        "(memory $second 1)",
        '(memory (export "second") 1 2 shared)',
        "(tag $t (param i32)) (func (throw $t (i32.const 1)))",
        "(type $s (struct (field i32)))",
        "(type $f (func)) (type $c (cont $f))",
    ],
    ids=["second-memory", "shared-memory", "exceptions", "gc", "stack-switching"],
)
def test_proposals_that_modules_do_without_are_rejected(send, extra):
    with pytest.raises(ModuleRejected):
        send(saying("hello", extra=extra))


def test_a_memory_of_64_bits_is_rejected(send):
    with pytest.raises(ModuleRejected):
        send(saying("hello", memory='(memory (export "memory") i64 1)'))
