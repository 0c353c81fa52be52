"""Modules in WAT that misuse files: each has ``path_open`` and the like at hand."""

from __future__ import annotations

from tests.edge_agent.guests.modules import WASI, module, packed

_IMPORTS = f"""
  {WASI} "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  {WASI} "fd_close" (func $fd_close (param i32) (result i32)))
  {WASI} "fd_renumber" (func $fd_renumber (param i32 i32) (result i32)))
  {WASI} "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  {WASI} "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
  {WASI} "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  {WASI} "random_get" (func $random_get (param i32 i32) (result i32)))
"""
NAME_AT = 1024
SHOWN = 2048  # what the module answers with: four numbers of 32 bits
_CREATE = 1
_READ, _WRITE, _SEEK = 1 << 1, 1 << 6, 1 << 2


def using_files(body, name=b"file", *, extra="", imports="", memory='(memory (export "memory") 8)'):
    """A module with ``$open``, which opens ``name`` in the first mount.

    A file is created; a name that ends in a slash is that of a directory.

    ``body`` may use the locals $n, $e and $fd. What lies at ``SHOWN`` is the answer.
    """
    flags, rights = (2, 0) if name.endswith(b"/") else (_CREATE, _READ | _WRITE | _SEEK)
    return module(
        f"""(local $n i32) (local $e i32) (local $fd i32)
        {body}
        (i64.const {packed(SHOWN, 16)})""",
        imports=_IMPORTS + imports,
        memory=memory,
        data=name,
        data_at=NAME_AT,
        extra=f"""
        (func $open (result i32)
          (call $path_open (i32.const 3) (i32.const 0) (i32.const {NAME_AT})
            (i32.const {len(name)}) (i32.const {flags}) (i64.const {rights})
            (i64.const 0) (i32.const 0) (i32.const {SHOWN + 12})))
        (func $show (param $at i32) (param $value i32)
          (i32.store (i32.add (i32.const {SHOWN}) (i32.mul (local.get $at) (i32.const 4)))
            (local.get $value)))
        {extra}""",
    )


def numbers(answer):
    """The four numbers that such a module answers with."""
    return [int.from_bytes(answer.data[at : at + 4], "little") for at in range(0, 16, 4)]


_UNTIL_REFUSED = """
    (block $refused
      (loop $again
        (br_if $refused (local.tee $e (call $open)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $again)))
    (call $show (i32.const 0) (local.get $n))
    (call $show (i32.const 1) (local.get $e))"""


def opening_without_end(name=b"file", then=""):
    """Opens until it is refused; shows how often it could, the error, and what ``then`` does."""
    return using_files(_UNTIL_REFUSED + then, name)


def opening_for_ever(name=b"file"):
    """Opens and never takes no for an answer."""
    return using_files("(loop $again (drop (call $open)) (br $again))", name)


def opening_and_closing(times):
    """Opens and closes, and shows how many of the openings failed."""
    return using_files(
        f"""(loop $again
          (if (call $open) (then (local.set $e (i32.add (local.get $e) (i32.const 1))))
            (else (drop (call $fd_close (i32.load (i32.const {SHOWN + 12}))))))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
        (call $show (i32.const 0) (local.get $e))"""
    )


def renumbering(times):
    """Opens one, then opens others and gives each the first one's number."""
    return using_files(
        f"""(drop (call $open))
        (local.set $fd (i32.load (i32.const {SHOWN + 12})))
        (loop $again
          (if (call $open) (then (local.set $e (i32.add (local.get $e) (i32.const 1)))))
          (drop (call $fd_renumber (i32.load (i32.const {SHOWN + 12})) (local.get $fd)))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
        (call $show (i32.const 0) (local.get $e))"""
    )


def writing(size, *, function="fd_write"):
    """Writes ``size`` bytes at once until refused; shows how often it could, and the error."""
    at = "(i64.const 0)" if function == "fd_pwrite" else ""
    return using_files(
        f"""(drop (call $open))
        (local.set $fd (i32.load (i32.const {SHOWN + 12})))
        (i32.store (i32.const 3000) (i32.const 65536)) (i32.store (i32.const 3004) (i32.const {size}))
        (block $refused
          (loop $again
            (br_if $refused (local.tee $e (call ${function} (local.get $fd) (i32.const 3000)
              (i32.const 1) {at} (i32.const 3008))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br $again)))
        (call $show (i32.const 0) (local.get $n))
        (call $show (i32.const 1) (local.get $e))"""
    )


