"""``wasi:http/types`` for a component that answers HTTP, as far as one request needs it.

The engine's Python API can run such a component but not hand it a request, so the
requests, responses and bodies here are our own. Their streams are the engine's: a
request is read from the standard input of the store, and a response is written to
its standard output. For the component's own requests see `outgoing`.

Interface: https://github.com/WebAssembly/wasi-http/blob/v0.2.4/wit/types.wit
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import wasmtime
from wasmtime import component
from wasmtime.component import ResourceAny, ResourceType, Variant

from edge_agent.engine.code.plan import HTTP_TYPES, OUTGOING_HANDLER
from edge_agent.engine.component.exchange import Exchange
from edge_agent.engine.component.fields import FIELDS_FUNCTIONS
from edge_agent.engine.component.host_calls import RefusedFunction
from edge_agent.engine.component.outgoing import (
    HANDLER_FUNCTIONS,
    REQUEST_FUNCTIONS,
)
from edge_agent.engine.component.resources import OTHER_TAG, TAGS, RequestBody, begin_body, end_body
from edge_agent.engine.component.response_bodies import ResponseBody, body_stream
from edge_agent.engine.component.wasi import host_context

# Resources that these interfaces only mention.
_ELSEWHERE: Final = frozenset({"pollable", "input-stream", "output-stream", "error", "io-error"})
_OK: Final = Variant("ok")


def define_others(linker: component.Linker, name: str, exports: Mapping[str, bool]) -> None:
    """Define what a component imports under a full name, as its plan has it.

    Of ``wasi:http`` that is what a handler of requests needs, and outgoing requests. Everything else is there
    to be linked, and ends the call when it is used.
    """
    functions: Mapping[str, Callable[..., Any]] = {}
    if name.startswith(HTTP_TYPES):
        functions = _FUNCTIONS | FIELDS_FUNCTIONS | REQUEST_FUNCTIONS
    elif name.startswith(OUTGOING_HANDLER):
        functions = HANDLER_FUNCTIONS
    with linker.root() as root, root.add_instance(name) as instance:
        for export, is_resource in exports.items():
            implementation = functions.get(export)
            if is_resource:
                if export not in _ELSEWHERE:
                    tag = TAGS.get(export, OTHER_TAG)
                    instance.add_resource(export, ResourceType.host(tag), _drop)
            elif implementation is not None:
                instance.add_func(export, _guarded(implementation))
            else:
                instance.add_func(export, RefusedFunction(f"{name}#{export}"))


def _drop(_: Any, number: int) -> None:
    try:
        host_context().http.drop(number)
    except (wasmtime.WasmtimeError, AttributeError):
        return


def _guarded(implementation: Callable[..., Any]) -> Callable[..., Any]:
    """Turn whatever goes wrong into a trap of this call: other errors reach any thread."""

    def call(store: Any, *arguments: Any) -> Any:
        exchange = host_context().http
        if exchange is None or not host_context().call.count_host_call():
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


# ---- the request


def _request_headers(exchange: Exchange, _request: Any) -> Any:
    return exchange.own("fields", exchange.request_headers())


def _body_stream(exchange: Exchange, body: Any) -> Any:
    held = exchange.find(body)
    if isinstance(held, ResponseBody):
        return body_stream(exchange, held)
    return host_context().resource(exchange.store, "stdin")


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
    return host_context().resource(exchange.store, "stdout")


def _outgoing_finish(exchange: Exchange, body: Any, _trailers: Any) -> None:
    held = exchange.take(body)
    if isinstance(held, RequestBody):
        end_body(held)
    else:
        exchange.sink.finish()


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "[method]incoming-request.method": lambda *_: Variant("post"),
    "[method]incoming-request.path-with-query": lambda exchange, *_: exchange.path,
    "[method]incoming-request.scheme": lambda *_: Variant("HTTP"),
    "[method]incoming-request.authority": lambda *_: "localhost",
    "[method]incoming-request.headers": _request_headers,
    "[method]incoming-request.consume": lambda exchange, *_: exchange.own("incoming-body", None),
    "[method]incoming-body.stream": _body_stream,
    "[static]incoming-body.finish": _body_finish,
    "[method]future-trailers.subscribe": lambda exchange, *_: host_context().resource(
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
