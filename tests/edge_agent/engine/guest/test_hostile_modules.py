"""Core modules that look for a way out: each is contained, and its neighbours hear nothing of it."""

import os
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge_agent.engine.limits import MIB
from edge_agent.errors import (
    CallTimeout,
    LimitExceeded,
    MemoryExceeded,
    ModuleRejected,
    ModuleTrapped,
    OutputTooLarge,
)
from edge_agent.mounts import Mount
from tests.edge_agent.guests import hostile_files as files
from tests.edge_agent.guests.hostile_files import numbers
from tests.edge_agent.guests.modules import HEAP, WASI, module, packed, saying
from tests.edge_agent.guests.neighbours import untouched

SHOWN = 2048
SHOW = f"(i64.const {packed(SHOWN, 16)})"
DENIED = {
    2,
    8,
    28,
    44,
    57,
    58,
    63,
    76,
}  # acces, badf, inval, noent, notsock, notsup, perm, notcapable


@pytest.fixture(autouse=True)
def others_are_untouched(engine):
    with untouched(engine):
        yield


@pytest.fixture
def mounts(tmp_path):
    for name in ("first", "second", "read-only"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "b").write_text(name)
    (tmp_path / "first" / "a").write_text("mine")
    return [
        Mount("/first", str(tmp_path / "first")),
        Mount("/read-only", str(tmp_path / "read-only"), readonly=True),
    ]


def asking(name, parameters, arguments, **options):
    """A module that asks WASI once, and answers with the error number."""
    return module(
        f"(i32.store (i32.const {SHOWN}) (call $ask {_constants(parameters, arguments)})) {SHOW}",
        imports=_import(name, parameters),
        **options,
    )


def spinning(name, parameters, arguments, **options):
    """A module that asks WASI for ever."""
    return module(
        f"(loop $l (drop (call $ask {_constants(parameters, arguments)})) (br $l)) (i64.const 0)",
        imports=_import(name, parameters),
        **options,
    )


def _import(name, parameters):
    given = f"(param {parameters})" if parameters else ""
    return WASI + f'"{name}" (func $ask {given} (result i32)))'


def _constants(parameters, arguments):
    pairs = zip(parameters.split(), arguments, strict=True)
    return " ".join(f"({kind}.const {value})" for kind, value in pairs)


