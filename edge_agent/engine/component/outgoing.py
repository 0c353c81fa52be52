"""``wasi:http/outgoing-handler`` for components: requests go through the node's egress.

What a component asks is put to the same gate as ``sanderling_host.http``: the same rules,
grants, limits, secrets and audit, and nothing without a rule. The request is sent when the
component asks for its answer, by when it has written the body.

The engine's Python API makes no streams of its own, so bodies go ways that it has. A request's
body is written to the store's standard error, which is taken as the body from when the
component opens it until it is finished. An answer's body is read from a file in a directory
of the call's own, which the component's own list of directories leaves out.

Interface: https://github.com/WebAssembly/wasi-http/blob/v0.2.4/wit/types.wit
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import component
from wasmtime.component import Variant

from edge_agent.engine.component.wasi import scene
from edge_agent.engine.guest.host import http
from edge_agent.mounts import Mount

if TYPE_CHECKING:
    from edge_agent.engine.component.http import Resources

PREOPENS: Final = "wasi:filesystem/preopens"
# Beside the other helper's: a stream of a file of the last directory, by its number, and the
# directories as they are.
HELPER: Final = """
(component
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "input-stream" (type (sub resource)))))
  (alias export $streams "input-stream" (type $input))
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (alias outer 1 $input (type $i)) (export "input-stream" (type $input2 (eq $i)))
    (type $code (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota"
      "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io"
      "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device"
      "no-entry" "no-lock" "insufficient-memory" "insufficient-space" "not-directory"
      "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow"
      "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error (eq $code)))
    (type $path (flags "symlink-follow")) (export "path-flags" (type $paths (eq $path)))
    (type $open (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $opens (eq $open)))
    (type $flag (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $flags (eq $flag)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor))
      (param "path-flags" $paths) (param "path" string) (param "open-flags" $opens)
      (param "flags" $flags) (result (result (own $descriptor) (error $error)))))
    (export "[method]descriptor.read-via-stream" (func (param "self" (borrow $descriptor))
      (param "offset" u64) (result (result (own $input2) (error $error)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d)) (export "descriptor" (type $d2 (eq $d)))
    (export "get-directories" (func (result (list (tuple (own $d2) string)))))))
  (core module $memory (memory (export "memory") 2)
    (global $at (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $at)
      (global.set $at (i32.and (i32.const -8)
        (i32.add (i32.add (global.get $at) (local.get 3)) (i32.const 7)))))
    (func (export "reset") (global.set $at (i32.const 4096))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory $mem) (realloc $realloc)))
  (core func $open (canon lower (func $types "[method]descriptor.open-at") (memory $mem)))
  (core func $read (canon lower (func $types "[method]descriptor.read-via-stream") (memory $mem)))
  (core func $drop (canon resource.drop $descriptor))
  (core instance $host
    (export "memory" (memory $mem)) (export "directories" (func $directories))
    (export "open" (func $open)) (export "read" (func $read)) (export "drop" (func $drop))
    (export "reset" (func $memory "reset")))
  (core module $m
    (import "host" "memory" (memory 2))
    (import "host" "directories" (func $directories (param i32)))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (import "host" "reset" (func $reset))
    ;; The name of a file: its number in eight digits, at 1024.
    (func $name (param $number i32) (local $at i32) (local $digit i32)
      (local.set $at (i32.const 1032))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (local.set $digit (i32.and (local.get $number) (i32.const 15)))
        (i32.store8 (local.get $at) (i32.add (local.get $digit)
          (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
        (local.set $number (i32.shr_u (local.get $number) (i32.const 4)))
        (br_if $next (i32.gt_u (local.get $at) (i32.const 1024)))))
    (func (export "body") (param $number i32) (result i32)
      (local $entry i32) (local $left i32) (local $file i32)
      (call $reset)
      (call $directories (i32.const 512))
      (local.set $entry (i32.load (i32.const 512)))
      (local.set $left (i32.load (i32.const 516)))
      (if (i32.eqz (local.get $left)) (then unreachable))
      (block $last
        (loop $next
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $last (i32.eqz (local.get $left)))
          (call $drop (i32.load (local.get $entry)))
          (local.set $entry (i32.add (local.get $entry) (i32.const 12)))
          (br $next)))
      (call $name (local.get $number))
      (call $open (i32.load (local.get $entry)) (i32.const 0) (i32.const 1024) (i32.const 8)
        (i32.const 0) (i32.const 1) (i32.const 640))
      (call $drop (i32.load (local.get $entry)))
      (if (i32.load8_u (i32.const 640)) (then unreachable))
      (local.set $file (i32.load (i32.const 644)))
      (call $read (local.get $file) (i64.const 0) (i32.const 640))
      (call $drop (local.get $file))
      (if (i32.load8_u (i32.const 640)) (then unreachable))
      (i32.load (i32.const 644)))
    (func (export "directories") (result i32)
      (call $reset)
      (call $directories (i32.const 512))
      (i32.const 512)))
  (core instance $i (instantiate $m (with "host" (instance $host))))
  (func (export "body") (param "number" u32) (result (own $input))
    (canon lift (core func $i "body")))
  (func (export "directories") (result (list (tuple (own $descriptor) string)))
    (canon lift (core func $i "directories") (memory $mem)))
)
"""
RESOURCES: Final = (
    "outgoing-request",
    "request-options",
    "future-incoming-response",
    "incoming-response",
)
# Seen by nobody but the helper, which knows that it is the last.
_MOUNT_PATH: Final = "/.http"
_OK: Final = Variant("ok")
_SCHEMES: Final = {"HTTP": "http", "HTTPS": "https"}
_NS_PER_MS: Final = 1_000_000
_PREFIX: Final = "sanderling-http-"
# Of a body; the gate has a smaller bound of its own, and says so.
_LARGEST_BODY_BYTES: Final = 8 * 1024 * 1024


@cache
def _sweep() -> None:
    """Delete what agents left that were killed; once in the life of this one."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(path, ignore_errors=True)


