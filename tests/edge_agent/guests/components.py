"""Components in WAT and from the built-in servers: well-behaved and hostile ones."""

from __future__ import annotations

import wasmtime

from tests.edge_agent.guests.modules import Module
from tests.edge_agent.guests.programs import ANSWER
from wasm_tools import manifest

_STREAMS = """
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output (sub resource)))
    (alias outer 1 $error (type $e)) (export "error" (type $e2 (eq $e)))
    (type $variant (variant (case "last-operation-failed" (own $e2)) (case "closed")))
    (export "stream-error" (type $failure (eq $variant)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8))
        (result (result (error $failure)))))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $o)) (export "output-stream" (type $o2 (eq $o)))
    (export "get-stdout" (func (result (own $o2))))))
  (core module $memory (memory (export "memory") 2))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $mem)))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
"""
_DROPPING = """
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output (sub resource)))
    (alias outer 1 $error (type $e)) (export "error" (type $e2 (eq $e)))
    (type $variant (variant (case "last-operation-failed" (own $e2)) (case "closed")))
    (export "stream-error" (type $failure (eq $variant)))
    (export "[method]output-stream.check-write"
      (func (param "self" (borrow $output)) (result (result u64 (error $failure)))))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $output)) (param "contents" (list u8))
        (result (result (error $failure)))))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $o)) (export "output-stream" (type $o2 (eq $o)))
    (export "get-stdout" (func (result (own $o2))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $output (type $o)) (export "output-stream" (type $o2 (eq $o)))
    (export "get-stderr" (func (result (own $o2))))))
  (core module $memory (memory (export "memory") 2))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $check (canon lower (func $streams "[method]output-stream.check-write")
    (memory $mem)))
  (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $mem)))
  (core func $drop (canon resource.drop $output))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core instance $host
    (export "memory" (memory $mem)) (export "write" (func $write)) (export "check" (func $check))
    (export "drop" (func $drop))
    (export "stdout" (func $stdout)) (export "stderr" (func $stderr)))
"""
_CLOCK = """
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p)) (export "pollable" (type $p2 (eq $p)))
    (export "now" (func (result u64)))
    (export "subscribe-instant" (func (param "when" u64) (result (own $p2))))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p2))))))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $now (canon lower (func $clock "now")))
  (core func $instant (canon lower (func $clock "subscribe-instant")))
  (core func $duration (canon lower (func $clock "subscribe-duration")))
"""
_PARTS = """
  (core instance $host
    (export "memory" (memory $mem))
    (export "write" (func $write)) (export "stdout" (func $stdout)))
"""
_CORE_IMPORTS = """
  (import "host" "memory" (memory 2))
  (import "host" "write" (func $write (param i32 i32 i32 i32)))
  (import "host" "stdout" (func $stdout (result i32)))
"""


def _assemble(imports, arguments, core, export, lift):
    wat = f"""(component {imports}
      (core module $m {core})
      (core instance $i (instantiate $m {arguments}))
      {lift}
      (export "{export}" (instance $x)))"""
    return Module(bytes(wasmtime.wat2wasm(wat)))


_LIFT_RUN = """(func $run (result (result)) (canon lift (core func $i "run")))
      (instance $x (export "run" (func $run)))"""


def running(body, extra=""):
    """A component whose ``wasi:cli/run`` is ``body``, with a memory of its own."""
    core = f'(memory (export "memory") 1) {extra} (func (export "run") (result i32) {body})'
    return _assemble("", "", core, "wasi:cli/run@0.2.0", _LIFT_RUN)


def writing(body, data=ANSWER):
    """A component whose run has ``$say``, which writes ``data`` on standard output."""
    escaped = "".join(f"\\{byte:02x}" for byte in data)
    core = f"""{_CORE_IMPORTS}
      (data (i32.const 4096) "{escaped}")
      (func $say (call $write (call $stdout) (i32.const 4096) (i32.const {len(data)})
                              (i32.const 1024)))
      (func (export "run") (result i32) {body})"""
    return _assemble(
        _STREAMS + _PARTS, '(with "host" (instance $host))', core, "wasi:cli/run@0.2.0", _LIFT_RUN
    )


def saying(data=ANSWER, then=""):
    return writing(f"(call $say) {then} (i32.const 0)", data)


def dropping(stream, data=ANSWER, then="(i32.const 0)"):
    """A component that writes ``data`` on a stream and drops it, without any flush."""
    escaped = "".join(f"\\{byte:02x}" for byte in data)
    core = f"""
      (import "host" "memory" (memory 2))
      (import "host" "write" (func $write (param i32 i32 i32 i32)))
      (import "host" "check" (func $check (param i32 i32)))
      (import "host" "drop" (func $drop (param i32)))
      (import "host" "{stream}" (func $stream (result i32)))
      (data (i32.const 4096) "{escaped}")
      (func (export "run") (result i32) (local $s i32)
        (local.set $s (call $stream))
        (call $check (local.get $s) (i32.const 1024))
        (call $write (local.get $s) (i32.const 4096) (i32.const {len(data)}) (i32.const 1024))
        (call $drop (local.get $s))
        {then})"""
    return _assemble(
        _DROPPING, '(with "host" (instance $host))', core, "wasi:cli/run@0.2.0", _LIFT_RUN
    )


