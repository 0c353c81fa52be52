"""Where a remote server's tokens are had.

Sources: RFC 9728 (what the server says of itself), RFC 8414 and OpenID Connect Discovery (what its
authorization server says), RFC 8707 (for whom a token is), and the order of asking that MCP lays
down: https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from edge_agent.backends.mcp_client.web.connections import origin_of
from edge_agent.backends.mcp_client.web.oauth.asking import OAuthAnswer, ask
from edge_agent.backends.settings import OAuthTable
from edge_agent.errors import CallFailed

_PARAMETER: Final = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_RESOURCE: Final = "/.well-known/oauth-protected-resource"
_SERVER: Final = "/.well-known/oauth-authorization-server"
_OPENID: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Places:
    """Where to ask, and for what."""

    token_url: str
    resource: str
    scope: str = ""
    device_url: str = ""
    register_url: str = ""
    methods: tuple[str, ...] = field(default=())  # of showing a client's secret

    @property
    def secret_in_body(self) -> bool:
        """Whether a secret is sent in the form: where that is said, and Basic is not."""
        return bool(self.methods) and "client_secret_basic" not in self.methods


def discover(
    name: str,
    url: str,
    table: OAuthTable,
    challenge: str | None,
    until_s: float,
    *,
    device: bool = False,
) -> Places:
    """Find out where tokens for ``url`` are had; the table's own words come first.

    Args:
        name: the server's, for errors.
        url: the MCP endpoint.
        table: what the operator says.
        challenge: the ``WWW-Authenticate`` of a 401; None before the server was asked, when nothing
            is taken to be where it usually is.
        until_s: the deadline, of ``time.monotonic``.
        device: whether a place for the device flow is needed.

    Raises:
        CallFailed: there is none to be found.
    """
    resource = table.resource or canonical(url)
    said = parameters(challenge or "")
    scope = table.scope or said.get("scope", "")
    if table.token_url and (table.device_url or not device):
        return Places(table.token_url, resource, scope, table.device_url)
    issuer = table.issuer
    if not issuer:
        told = _of_resource(name, url, said.get("resource_metadata", ""), until_s)
        named = told.get("authorization_servers")
        named = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
        issuer = named[0] if named else _root(url)
        resource = table.resource or str(told.get("resource") or resource)
        scopes = told.get("scopes_supported")
        if not scope and isinstance(scopes, list):
            scope = " ".join(one for one in scopes if isinstance(one, str))
    answer = _of_server(name, issuer, until_s, guess=challenge is not None)
    methods = answer.values.get("token_endpoint_auth_methods_supported")
    places = Places(
        token_url=table.token_url or answer.text("token_endpoint"),
        resource=resource,
        scope=scope,
        device_url=table.device_url or answer.text("device_authorization_endpoint"),
        register_url=answer.text("registration_endpoint"),
        methods=tuple(one for one in methods if isinstance(one, str))
        if isinstance(methods, list)
        else (),
    )
    if not places.token_url or (device and not places.device_url):
        what = "device_url" if places.token_url else "token_url"
        raise CallFailed(f"{name}: {issuer} tells no {what}; name it in the server's oauth table")
    return places


def parameters(challenge: str) -> dict[str, str]:
    """The parameters of a ``WWW-Authenticate: Bearer ...``."""
    found = {}
    for key, quoted, bare in _PARAMETER.findall(challenge):
        found[key.lower()] = re.sub(r"\\(.)", r"\1", quoted) or bare
    return found


def canonical(url: str) -> str:
    """A server's URL as tokens name whom they are for: without fragment and final slash."""
    parts = urlsplit(url)
    path = "" if parts.path == "/" else parts.path.removesuffix("/")
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, parts.query, ""))


def _of_resource(name: str, url: str, named: str, until_s: float) -> Mapping[str, Any]:
    """What the server says of itself; nothing where it says nothing.

    Raises:
        CallFailed: it says it of another.
    """
    path = urlsplit(url).path.rstrip("/")
    places = [named] if named else [f"{_root(url)}{_RESOURCE}{path}", f"{_root(url)}{_RESOURCE}"]
    for place in dict.fromkeys(places):
        answer = ask(name, place, until_s)
        resource = answer.text("resource")
        if not answer.good or not answer.values:
            continue
        if resource and not _is_of(resource, url):
            raise CallFailed(
                f"{name}: {place} speaks of {resource}, which is not the configured url; "
                "name the right one as oauth.resource and oauth.issuer"
            )
        return answer.values
    return {}


def _is_of(resource: str, url: str) -> bool:
    """Whether a resource is this URL, or what it is a part of."""
    one, other = urlsplit(canonical(resource)), urlsplit(canonical(url))
    inside = other.path == one.path or other.path.startswith(one.path.rstrip("/") + "/")
    return origin_of(one) == origin_of(other) and inside


def _of_server(name: str, issuer: str, until_s: float, *, guess: bool) -> OAuthAnswer:
    for place in _well_known(issuer):
        answer = ask(name, place, until_s)
        if answer.good and answer.values:
            if answer.text("issuer").rstrip("/") != issuer.rstrip("/"):
                raise CallFailed(
                    f"{name}: {place} speaks of another issuer than {issuer}; "
                    "name the right one as oauth.issuer"
                )
            return answer
    # Authorization servers before RFC 8414 was asked for (MCP 2025-03-26).
    return OAuthAnswer(200, {"token_endpoint": f"{_root(issuer)}/token"} if guess else {})


def _well_known(issuer: str) -> Iterator[str]:
    root, path = _root(issuer), urlsplit(issuer).path.rstrip("/")
    yield f"{root}{_SERVER}{path}"
    yield f"{root}{_OPENID}{path}"
    if path:
        yield f"{root}{path}{_OPENID}"


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
