"""Small WasmMCP modules in WAT: well-behaved ones and hostile ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import wasmtime

HEAP = 131072
WASI = '(import "wasi_snapshot_preview1" '
RESULT = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"%s"}]}}'


@dataclass(frozen=True)
class Module:
    wasm: bytes

    @property
    def digest(self):
        return hashlib.sha256(self.wasm).hexdigest()

    def write(self, directory):
        path = directory / f"{self.digest[:12]}.wasm"
        path.write_bytes(self.wasm)
        return path


def module(
    call="(i64.const 0)",
    *,
    alloc=f"(i32.const {HEAP})",
    memory='(memory (export "memory") 4)',
    imports="",
    extra="",
    data=b"",
    data_at=1024,
):
    """Build a module; ``call`` is the body of mcp_call, with $ptr and $len."""
    escaped = "".join(f"\\{byte:02x}" for byte in data)
    wat = f"""(module
      {imports}
      {memory}
      (data (i32.const {data_at}) "{escaped}")
      {extra}
      (func $alloc (export "mcp_alloc") (param $size i32) (result i32) {alloc})
      (func (export "mcp_call") (param $ptr i32) (param $len i32) (result i64) {call}))"""
    return Module(bytes(wasmtime.wat2wasm(wat)))


def packed(pointer, length):
    """The i64 that mcp_call answers for a place in memory."""
    value = (pointer << 32) | length
    return value - (1 << 64) if value >= 1 << 63 else value


def answering(answer, **options):
    """A module that gives this answer (bytes) to every message."""
    return module(f"(i64.const {packed(1024, len(answer))})", data=answer, **options)


def saying(text, **options):
    """A module whose every tool answers with this text."""
    return answering((RESULT % text).encode(), **options)


def echo(**options):
    """A module that answers each message with the message itself, as it came."""
    return module(
        "(i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))"
        " (i64.extend_i32_u (local.get $len)))",
        **options,
    )


def looping():
    return module("(loop $l (br $l)) (i64.const 0)")


def looping_in_alloc():
    return module(alloc="(loop $l (br $l)) (i32.const 0)")


def looping_in_initialize():
    return module(extra='(func (export "_initialize") (loop $l (br $l)))')


def looping_in_start():
    return module(extra="(func $start (loop $l (br $l))) (start $start)")


def sleeping(seconds):
    """A module that asks the host to sleep, where no checkpoint of the guest is."""
    subscription = bytearray(48)
    subscription[16] = 1  # the monotonic clock
    subscription[24:32] = int(seconds * 1e9).to_bytes(8, "little")
    answer = (RESULT % "slept").encode()
    return module(
        f"""(drop (call $poll (i32.const 1024) (i32.const 4096) (i32.const 1) (i32.const 8192)))
        (i64.const {packed(1072, len(answer))})""",
        imports=WASI + '"poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))',
        data=bytes(subscription) + answer,
    )


def memory_bomb():
    return module(
        """(loop $l
             (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
           unreachable"""
    )


def greedy_from_the_start(pages=16384):
    return saying("hello", memory=f'(memory (export "memory") {pages})')


def overflowing():
    return module(
        "(call $deeper (i64.const 1))",
        extra="(func $deeper (param i64) (result i64)"
        " (i64.add (call $deeper (local.get 0)) (i64.const 1)))",
    )


def trapping():
    return module("unreachable")


def trapping_once_in_a_while():
    """Traps when the message says so, else answers."""
    answer = (RESULT % "fine").encode()
    return module(
        f"""(if (i32.eq (i32.load8_u (i32.sub (i32.add (local.get $ptr) (local.get $len))
                                              (i32.const 4))) (i32.const 33))
              (then unreachable))
            (i64.const {packed(1024, len(answer))})""",
        data=answer,
    )


def looping_on_a_mark():
    """Loops when the message says so, else has nothing to say."""
    return module(
        """(loop $l (br_if $l (i32.eq (i32.load8_u
             (i32.sub (i32.add (local.get $ptr) (local.get $len)) (i32.const 4)))
             (i32.const 33))))
           (i64.const 0)"""
    )


def huge_answer(size):
    return module(
        f"""(drop (memory.grow (i32.const {size // 65536 + 1})))
        (i64.const {packed(0, size)})"""
    )


def long_answer(size):
    """A module whose result is a text of ``size`` times the letter y, made when called."""
    head, tail = (RESULT % "\0").encode().split(b"\0")
    total = len(head) + size + len(tail)
    start = HEAP + 65536
    return module(
        f"""(drop (memory.grow (i32.const {total // 65536 + 1})))
        (memory.copy (i32.const {start}) (i32.const 1024) (i32.const {len(head)}))
        (memory.fill (i32.const {start + len(head)}) (i32.const 121) (i32.const {size}))
        (memory.copy (i32.const {start + len(head) + size}) (i32.const {1024 + len(head)})
                     (i32.const {len(tail)}))
        (i64.const {packed(start, total)})""",
        data=head + tail,
    )


def forged_answer(pointer, length):
    return module(f"(i64.const {packed(pointer, length)})")


def forged_place(pointer):
    return module(alloc=f"(i32.const {pointer})")


def exiting(code):
    return module(
        f"(call $exit (i32.const {code})) (i64.const 0)",
        imports=WASI + '"proc_exit" (func $exit (param i32)))',
    )


def asking_host(function, request):
    """A module that answers with what a function of sanderling_host answered."""
    data = request.encode()
    return module(
        f"(call $host (i32.const 1024) (i32.const {len(data)}))",
        imports=f'(import "sanderling_host" "{function}" (func $host (param i32 i32) (result i64)))',
        alloc="(if (result i32) (i32.gt_u (local.get $size) (i32.const 0))"
        f" (then (i32.const {HEAP})) (else (i32.const 1)))",
        data=data,
    )


def shouting(words):
    """A module that writes on standard error, then traps."""
    text = words.encode()
    vector = (1100).to_bytes(4, "little") + len(text).to_bytes(4, "little")
    return module(
        """(drop (call $write (i32.const 2) (i32.const 1024) (i32.const 1) (i32.const 2048)))
        unreachable""",
        imports=WASI + '"fd_write" (func $write (param i32 i32 i32 i32) (result i32)))',
        data=vector + bytes(68) + text,
    )