def flooding():
    return writing("(loop $more (call $say) (br $more)) (i32.const 0)", b"x" * 4096)


def sleeping(seconds):
    """A component that sleeps, once for a duration and once until an instant."""
    nanoseconds = int(seconds * 1e9)
    core = f"""
      (import "clock" "block" (func $block (param i32)))
      (import "clock" "now" (func $now (result i64)))
      (import "clock" "instant" (func $instant (param i64) (result i32)))
      (import "clock" "duration" (func $duration (param i64) (result i32)))
      (func (export "run") (result i32)
        (call $block (call $duration (i64.const {nanoseconds})))
        (call $block (call $instant (i64.add (call $now) (i64.const {nanoseconds}))))
        (i32.const 0))"""
    parts = """(core instance $functions
      (export "block" (func $block)) (export "now" (func $now))
      (export "instant" (func $instant)) (export "duration" (func $duration)))"""
    return _assemble(
        _CLOCK + parts,
        '(with "clock" (instance $functions))',
        core,
        "wasi:cli/run@0.2.0",
        _LIFT_RUN,
    )


def waiting(expression, *, drops=True):
    """A component that evaluates, for ever, what may use ``$now``, ``$duration``, ``$instant``.

    The value is a pollable, which it drops, or with ``drops`` False a number.
    """
    core = f"""
      (import "clock" "now" (func $now (result i64)))
      (import "clock" "instant" (func $instant (param i64) (result i32)))
      (import "clock" "duration" (func $duration (param i64) (result i32)))
      (import "clock" "drop" (func $drop (param i32)))
      (func (export "run") (result i32)
        (loop $l ({"call $drop" if drops else "drop"} {expression}) (br $l)) (i32.const 0))"""
    parts = """(core func $drop (canon resource.drop $pollable))
      (core instance $functions
      (export "now" (func $now)) (export "drop" (func $drop))
      (export "instant" (func $instant)) (export "duration" (func $duration)))"""
    return _assemble(
        _CLOCK + parts,
        '(with "clock" (instance $functions))',
        core,
        "wasi:cli/run@0.2.0",
        _LIFT_RUN,
    )


def hoarding(memories):
    """A component of several memories, each grown for as long as it goes."""
    modules = "".join(
        f'(core module $m{n} (memory (export "memory") 1)'
        ' (func (export "grow") (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16))'
        " (i32.const -1))))))"
        f"(core instance $i{n} (instantiate $m{n}))"
        for n in range(memories)
    )
    imports = "".join(f'(import "i{n}" "grow" (func $grow{n}))' for n in range(memories))
    calls = "".join(f"(call $grow{n})" for n in range(memories))
    arguments = "".join(f'(with "i{n}" (instance $i{n}))' for n in range(memories))
    core = f'{imports} (func (export "run") (result i32) {calls} unreachable)'
    return _assemble(modules, arguments, core, "wasi:cli/run@0.2.0", _LIFT_RUN)


def built_in(name):
    """The component of a built-in server, as it is."""
    return Module(manifest.component_path(name).read_bytes())


def built_in_for_http(name):
    """The same, of which only the handler of HTTP can be found."""
    wasm = manifest.component_path(name).read_bytes()
    return Module(wasm.replace(b"wasi:cli/run@", b"test:cli/run@"))


_FILE_TYPES = """
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $code (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock"
          "quota" "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted"
          "invalid" "io" "is-directory" "loop" "too-many-links" "message-size" "name-too-long"
          "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space"
          "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
          "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy"
          "cross-device"))
    (export "error-code" (type $code2 (eq $code)))
    (type $pf (flags "symlink-follow")) (export "path-flags" (type $pf2 (eq $pf)))
    (type $of (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $of2 (eq $of)))
    (type $df (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $df2 (eq $df)))
    (export "[method]descriptor.write" (func (param "self" (borrow $descriptor))
      (param "buffer" (list u8)) (param "offset" u64) (result (result u64 (error $code2)))))
    (export "[method]descriptor.create-directory-at" (func (param "self" (borrow $descriptor))
      (param "path" string) (result (result (error $code2)))))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor))
      (param "path-flags" $pf2) (param "path" string) (param "open-flags" $of2)
      (param "flags" $df2) (result (result (own $descriptor) (error $code2)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d)) (export "descriptor" (type $d2 (eq $d)))
    (type $pair (tuple (own $d2) string)) (type $list (list $pair))
    (export "get-directories" (func (result $list)))))
  (core module $memory (memory (export "memory") 20)
    (global $at (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $at) (global.set $at (i32.add (global.get $at) (i32.const 256)))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $dirs (canon lower (func $preopens "get-directories")
    (memory $mem) (realloc $realloc)))
  (core func $directory
    (canon lower (func $types "[method]descriptor.create-directory-at") (memory $mem)))
  (core func $open (canon lower (func $types "[method]descriptor.open-at") (memory $mem)))
  (core func $write (canon lower (func $types "[method]descriptor.write") (memory $mem)))
  (core instance $host (export "memory" (memory $mem)) (export "dirs" (func $dirs))
    (export "open" (func $open)) (export "write" (func $write))
    (export "directory" (func $directory)))
"""


