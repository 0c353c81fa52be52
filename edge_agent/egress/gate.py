"""The way of one request: rules, name, address, connection, response, redirects.

A module asks with a JSON object and gets one back:

    {"url", "method"?, "headers"?: [[name, value], ...], "body"? | "body_base64"?,
     "redirects"?: number, "timeout_ms"?: number, "text"?: true}
    {"url", "status", "headers": [[name, value], ...], "body" | "body_base64"}
    {"error", "kind"}

``redirects`` is how many the host follows (none unless asked), each of which is
judged like a request of its own. ``body`` is text in UTF-8, ``body_base64``
anything else; with ``text`` it is always ``body``, decoded by its charset.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge_agent.egress.audit import Audit, Entry, auditable
from edge_agent.egress.limits import EgressLimits
from edge_agent.egress.refusal import DENIED, Refused
from edge_agent.egress.request import ACCEPT_ENCODING, Request, parse_request, redirected
from edge_agent.egress.rules import Rule, check_target
from edge_agent.egress.secrets import Secrets
from edge_agent.egress.target import Target
from edge_agent.egress.transport.charset import decode
from edge_agent.egress.transport.connect import (
    Clock,
    Resolver,
    StoppableCall,
    connect,
    secure,
    system_resolver,
)

if TYPE_CHECKING:
    import ssl

    from edge_agent.egress.transport.exchange import Response

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NOT_FOR_MODULES: Final = frozenset(
    {"connection", "content-encoding", "content-length", "keep-alive", "trailer"}
    | {"transfer-encoding", "upgrade"}
)


@dataclass(slots=True)
class StepRecord:
    """What is known of a step so far."""

    decision: str
    reason: str
    address: str = ""
    status: int = 0
    bytes: int = 0


class Egress:
    """What a node permits its modules. No rules: nothing. Thread-safe."""

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        limits: EgressLimits | None = None,
        secrets: Secrets | None = None,
        audit: Audit | None = None,
        *,
        resolver: Resolver = system_resolver,
        make_tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.limits = limits or EgressLimits()
        self.secrets = secrets or Secrets()
        self.audit = audit or Audit()
        self.resolver = resolver
        self._make_tls = make_tls or _default_tls
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def for_call(
        self, server: str, tool: str, call_id: str = "", grants: Sequence[Sequence[Rule]] = ()
    ) -> CallEgress:
        """Return what one call may do: the node's rules for its tool, and within each grant."""
        rules = tuple(rule for rule in self.rules if rule.serves(server, tool))
        return CallEgress(self, rules, grants, server, tool, call_id)

    def tls(self) -> ssl.SSLContext:
        """Return the TLS settings, made when first needed: reading certificates takes time."""
        with self._lock:
            if self._tls is None:
                self._tls = self._make_tls()
            return self._tls


