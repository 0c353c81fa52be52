"""``wasi:http/types`` for a component that answers HTTP, as far as one request needs it.

The engine's Python API can run such a component but not hand it a request, so the
requests, responses and bodies here are our own. Their streams are the engine's: a
request is read from the standard input of the store, and a response is written to
its standard output. For the component's own requests see `component_outgoing`.

Interface: https://github.com/WebAssembly/wasi-http/blob/v0.2.4/wit/types.wit
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import wasmtime
from wasmtime import component
from wasmtime.component import ResourceAny, ResourceHost, ResourceType, Variant

from edge_agent.engine.code.plan import HTTP_TYPES, OUTGOING_HANDLER
from edge_agent.engine.component.host_calls import Refused
from edge_agent.engine.component.outgoing import (
    FUNCTIONS,
    HANDLER_FUNCTIONS,
    RESOURCES,
    AnswerBody,
    RequestBody,
    begin_body,
    body_stream,
    end_body,
)
from edge_agent.engine.component.streams import Pipes
from edge_agent.engine.component.wasi import scene
from edge_agent.engine.conversation import HANDSHAKE_VERSION, Conversation
from edge_agent.errors import BadAnswer, OutputTooLarge

PATHS: Final = ("/mcp", "/")
_RESOURCES: Final = (
    "fields",
    "incoming-request",
    "incoming-body",
    "future-trailers",
    "outgoing-response",
    "outgoing-body",
    "response-outparam",
    *RESOURCES,
)
_TAGS: Final = {name: 7001 + index for index, name in enumerate(_RESOURCES)}
_TAGS["headers"] = _TAGS["trailers"] = _TAGS["fields"]
_OTHER_TAG: Final = 7000
# Resources that these interfaces only mention.
_ELSEWHERE: Final = frozenset({"pollable", "input-stream", "output-stream", "error", "io-error"})
# What a hostile component may make us hold.
_MOST_RESOURCES: Final = 256
_MOST_HEADER_BYTES: Final = 64 * 1024
_OK: Final = Variant("ok")


class WrongPath(Exception):
    """The component does not serve at this path."""


class HttpSink:
    """Takes the body of a response, up to its limit."""

    def __init__(self, limit: int, done: Callable[[], None]) -> None:
        self._limit = limit
        self._done = done
        self._body = bytearray()
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if self._is_over:
            return
        if len(self._body) + len(data) > self._limit:
            self._is_over = True
            self._body.clear()
            self._done()
            return
        self._body += data

    def finish(self) -> None:
        """Note that the component is done with the body."""
        self._done()

    def result(self) -> bytes:
        """Return the body.

        Raises:
            OutputTooLarge: it is over the limit.
        """
        if self._is_over:
            raise OutputTooLarge(
                f"the module wrote more than its limit of {self._limit} bytes; "
                "ask for less or raise output_mib"
            )
        return bytes(self._body)


class Resources:
    """The resources of ``wasi:http`` that a component holds, by number."""

    def __init__(self) -> None:
        self.store: Any = None  # of the host function that runs now
        self._held: dict[int, Any] = {}
        self._next = 1
        self._header_bytes = 0

    def own(self, kind: str, value: Any) -> ResourceHost:
        """Return a new resource for the component, which stands for ``value``.

        Raises:
            wasmtime.WasmtimeError: it holds too many.
        """
        if len(self._held) >= _MOST_RESOURCES:
            raise wasmtime.WasmtimeError("the component holds too many HTTP resources")
        number, self._next = self._next, self._next + 1
        self._held[number] = value
        return ResourceHost.own(number, _TAGS[kind])

    def find(self, number: int) -> Any:
        """Return what a resource of the component stands for."""
        return self._held.get(number)

    def drop(self, number: int) -> None:
        """Forget a resource."""
        value = self._held.pop(number, None)
        if isinstance(value, RequestBody):
            end_body(value)

    def take(self, number: int) -> Any:
        """Return what a resource stands for, which the component has given away."""
        return self._held.pop(number, None)

    def count_header(self, name: str, value: bytes) -> None:
        """Bound what headers may take.

        Raises:
            wasmtime.WasmtimeError: it is too much.
        """
        self._header_bytes += len(name) + len(value) + 32
        if self._header_bytes > _MOST_HEADER_BYTES:
            raise wasmtime.WasmtimeError("the component's headers are too large")


class Exchange(Resources):
    """One request to a component and its response. ``path`` is where it is sent."""

    def __init__(self, conversation: Conversation, sink: HttpSink, path: str) -> None:
        super().__init__()
        self.path = path
        self.sink = sink
        self.status: int | None = None
        self.headers: list[tuple[str, bytes]] = []
        self._conversation = conversation

    def run(self, store: Any, function: component.Func, pipes: Pipes) -> bytes:
        """Let the component answer, and return its JSON-RPC answer.

        Raises:
            WrongPath: it answers at another path.
            BadAnswer, OutputTooLarge: as its response is.
            wasmtime.WasmtimeError: as the engine says.
        """
        request, outparam = self.own("incoming-request", None), self.own("response-outparam", None)
        try:
            function(store, request, outparam)
        except (wasmtime.WasmtimeError, wasmtime.Trap):
            if self.status is None:
                raise  # once it has answered, how it ends is its own affair
        pipes.drain()
        body = self.sink.result()
        if self.status is None:
            raise BadAnswer("the component ended without a response")
        if self.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            answer = _answer_in(body, self._conversation)
            if answer is None:
                raise WrongPath
            return answer
        answer = _answer_in(body, self._conversation)
        if answer is None:
            said = body[:200].decode(errors="replace").strip()
            raise BadAnswer(f"the component answered HTTP {self.status}: {' '.join(said.split())}")
        return answer

    def request_headers(self) -> list[tuple[str, bytes]]:
        """Return the headers of the request."""
        headers = {
            "host": "localhost",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "content-length": str(len(self._conversation.input)),
            "mcp-protocol-version": HANDSHAKE_VERSION,
            **self._conversation.headers,
        }
        return [(name, value.encode()) for name, value in headers.items()]


def define_others(linker: component.Linker, name: str, exports: Mapping[str, bool]) -> None:
    """Define what a component imports under a full name, as its plan has it.

    Of ``wasi:http`` that is the part above and outgoing requests. Everything else is there
    to be linked, and ends the call when it is used.
    """
    functions: Mapping[str, Callable[..., Any]] = {}
    if name.startswith(HTTP_TYPES):
        functions = _FUNCTIONS | FUNCTIONS
    elif name.startswith(OUTGOING_HANDLER):
        functions = HANDLER_FUNCTIONS
    with linker.root() as root, root.add_instance(name) as instance:
        for export, is_resource in exports.items():
            implementation = functions.get(export)
            if is_resource:
                if export not in _ELSEWHERE:
                    tag = _TAGS.get(export, _OTHER_TAG)
                    instance.add_resource(export, ResourceType.host(tag), _drop)
            elif implementation is not None:
                instance.add_func(export, _guarded(implementation))
            else:
                instance.add_func(export, Refused(f"{name}#{export}"))


def _drop(_: Any, number: int) -> None:
    try:
        scene().http.drop(number)
    except (wasmtime.WasmtimeError, AttributeError):
        return


def _guarded(implementation: Callable[..., Any]) -> Callable[..., Any]:
    """Turn whatever goes wrong into a trap of this call: other errors reach any thread."""

    def call(store: Any, *arguments: Any) -> Any:
        exchange = scene().http
        if exchange is None or not scene().running.count_host_call():
            raise wasmtime.WasmtimeError("the call is over")
        try:
            # Also of those that nobody asks about: what was lent is so given back.
            held = [_number_of(store, argument) for argument in arguments]
            exchange.store = store
            return implementation(exchange, *held)
        except wasmtime.WasmtimeError:
            raise
        except Exception as error:
            raise wasmtime.WasmtimeError(f"HTTP: {type(error).__name__}") from error

    return call


def _number_of(store: Any, argument: Any) -> Any:
    """Return the number that a resource goes by; any other argument as it is."""
    return argument.to_host(store).rep if isinstance(argument, ResourceAny) else argument


# ---- fields: a list of names in lower case with their values


def _new_fields(exchange: Exchange) -> Any:
    return exchange.own("fields", [])


def _fields_from_list(exchange: Exchange, entries: list[Any]) -> Any:
    fields = [(name.lower(), bytes(value)) for name, value in entries]
    for name, value in fields:
        exchange.count_header(name, value)
    return exchange.own("fields", fields)


def _fields_get(exchange: Exchange, fields: Any, name: str) -> list[bytes]:
    held = exchange.find(fields)
    return [value for known, value in held if known == name.lower()]


def _fields_has(exchange: Exchange, fields: Any, name: str) -> bool:
    return bool(_fields_get(exchange, fields, name))


def _fields_set(exchange: Exchange, fields: Any, name: str, values: list[bytes]) -> None:
    _fields_delete(exchange, fields, name)
    for value in values:
        _fields_append(exchange, fields, name, value)


def _fields_delete(exchange: Exchange, fields: Any, name: str) -> None:
    held = exchange.find(fields)
    held[:] = [entry for entry in held if entry[0] != name.lower()]


def _fields_append(exchange: Exchange, fields: Any, name: str, value: bytes) -> None:
    exchange.count_header(name, value)
    exchange.find(fields).append((name.lower(), bytes(value)))


def _fields_entries(exchange: Exchange, fields: Any) -> list[tuple[str, bytes]]:
    return list(exchange.find(fields))


def _fields_clone(exchange: Exchange, fields: Any) -> Any:
    return _fields_from_list(exchange, exchange.find(fields))


# ---- the request


def _request_headers(exchange: Exchange, _request: Any) -> Any:
    return exchange.own("fields", exchange.request_headers())


def _body_stream(exchange: Exchange, body: Any) -> Any:
    held = exchange.find(body)
    if isinstance(held, AnswerBody):
        return body_stream(exchange, held)
    return scene().resource(exchange.store, "stdin")


def _body_finish(exchange: Exchange, body: Any) -> Any:
    exchange.take(body)
    return exchange.own("future-trailers", None)


# ---- the response


def _response_new(exchange: Exchange, headers: Any) -> Any:
    fields = exchange.take(headers)
    return exchange.own("outgoing-response", {"status": 200, "headers": fields})


def _response_set_status(exchange: Exchange, response: Any, status: int) -> Variant:
    exchange.find(response)["status"] = status
    return _OK


def _response_headers(exchange: Exchange, response: Any) -> Any:
    return exchange.own("fields", exchange.find(response)["headers"])


def _outparam_set(exchange: Exchange, outparam: Any, response: Any) -> None:
    exchange.take(outparam)
    if isinstance(response, Variant):  # an error code
        exchange.status = int(HTTPStatus.BAD_GATEWAY)
        return
    sent = exchange.take(response)
    exchange.status, exchange.headers = sent["status"], sent["headers"]


def _outgoing_write(exchange: Exchange, body: Any) -> Any:
    held = exchange.find(body)
    if isinstance(held, RequestBody):
        return begin_body(exchange, held)
    return scene().resource(exchange.store, "stdout")


def _outgoing_finish(exchange: Exchange, body: Any, _trailers: Any) -> None:
    held = exchange.take(body)
    if isinstance(held, RequestBody):
        end_body(held)
    else:
        exchange.sink.finish()


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "[constructor]fields": _new_fields,
    "[static]fields.from-list": _fields_from_list,
    "[method]fields.get": _fields_get,
    "[method]fields.has": _fields_has,
    "[method]fields.set": _fields_set,
    "[method]fields.delete": _fields_delete,
    "[method]fields.append": _fields_append,
    "[method]fields.entries": _fields_entries,
    "[method]fields.clone": _fields_clone,
    "[method]incoming-request.method": lambda *_: Variant("post"),
    "[method]incoming-request.path-with-query": lambda exchange, *_: exchange.path,
    "[method]incoming-request.scheme": lambda *_: Variant("HTTP"),
    "[method]incoming-request.authority": lambda *_: "localhost",
    "[method]incoming-request.headers": _request_headers,
    "[method]incoming-request.consume": lambda exchange, *_: exchange.own("incoming-body", None),
    "[method]incoming-body.stream": _body_stream,
    "[static]incoming-body.finish": _body_finish,
    "[method]future-trailers.subscribe": lambda exchange, *_: scene().resource(
        exchange.store, "sleep", 0
    ),
    "[method]future-trailers.get": lambda *_: Variant("ok", None),
    "[constructor]outgoing-response": _response_new,
    "[method]outgoing-response.status-code": lambda exchange, response: exchange.find(response)[
        "status"
    ],
    "[method]outgoing-response.set-status-code": _response_set_status,
    "[method]outgoing-response.headers": _response_headers,
    "[method]outgoing-response.body": lambda exchange, *_: exchange.own("outgoing-body", None),
    "[method]outgoing-body.write": _outgoing_write,
    "[static]outgoing-body.finish": _outgoing_finish,
    "[static]response-outparam.set": _outparam_set,
    "http-error-code": lambda *_: None,
}


def _answer_in(body: bytes, conversation: Conversation) -> bytes | None:
    """Find the answer in a body of JSON, or of events whose data is JSON."""
    if conversation.is_answer(body):
        return body
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:")]
        data = b"\n".join(lines)
        if data and conversation.is_answer(data):
            return data
    return None