def using_files(body, flags=1, create=0, follow=0, name="a"):
    """A component of its first mount, ``$d``, in which it has opened the file ``a`` as ``$f``.

    ``flags`` are those of the descriptor: 1 reads, 2 writes. Each ``(call $again)`` opens it
    anew; the error is then at 3000, where nothing is 0.
    """
    core = f"""
   (import "host" "memory" (memory 20))
   (import "host" "dirs" (func $dirs (param i32)))
   (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
   (import "host" "write" (func $write (param i32 i32 i32 i64 i32)))
   (import "host" "directory" (func $directory (param i32 i32 i32 i32)))
   (global $d (mut i32) (i32.const 0))
   (data (i32.const 1024) "{name}")
   (func $again (call $open (global.get $d) (i32.const {follow}) (i32.const 1024) (i32.const {len(name)})
     (i32.const {create}) (i32.const {flags}) (i32.const 3000)))
   (func (export "run") (result i32) (local $f i32) (local $at i64) (local $n i32)
     (call $dirs (i32.const 2048))
     (global.set $d (i32.load (i32.load (i32.const 2048))))
     (call $again)
     (local.set $f (i32.load (i32.const 3004)))
     {body} (i32.const 0))"""
    return _assemble(
        _FILE_TYPES, '(with "host" (instance $host))', core, "wasi:cli/run@0.2.0", _LIFT_RUN
    )


def opening_files():
    """A component that opens a file of its first mount until it fails, and then waits for ever."""
    return using_files(
        """(loop $l (call $again) (br_if $l (i32.eqz (i32.load8_u (i32.const 3000)))))
        (loop $l (br $l))"""
    )


def filling_disk(bytes_at_once=65_536):
    """A component that writes to a file of its first mount without end."""
    return using_files(
        f"""(loop $l (call $write (local.get $f) (i32.const 131072) (i32.const {bytes_at_once})
            (local.get $at) (i32.const 3000))
          (local.set $at (i64.add (local.get $at) (i64.const {bytes_at_once})))
          (br_if $l (i32.eqz (i32.load8_u (i32.const 3000)))))
        unreachable""",
        flags=2,
        create=1,
    )


def making_directories(times, *, deep=False):
    """A component that makes so many directories in its first mount, and then waits.

    With ``deep`` each is made in the one before, as far as a path goes.
    """
    name = """(i32.store (i32.const 4000)
          (i32.add (i32.const 0x61616161)
            (i32.add (i32.and (local.get $n) (i32.const 15))
            (i32.add (i32.shl (i32.and (local.get $n) (i32.const 0xf0)) (i32.const 4))
            (i32.add (i32.shl (i32.and (local.get $n) (i32.const 0xf00)) (i32.const 8))
                     (i32.shl (i32.and (local.get $n) (i32.const 0xf000)) (i32.const 12)))))))"""
    size = "(i32.const 4)"
    if deep:
        name = """(i32.store16 (i32.add (i32.const 4000) (i32.shl (local.get $n) (i32.const 1)))
          (i32.const 0x2f61))"""
        size = (
            "(i32.sub (i32.shl (i32.add (local.get $n) (i32.const 1)) (i32.const 1)) (i32.const 1))"
        )
    return using_files(
        f"""(loop $l {name}
          (call $directory (global.get $d) (i32.const 4000) {size} (i32.const 3000))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $l (i32.lt_u (local.get $n) (i32.const {times}))))
        (loop $w (br $w))"""
    )


def scattering(times, then="(loop $w (br $w))"):
    """A component that writes so many bytes to a file, each in a block of its own."""
    return using_files(
        f"""(loop $l (call $write (local.get $f) (i32.const 131072) (i32.const 1)
            (local.get $at) (i32.const 3000))
          (local.set $at (i64.add (local.get $at) (i64.const 8192)))
          (br_if $l (i64.lt_u (local.get $at) (i64.const {8192 * times}))))
        {then}""",
        flags=2,
        create=1,
    )