class Bodies:
    """The files that hold the bodies of a call's answers."""

    def __init__(self) -> None:
        _sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._count = 0

    @property
    def mount(self) -> Mount:
        """Where the helper finds them."""
        return Mount(_MOUNT_PATH, str(self.directory), readonly=True)

    def keep(self, body: bytes) -> int:
        """Keep a body; return the number it goes by."""
        number, self._count = self._count, self._count + 1
        (self.directory / f"{number:08x}").write_bytes(body)
        return number

    def close(self) -> None:
        """Delete them."""
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass(slots=True)
class RequestBody:
    """The body of a request while the component writes it."""

    data: bytearray = field(default_factory=bytearray)
    is_whole: bool = True

    def feed(self, data: bytes) -> None:
        """Take the next bytes, of too many one more than may be. Raises nothing."""
        self.data += data[: _LARGEST_BODY_BYTES + 1 - len(self.data)]


@dataclass(frozen=True, slots=True)
class AnswerBody:
    """The body of an answer."""

    data: bytes


@dataclass(slots=True)
class _Request:
    headers: list[tuple[str, bytes]]
    method: str = "GET"
    scheme: str = "https"
    authority: str = ""
    path: str = "/"
    timeout_ms: int = 0
    body: RequestBody | None = None

    def asked(self) -> dict[str, Any]:
        """As the gate takes it."""
        asked: dict[str, Any] = {
            "url": f"{self.scheme}://{self.authority}{self.path}",
            "method": self.method,
            "headers": [[name, value.decode("latin-1")] for name, value in self.headers],
        }
        if self.body is not None and self.body.data:
            asked["body_base64"] = base64.b64encode(self.body.data).decode()
        if self.timeout_ms:
            asked["timeout_ms"] = self.timeout_ms
        return asked


@dataclass(slots=True)
class _Future:
    request: _Request
    taken: bool = False


def define_directories(linker: component.Linker, name: str) -> None:
    """Let the component see all directories but the one of the answers' bodies."""
    with linker.root() as root, root.add_instance(name) as preopens:
        preopens.add_func("get-directories", _directories)


def _directories(store: Any) -> Any:
    *directories, (last, _) = scene().resource(store, "directories")
    last.drop(store)
    return directories


def _request_new(held: Resources, headers: Any) -> Any:
    return held.own("outgoing-request", _Request(held.take(headers)))


def _request_set_method(held: Resources, request: Any, method: Variant) -> Variant:
    said = method.payload if method.tag == "other" else method.tag
    held.find(request).method = str(said).upper()
    return _OK


def _request_set_scheme(held: Resources, request: Any, scheme: Any) -> Variant:
    if scheme is not None:
        said = scheme.payload if scheme.tag == "other" else _SCHEMES[scheme.tag]
        held.find(request).scheme = str(said)
    return _OK


def _request_set_authority(held: Resources, request: Any, authority: Any) -> Variant:
    held.find(request).authority = authority or ""
    return _OK


def _request_set_path(held: Resources, request: Any, path: Any) -> Variant:
    held.find(request).path = path or "/"
    return _OK