@dataclass(slots=True)
class CallEgress:
    """The requests of one call. A call runs on one thread, and so does this."""

    egress: Egress
    rules: Sequence[Rule]
    grants: Sequence[Sequence[Rule]]
    server: str
    tool: str
    call_id: str
    used: int = field(default=0)

    def send(self, asked: dict[str, Any], call: StoppableCall) -> dict[str, Any]:
        """Answer one request of the module; what goes wrong is an answer too."""
        try:
            request = parse_request(asked, self.egress.limits)
        except Refused as refused:
            # The URL stays out of the log: what made it invalid may be a password in it.
            self.used += 1
            self._note("", "", StepRecord("denied", "the request is invalid"), time.perf_counter())
            return refused.as_answer()
        try:
            target, response = self._follow(request, Clock(call, request.timeout_ms))
        except Refused as refused:
            return refused.as_answer()
        return self._as_answer(target, response, text=request.text)

    def _follow(self, request: Request, clock: Clock) -> tuple[Target, Response]:
        """Send the request, and on from redirect to redirect as often as asked."""
        for left in range(request.redirects, -1, -1):
            response = self._step(request, clock)
            location = response.header("location")
            if response.status not in _REDIRECTS or location is None or request.redirects == 0:
                return request.target, response
            if left == 0:
                break
            request = redirected(request, response.status, location)
        raise Refused(
            "redirect",
            f"{request.target.origin}: more than {request.redirects} redirects; the last leads on",
        )

    def _step(self, request: Request, clock: Clock) -> Response:
        """Send one request to one target, and write it down."""
        began = time.perf_counter()
        seen = StepRecord("failed", "")
        try:
            self._admit(request.target, request.method)
            response = self._exchange(request, clock, seen)
        except Refused as refused:
            seen.decision = "denied" if refused.kind in {DENIED, "too_many"} else "failed"
            seen.reason = f"{refused.kind}: {self.egress.secrets.masked_text(str(refused))}"
            raise
        else:
            seen.decision, seen.status, seen.bytes = "allowed", response.status, len(response.body)
            return response
        finally:
            self._note(request.method, auditable(request.target), seen, began)

    def _admit(self, target: Target, method: str) -> None:
        """Refuse what the rules, the grants or the limits do not permit."""
        limits = self.egress.limits
        self.used += 1
        if self.used > limits.requests:
            raise Refused("too_many", f"a call may send {limits.requests} requests, and it has")
        if method not in limits.methods:
            raise Refused(
                DENIED,
                f"{target.origin}: {method} is not among the methods of this node "
                f"({', '.join(limits.methods)}); to permit it, add it to egress_limits.methods",
            )
        check_target(self.rules, target)
        for grant in self.grants:
            if not any(rule.covers(target) for rule in grant):
                raise Refused(
                    DENIED,
                    f"{target.origin}: the dispatcher's policy does not grant it to "
                    f"{self.server}.{self.tool}; to permit it, add it to egress in the policy",
                )

    def _exchange(self, request: Request, clock: Clock, seen: StepRecord) -> Response:
        # Half of what it imports is needed by nothing else on an agent.
        from edge_agent.egress.transport.exchange import exchange

        egress, target = self.egress, request.target
        sock, seen.address = connect(
            target, self.rules, egress.resolver, clock, egress.limits.connect_ms
        )
        try:
            if target.scheme == "https":
                sock = secure(sock, target, egress.tls(), clock)
            secret = egress.secrets.headers(target, self.server, self.tool)
            taken = {name.lower() for name in secret}
            headers = [pair for pair in request.headers if pair[0].lower() not in taken]
            headers += [("Accept-Encoding", ACCEPT_ENCODING), *secret.items()]
            return exchange(
                sock, target, request.method, headers, request.body, egress.limits, clock
            )
        finally:
            sock.close()

    def _as_answer(self, target: Target, response: Response, *, text: bool) -> dict[str, Any]:
        secrets = self.egress.secrets
        body = secrets.masked(response.body)
        told: dict[str, Any] = {
            "url": secrets.masked_text(target.url),
            "status": response.status,
            "headers": [
                [name, secrets.masked_text(value)]
                for name, value in response.headers
                if name.lower() not in _NOT_FOR_MODULES
            ],
        }
        if text:
            told["body"] = decode(body, response.header("content-type"))
            return told
        try:
            told["body"] = body.decode()
        except UnicodeDecodeError:
            told["body_base64"] = base64.b64encode(body).decode()
        return told

    def _note(self, method: str, url: str, seen: StepRecord, began: float) -> None:
        if self.used > self.egress.limits.requests + 1:
            return  # one line says that it went on asking; more would only fill the log
        entry = Entry(
            call=self.call_id,
            server=self.server,
            tool=self.tool,
            method=method,
            url=url,
            address=seen.address,
            decision=seen.decision,
            reason=seen.reason,
            status=seen.status,
            bytes=seen.bytes,
            ms=round((time.perf_counter() - began) * 1000, 3),
        )
        self.egress.audit.write(entry)


def _default_tls() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