_MAKERS = f"""
  {WASI} "path_create_directory" (func $make_directory (param i32 i32 i32) (result i32)))
  {WASI} "path_symlink" (func $make_symlink (param i32 i32 i32 i32 i32) (result i32)))
  {WASI} "path_link" (func $make_link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  {WASI} "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  {WASI} "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  {WASI} "path_remove_directory" (func $remove_directory (param i32 i32 i32) (result i32)))
  {WASI} "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  {WASI} "fd_filestat_set_size" (func $set_size (param i32 i64) (result i32)))
"""
_NAME = f"(i32.const {NAME_AT}) (i32.const 4)"
_CLOSE = f"(drop (call $fd_close (i32.load (i32.const {SHOWN + 12}))))"


_NEXT_NAME = f"""(i32.store (i32.const {NAME_AT})
              (i32.add (i32.const 0x61616161)
                (i32.add (i32.and (local.get $n) (i32.const 15))
                (i32.add (i32.shl (i32.and (local.get $n) (i32.const 0xf0)) (i32.const 4))
                (i32.add (i32.shl (i32.and (local.get $n) (i32.const 0xf00)) (i32.const 8))
                         (i32.shl (i32.and (local.get $n) (i32.const 0xf000)) (i32.const 12)))))))"""


def _opened(flags):
    return f"""(call $path_open (i32.const 3) (i32.const 1) {_NAME} (i32.const {flags})
      (i64.const {_READ | _WRITE | _SEEK}) (i64.const 0) (i32.const 0) (i32.const {SHOWN + 12}))"""


# How something of the name at ``NAME_AT`` is made, and what there is to do then.
MAKING = {
    "directory": (f"(call $make_directory (i32.const 3) {_NAME})", ""),
    "symlink": (f"(call $make_symlink {_NAME} (i32.const 3) {_NAME})", ""),
    "link": (
        f"""(call $make_link (i32.const 3) (i32.const 0) (i32.const {NAME_AT + 4}) (i32.const 4)
          (i32.const 3) {_NAME})""",
        "",
    ),
    "file": (_opened(_CREATE), _CLOSE),
    "new file": (_opened(_CREATE | 4), _CLOSE),
    "emptied file": (_opened(_CREATE | 8), _CLOSE),
}
_REMOVING = {
    "directory": f"(drop (call $remove_directory (i32.const 3) {_NAME}))",
}


def making(what, times, *, removing=False, after=0):
    """Makes things of new names until refused, or so often; shows how often it could, and the error.

    Beside them there is a file ``seed`` at first. With ``removing`` each is removed at once.
    ``after`` as many directories of those names were removed.
    """
    make, then = MAKING[what]
    remove = _REMOVING.get(what, f"(drop (call $unlink (i32.const 3) {_NAME}))")
    return using_files(
        f"""(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const {NAME_AT + 4}) (i32.const 4)
          (i32.const {_CREATE}) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const {SHOWN + 12})))
        {_CLOSE}
        (loop $before
          {_NEXT_NAME}
          (drop (call $remove_directory (i32.const 3) {_NAME}))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $before (i32.lt_u (local.get $n) (i32.const {after}))))
        (local.set $n (i32.const 0))
        (block $refused
          (loop $again
            {_NEXT_NAME}
            (br_if $refused (local.tee $e {make}))
            {then}
            {remove if removing else ""}
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const {times})))))
        (call $show (i32.const 0) (local.get $n))
        (call $show (i32.const 1) (local.get $e))""",
        b"aaaaseed",
        imports=_MAKERS,
    )