def _request_headers(held: Resources, request: Any) -> Any:
    return held.own("fields", held.find(request).headers)


def _request_body(held: Resources, request: Any) -> Any:
    asked = held.find(request)
    if asked.body is not None:
        raise wasmtime.WasmtimeError("a request has one body")
    asked.body = RequestBody()
    return held.own("outgoing-body", asked.body)


def begin_body(held: Resources, body: RequestBody) -> Any:
    """Return the stream that a request's body is written to."""
    running, pipes = scene().running, scene().pipes
    if running.capture is not None or pipes is None:
        raise wasmtime.WasmtimeError("another request's body is being written")
    pipes.error.drain()  # what was written before is no body
    body.is_whole = False
    running.capture = body.feed
    return scene().resource(held.store, "stderr")


def end_body(body: RequestBody) -> None:
    """Take the end of a request's body, which is finished, or dropped."""
    running, pipes = scene().running, scene().pipes
    if not body.is_whole and pipes is not None:
        pipes.error.drain()
        running.capture = None
    body.is_whole = True


def _is_as_long_as_said(request: _Request, body: RequestBody) -> bool:
    """Whether a body has the length that its header tells, where one does."""
    said = next((value for name, value in request.headers if name == "content-length"), b"")
    return not said.isdigit() or len(body.data) == min(int(said[:20]), _LARGEST_BODY_BYTES + 1)


def _options_new(held: Resources) -> Any:
    return held.own("request-options", [0])


def _options_set(held: Resources, options: Any, duration_ns: Any) -> Variant:
    asked = held.find(options)
    if duration_ns is not None:  # the longest of what may pass is bounded by the gate
        asked[0] = max(asked[0], int(duration_ns) // _NS_PER_MS + 1)
    return _OK


def _handle(held: Resources, request: Any, options: Any) -> Any:
    asked = held.take(request)
    if options is not None:
        held.take(options)
    return held.own("future-incoming-response", _Future(asked))


def _future_subscribe(held: Resources, _: Any) -> Any:
    return scene().resource(held.store, "sleep", 0)


def _future_get(held: Resources, future: Any) -> Any:
    """Send the request, unless its body is still being written."""
    asked = held.find(future)
    if asked.taken:
        return Variant("some", None)
    body = asked.request.body
    if body is not None and not body.is_whole:
        return Variant("none")
    asked.taken = True
    if body is not None and not _is_as_long_as_said(asked.request, body):
        return _failed("the body is not as long as its Content-Length; write all of it")
    answer = http(asked.request.asked(), scene().running)
    if "error" in answer:
        return _failed(str(answer["error"]))
    return Variant("some", held.own("incoming-response", answer))


def _failed(why: str) -> Variant:
    """Return the outcome of a request that failed; only this code takes a text along."""
    return Variant("some", Variant("internal-error", why))


def _response_headers(held: Resources, response: Any) -> Any:
    told = held.find(response)["headers"]
    fields = [(name.lower(), value.encode("latin-1", "replace")) for name, value in told]
    return held.own("fields", fields)


def _response_consume(held: Resources, response: Any) -> Any:
    told = held.find(response)
    body = told.get("body")
    data = base64.b64decode(told["body_base64"]) if body is None else body.encode()
    return held.own("incoming-body", AnswerBody(data))


def body_stream(held: Resources, body: AnswerBody) -> Any:
    """Return a stream of an answer's body."""
    bodies: Bodies | None = scene().bodies
    if bodies is None:
        raise wasmtime.WasmtimeError("the component has no way out")
    return scene().resource(held.store, "body", bodies.keep(body.data))


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "[constructor]outgoing-request": _request_new,
    "[method]outgoing-request.set-method": _request_set_method,
    "[method]outgoing-request.set-scheme": _request_set_scheme,
    "[method]outgoing-request.set-authority": _request_set_authority,
    "[method]outgoing-request.set-path-with-query": _request_set_path,
    "[method]outgoing-request.headers": _request_headers,
    "[method]outgoing-request.body": _request_body,
    "[constructor]request-options": _options_new,
    "[method]request-options.set-connect-timeout": _options_set,
    "[method]request-options.set-first-byte-timeout": _options_set,
    "[method]request-options.set-between-bytes-timeout": _options_set,
    "[method]future-incoming-response.subscribe": _future_subscribe,
    "[method]future-incoming-response.get": _future_get,
    "[method]incoming-response.status": lambda held, response: held.find(response)["status"],
    "[method]incoming-response.headers": _response_headers,
    "[method]incoming-response.consume": _response_consume,
}
HANDLER_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {"handle": _handle}