LOOPS = {
    "tail calls": module("(call $f) (i64.const 0)", extra="(func $f (return_call $f))"),
    "table.fill": module(
        "(loop $l (table.fill $t (i32.const 0) (ref.null func) (i32.const 60000)) (br $l))"
        " (i64.const 0)",
        extra="(table $t 60000 funcref)",
    ),
    "memory.copy": module(
        "(drop (memory.grow (i32.const 3000))) (loop $l (memory.copy (i32.const 0)"
        " (i32.const 90000000) (i32.const 90000000)) (br $l)) (i64.const 0)"
    ),
    "a start function": module(
        extra="(func $s (loop $l (br_if $l (i32.const 1)))) (start $s)",
    ),
    "the clock": spinning("clock_time_get", "i32 i64 i32", (1, 0, 2056)),
    "sched_yield": spinning("sched_yield", "", ()),
    "fd_readdir": spinning("fd_readdir", "i32 i32 i32 i64 i32", (3, 65536, 65536, 0, 8)),
    "random_get": spinning("random_get", "i32 i32", (0, 200_000)),
    "path_create_directory": spinning(
        "path_create_directory", "i32 i32 i32", (3, 1024, 1), data=b"d"
    ),
    "slices without end": spinning("fd_write", "i32 i32 i32 i32", (1, 0, 30_000, 8)),
    "thousands of waits": spinning(
        "poll_oneoff",
        "i32 i32 i32 i32",
        (16_384, 300_000, 4096, 8),
        memory='(memory (export "memory") 10)',
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_what_never_ends_is_stopped_at_its_wall_time(send, mounts, name):
    with pytest.raises(CallTimeout):
        send(LOOPS[name], mounts=mounts, wall_ms=300)


def test_what_floods_the_log_from_one_slice_is_stopped(send):
    flooding = module(
        f"""(drop (memory.grow (i32.const 3000)))
        (i32.store (i32.const 4) (i32.const 150000000))
        (loop $l (drop (call $ask {_constants("i32 " * 4, (2, 0, 1, 8))})) (br $l)) (i64.const 0)""",
        imports=_import("fd_write", "i32 i32 i32 i32"),
    )
    with pytest.raises((LimitExceeded, CallTimeout)):
        send(flooding, wall_ms=2000, log_bytes=MIB)


TRAPS = {
    "recursion through a table": module(
        "(call $f) (i64.const 0)",
        extra="""(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
        (func $f (call_indirect (type $t) (i32.const 0)) (call_indirect (type $t) (i32.const 0)))""",
    ),
    "recursion with large frames": module(
        "(call $f) (i64.const 0)",
        extra=f"(func $f (local {'v128 ' * 3000}) (call $f) (call $f))",
    ),
    "a table without a function": module(
        "(call_indirect (i32.const 5)) (i64.const 0)", extra="(table 10 funcref)"
    ),
    "a function of another type": module(
        "(call_indirect (type $t) (i32.const 0)) (i64.const 0)",
        extra="""(type $t (func)) (table 1 funcref) (func $f (param i64))
        (elem (i32.const 0) $f)""",
    ),
    "a call beyond the table": module(
        "(call_indirect (i32.const -1)) (i64.const 0)", extra="(table 10 funcref)"
    ),
    "a division": module("(i64.div_s (i64.const -9223372036854775808) (i64.const -1))"),
    "a trap in mcp_alloc": module(alloc="unreachable"),
    "an exit before it is asked": module(
        imports=WASI + '"proc_exit" (func $exit (param i32)))',
        extra="(func $s (call $exit (i32.const 0))) (start $s)",
    ),
    "4 GiB of random bytes": asking("random_get", "i32 i32", (0, -1)),
    "a number out of line": asking("clock_time_get", "i32 i64 i32", (1, 0, 2051)),
}


@pytest.mark.parametrize("name", TRAPS)
def test_what_traps_ends_its_own_call_with_a_reason(send, mounts, name):
    with pytest.raises(ModuleTrapped) as raised:
        send(TRAPS[name], mounts=mounts, wall_ms=5000)
    said = str(raised.value)
    assert said.isprintable()
    assert not said.endswith(":")  # the engine tells the cause at the end of many lines


def test_growing_by_single_pages_ends_at_the_limit(send):
    growing = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"
    with pytest.raises(MemoryExceeded, match=r"with 64\.0 of its 64 MiB"):
        send(module(growing), memory_mib=64)
    with pytest.raises(MemoryExceeded):
        send(module(alloc=growing), memory_mib=64)


def test_growing_a_table_by_single_elements_ends_at_the_limit(send):
    growing = module(
        """(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1))
             (i32.const -1)))) (i64.extend_i32_u (table.size $t))""",
        extra="(table $t 1 funcref)",
    )
    assert len(send(growing, table_elements=1000).data) == 1000


def test_an_answer_may_lie_where_the_message_lay(send):
    """An alias of mcp_alloc's place is read as it is, and reaches no further."""
    echo = module(
        f"(i64.or (i64.const {packed(HEAP, 0)}) (i64.extend_i32_u (local.get $len)))",
    )
    assert send(echo, b'{"id":1}').data == b'{"id":1}'


@pytest.mark.parametrize(
    "answer", [-1, packed(0xFFFF_FFFF, 0xFFFF_FFFF), packed(1, 0xFFFF_FFFF), packed(8, 2**31)]
)
def test_an_answer_as_large_as_can_be_is_refused(send, answer):
    with pytest.raises(OutputTooLarge):
        send(module(f"(i64.const {answer})"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory": '(memory 1) (global (export "memory") i32 (i32.const 0))'}, "no memory"),
        ({"imports": WASI + '"memory" (memory 1))', "memory": '(export "memory" (memory 0))'}, "memory"),
        ({"imports": WASI + '"t" (table 1 funcref))'}, "unknown import"),
        ({"imports": WASI + '"g" (global i32))'}, "unknown import"),
        ({"imports": WASI + '"fd_write" (func (param i64)))'}, "incompatible import"),
        ({"imports": WASI + '"fd_explode" (func))'}, "unknown import"),
        ({"extra": "(rec (type (func)) (type (func)))"}, "not valid"),
        ({"call": "(drop (i32.atomic.load (i32.const 0))) (i64.const 0)"}, "not valid"),
        ({"memory": '(memory (export "memory") 1 2 shared)'}, "not valid"),
        ({"extra": '(func (export "_initialize") (result i32) (i32.const 0))'}, "_initialize"),
        ({"extra": '(global (export "_initialize") i32 (i32.const 0))'}, "_initialize"),
    ],
)  # fmt: skip
def test_a_module_that_does_not_fit_is_refused_in_one_line(send, caplog, options, words):
    for _ in range(2):
        with pytest.raises(ModuleRejected, match=words) as raised:
            send(module(**options))
        assert "\n" not in str(raised.value)
        assert str(raised.value).count("module ") <= 2
    assert "unexpectedly" not in caplog.text


def test_large_parts_that_are_no_harm_are_run(send):
    for extra in (
        "".join(f'(func (export "f{number}"))' for number in range(5000)),
        "".join(f"(type (func (param {'i32 ' * (number % 90)})))" for number in range(2000)),
        f'(data "{"x" * 1_000_000}")',
        f"(func $f (result {'i64 ' * 900}) {'(i64.const 1)' * 900})",
    ):
        assert b"fine" in send(saying("fine", extra=extra)).data


@pytest.mark.parametrize(
    ("name", "parameters", "arguments"),
    [
        ("sock_accept", "i32 i32 i32", (3, 0, 2052)),
        ("sock_recv", "i32 i32 i32 i32 i32 i32", (0, 0, 1, 0, 2052, 2056)),
        ("sock_send", "i32 i32 i32 i32 i32", (1, 0, 1, 0, 2052)),
        ("sock_shutdown", "i32 i32", (0, 3)),
        ("proc_raise", "i32", (9,)),
        ("clock_time_get", "i32 i64 i32", (2, 0, 2056)),
        ("fd_renumber", "i32 i32", (3, -1)),
        ("fd_allocate", "i32 i64 i64", (3, 0, 10**12)),
        ("fd_close", "i32", (-1,)),
    ],
)
def test_what_no_module_may_is_denied(send, mounts, name, parameters, arguments):
    assert numbers(send(asking(name, parameters, arguments), mounts=mounts))[0] in DENIED


@pytest.mark.parametrize(
    ("one", "words"),
    [(b"[],", b"too many values"), (b"{", b"too many values"), (b"[" * 3, b"too many values"), (b"\xff\xff\xff", b"not JSON")],
)  # fmt: skip
def test_what_the_host_is_asked_takes_no_more_than_it_should(send, one, words):
    """Eight megabytes of empty lists would become half a gigabyte of objects."""
    size = 7_500_000 // len(one) * len(one)
    asked = module(
        f"""(drop (memory.grow (i32.const 200)))
        (i32.store8 (i32.const {HEAP * 2}) (i32.const 91))
        (local.set $ptr (i32.const {HEAP * 2 + 1}))
        (loop $l (memory.copy (local.get $ptr) (i32.const 1024) (i32.const {len(one)}))
          (local.set $ptr (i32.add (local.get $ptr) (i32.const {len(one)})))
          (br_if $l (i32.lt_u (local.get $ptr) (i32.const {HEAP * 2 + size}))))
        (i32.store8 (local.get $ptr) (i32.const 93))
        (call $http (i32.const {HEAP * 2}) (i32.const {size + 2}))""",
        imports='(import "sanderling_host" "http" (func $http (param i32 i32) (result i64)))',
        data=one,
    )
    assert words in send(asked).data


@pytest.mark.parametrize("name", ["args_sizes_get", "environ_sizes_get"])
def test_nothing_of_the_agents_own_process_is_told(send, monkeypatch, name):
    monkeypatch.setenv("SECRET", "of the agent")
    asked = send(asking(name, "i32 i32", (SHOWN + 4, SHOWN + 8)))
    assert numbers(asked)[:3] == [0, 0, 0]


PATHS = "i32 i32 i32 i32 i32 i32"


@pytest.mark.parametrize(
    ("name", "parameters", "arguments"),
    [
        ("path_rename", PATHS, (3, 1024, 1, 4, 1025, 1)),
        ("path_rename", PATHS, (4, 1025, 1, 3, 1025, 1)),
        ("path_link", "i32 " + PATHS, (3, 0, 1024, 1, 4, 1026, 1)),
        ("path_link", "i32 " + PATHS, (4, 0, 1025, 1, 3, 1026, 1)),
        ("path_unlink_file", "i32 i32 i32", (4, 1025, 1)),
        ("path_create_directory", "i32 i32 i32", (4, 1026, 1)),
        ("path_symlink", "i32 i32 i32 i32 i32", (1024, 1, 4, 1026, 1)),
        ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32", (4, 0, 1025, 1, 0, 0, 1)),
    ],
)
def test_a_read_only_mount_stays_as_it_is(send, mounts, tmp_path, name, parameters, arguments):
    """Neither changed from another mount, nor emptied into it, nor linked where it can be changed."""

    def state():
        place = tmp_path / "read-only"
        return {path.name: (about(path), path.read_text()) for path in place.iterdir()}

    def about(path):
        found = path.stat()
        return found.st_ino, found.st_nlink, found.st_mtime_ns, found.st_ctime_ns

    before = state()
    denied, *_ = numbers(send(asking(name, parameters, arguments, data=b"abc"), mounts=mounts))
    assert denied != 0
    assert state() == before


@pytest.mark.parametrize("way", [b"../second/b", b"/etc/passwd", b"b/../../second/b", b"..", b""])
def test_no_path_leads_out_of_a_mount(send, mounts, way):
    opening = files.using_files("(call $show (i32.const 0) (call $open))", way)
    denied, *_ = numbers(send(opening, mounts=mounts))
    assert denied != 0


@contextmanager
def swapping(place, outside):
    """Let a name be a file and a link to the outside, one after the other, for as long as it is open."""
    over = threading.Event()

    def swap():
        while not over.is_set():
            (place / "new").write_text("inside")
            (place / "new").replace(place / "file")
            with suppress(FileExistsError):
                (place / "link").symlink_to(outside)
            (place / "link").replace(place / "file")

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    over.set()
    thread.join()


def test_a_link_that_is_swapped_in_meanwhile_leads_nowhere(send, mounts, tmp_path):
    """Of thousands of openings, some of which meet the link, none reads or writes outside."""
    outside = tmp_path / "outside"
    outside.write_text("a secret as long as this")
    place = Path(mounts[0].directory)
    size = len("inside")
    # Counts the openings whose file is not as long as the one inside, or being made.
    looking = files.using_files(
        f"""(loop $again
          (if (i32.eqz (call $open)) (then
            (local.set $fd (i32.load (i32.const {SHOWN + 12})))
            (drop (call $stat (local.get $fd) (i32.const 4096)))
            (if (i64.gt_u (i64.load (i32.const 4128)) (i64.const {size}))
              (then (local.set $e (i32.add (local.get $e) (i32.const 1)))))
            (drop (call $fd_close (local.get $fd)))))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const 4000))))
        (call $show (i32.const 0) (local.get $e))
        (call $show (i32.const 1) (local.get $n))""",
        imports=WASI + '"fd_filestat_get" (func $stat (param i32 i32) (result i32)))',
    )
    with swapping(place, outside):
        found, tried, *_ = numbers(send(looking, mounts=mounts, wall_ms=60_000))
    assert (found, tried) == (0, 4000)
    assert outside.read_text() == "a secret as long as this"


def test_words_of_a_module_do_not_reach_a_terminal_as_they_are(send):
    shouting = module(
        f"""(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 12))
        (drop (call $ask {_constants("i32 " * 4, (2, 0, 1, 8))})) unreachable""",
        imports=_import("fd_write", "i32 i32 i32 i32"),
        data=b"\xff\x1b[31mred\r\x07\0",
    )
    with pytest.raises(ModuleTrapped) as raised:
        send(shouting)
    assert str(raised.value).isprintable()
    assert "red" in str(raised.value)


def test_a_memory_of_zeros_takes_none(send):
    """A module may start with all of its limit; what it never touches costs nothing."""
    before = _resident_kib()
    for _ in range(20):
        send(saying("fine", memory='(memory (export "memory") 4000)'), memory_mib=256)
    assert _resident_kib() - before < 64 * 1024


def _resident_kib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