def making_by_a_dangling_link(times):
    """Makes files through a link to nothing, and moves each away."""
    return using_files(
        f"""(drop (call $make_symlink (i32.const {NAME_AT + 4}) (i32.const 4) (i32.const 3) {_NAME}))
        (block $refused
          (loop $again
            (br_if $refused (local.tee $e {_opened(_CREATE)}))
            {_CLOSE}
            (i32.store (i32.const {NAME_AT + 8})
              (i32.add (i32.const 0x30303030)
                (i32.add (i32.and (local.get $n) (i32.const 7))
                (i32.add (i32.shl (i32.and (local.get $n) (i32.const 0x38)) (i32.const 5))
                (i32.add (i32.shl (i32.and (local.get $n) (i32.const 0x1c0)) (i32.const 10))
                         (i32.shl (i32.and (local.get $n) (i32.const 0xe00)) (i32.const 15)))))))
            (br_if $refused (local.tee $e (call $rename (i32.const 3) (i32.const {NAME_AT + 4})
              (i32.const 4) (i32.const 3) (i32.const {NAME_AT + 8}) (i32.const 4))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const {times})))))
        (call $show (i32.const 0) (local.get $n))
        (call $show (i32.const 1) (local.get $e))""",
        b"linkseed0000",
        imports=_MAKERS,
    )


# How a byte comes to stand in a block of its own, $n being how many there are.
SCATTERING = {
    "pwrite": """(call $fd_pwrite (local.get $fd) (i32.const 3000) (i32.const 1)
      (i64.mul (i64.extend_i32_u (local.get $n)) (i64.const 8192)) (i32.const 3008))""",
    "seek": """(drop (call $seek (local.get $fd) (i64.const 8191) (i32.const 1) (i32.const 3016)))
      (call $fd_write (local.get $fd) (i32.const 3000) (i32.const 1) (i32.const 3008))""",
    "append": """(drop (call $set_size (local.get $fd)
        (i64.mul (i64.extend_i32_u (local.get $n)) (i64.const 8192))))
      (call $fd_write (local.get $fd) (i32.const 3000) (i32.const 1) (i32.const 3008))""",
}


def scattering(how):
    """Writes single bytes far from each other, until refused; shows how many, and the error."""
    appends = int(how == "append")
    return using_files(
        f"""(drop (call $path_open (i32.const 3) (i32.const 0) {_NAME} (i32.const {_CREATE})
          (i64.const {_READ | _WRITE | _SEEK | 1 << 22}) (i64.const 0) (i32.const {appends})
          (i32.const {SHOWN + 12})))
        (local.set $fd (i32.load (i32.const {SHOWN + 12})))
        (i32.store (i32.const 3000) (i32.const 65536)) (i32.store (i32.const 3004) (i32.const 1))
        (block $refused
          (loop $again
            (br_if $refused (local.tee $e (block (result i32) {SCATTERING[how]})))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br $again)))
        (call $show (i32.const 0) (local.get $n))
        (call $show (i32.const 1) (local.get $e))""",
        imports=_MAKERS,
    )


def writing_in_turn(times):
    """Writes a byte to each of two files in turn, and its first byte anew; shows the error."""
    return using_files(
        f"""(drop (call $path_open (i32.const 3) (i32.const 0) {_NAME} (i32.const {_CREATE})
          (i64.const {_WRITE}) (i64.const 0) (i32.const 0) (i32.const {SHOWN + 12})))
        (local.set $fd (i32.load (i32.const {SHOWN + 12})))
        (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const {NAME_AT + 1}) (i32.const 3)
          (i32.const {_CREATE}) (i64.const {_WRITE}) (i64.const 0) (i32.const 0)
          (i32.const {SHOWN + 12})))
        (i32.store (i32.const 3000) (i32.const 65536)) (i32.store (i32.const 3004) (i32.const 100))
        (block $refused
          (loop $again
            (br_if $refused (local.tee $e (call $fd_write (local.get $fd) (i32.const 3000)
              (i32.const 1) (i32.const 3008))))
            (br_if $refused (local.tee $e (call $fd_write (i32.load (i32.const {SHOWN + 12}))
              (i32.const 3000) (i32.const 1) (i32.const 3008))))
            (br_if $refused (local.tee $e (call $fd_pwrite (local.get $fd) (i32.const 3000)
              (i32.const 1) (i64.const 0) (i32.const 3008))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const {times})))))
        (call $show (i32.const 0) (local.get $n))
        (call $show (i32.const 1) (local.get $e))
        (call $show (i32.const 2) (i32.load (i32.const 3000)))""",
        imports=_MAKERS,
    )
