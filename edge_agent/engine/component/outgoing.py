"""``wasi:http/outgoing-handler`` for components: requests go through the node's egress.

What a component asks is put to the same gate as ``sanderling_host.http``: the same rules,
grants, limits, secrets and audit, and nothing without a rule. The request is sent when the
component asks for its response, by when it has written the body.

The engine's Python API makes no streams of its own, so bodies go ways that it has. A request's
body is written to the store's standard error, which is taken as the body from when the
component opens it until it is finished. A response's body is read from a file
(:mod:`edge_agent.engine.component.response_bodies`).

Interface: https://github.com/WebAssembly/wasi-http/blob/v0.2.4/wit/types.wit
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import wasmtime
from wasmtime.component import Variant

from edge_agent.engine.component.resources import LARGEST_BODY_BYTES, RequestBody, Resources
from edge_agent.engine.component.response_bodies import ResponseBody
from edge_agent.engine.component.wasi import host_context
from edge_agent.engine.guest.host import http

_OK: Final = Variant("ok")
_SCHEMES: Final = {"HTTP": "http", "HTTPS": "https"}
_NS_PER_MS: Final = 1_000_000


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


def _is_as_long_as_said(request: _Request, body: RequestBody) -> bool:
    """Whether a body has the length that its header tells, where one does."""
    said = next((value for name, value in request.headers if name == "content-length"), b"")
    return not said.isdigit() or len(body.data) == min(int(said[:20]), LARGEST_BODY_BYTES + 1)


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
    return host_context().resource(held.store, "sleep", 0)


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
    response = http(asked.request.asked(), host_context().call)
    if "error" in response:
        return _failed(str(response["error"]))
    return Variant("some", held.own("incoming-response", response))


def _failed(why: str) -> Variant:
    """Return the result of a request that failed; only this code takes a text along."""
    return Variant("some", Variant("internal-error", why))


def _response_headers(held: Resources, response: Any) -> Any:
    told = held.find(response)["headers"]
    fields = [(name.lower(), value.encode("latin-1", "replace")) for name, value in told]
    return held.own("fields", fields)


def _response_consume(held: Resources, response: Any) -> Any:
    told = held.find(response)
    body = told.get("body")
    data = base64.b64decode(told["body_base64"]) if body is None else body.encode()
    return held.own("incoming-body", ResponseBody(data))


REQUEST_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
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
