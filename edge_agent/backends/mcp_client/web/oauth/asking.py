"""Requests to an authorization server: small, to places that secrets may be sent to, not moved.

The forms are three and the answers JSON, so no library stands between: those that there are bring
the forms alone (``oauthlib``), or an HTTP client and cryptography with them (``authlib``).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from edge_agent.backends.mcp_client.web.connections import connect, origin_of, target_of
from edge_agent.backends.mcp_client.web.reading import body_of, left_s
from edge_agent.backends.settings import check_safe
from edge_agent.errors import CallFailed, OAuthRefused
from edge_agent.jsonrpc import parse_foreign

_MOST_BYTES: Final = 256 * 1024
_CONNECT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class OAuthAnswer:
    """What was answered: a status, an object where there was one, and how to show who asks."""

    status: int
    values: Mapping[str, Any]
    challenge: str = ""

    @property
    def good(self) -> bool:
        """Whether it is what was asked for."""
        return self.status in {HTTPStatus.OK, HTTPStatus.CREATED}

    def text(self, key: str) -> str:
        """A value that is to be a text; "" where it is none."""
        found = self.values.get(key)
        return found if isinstance(found, str) else ""

    def number(self, key: str) -> float | None:
        """A value that is to be a number, which some write as a text."""
        found = self.values.get(key)
        with contextlib.suppress(ValueError):
            if isinstance(found, int | float | str) and not isinstance(found, bool):
                return max(0.0, min(float(found), 1e9))
        return None

    def refused(self, what: str) -> OAuthRefused:
        """Its refusal, as an error that says ``what`` was not had."""
        error, more = self.text("error"), self.text("error_description")
        why = ": ".join(word for word in (error or f"status {self.status}", more) if word)
        return OAuthRefused(f"{what}: {plain(why)}", error)


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks for tokens. ``in_body`` is how it shows its secret; else as HTTP's Basic."""

    id: str
    secret: str = ""
    in_body: bool = False

    def shown(self, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """A form with the client in it, and the headers to go with it."""
        if self.secret and not self.in_body:
            pair = f"{quote_plus(self.id)}:{quote_plus(self.secret)}"
            return dict(form), {
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"
            }
        shown = {**form, "client_id": self.id}
        return ({**shown, "client_secret": self.secret} if self.secret else shown), {}


def ask(
    name: str,
    url: str,
    until_s: float,
    *,
    form: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> OAuthAnswer:
    """GET a URL, or POST a form or an object to it.

    Raises:
        CallFailed: it cannot be reached, or is no place for secrets.
    """
    try:
        check_safe(url)
    except ValueError as error:
        raise CallFailed(f"{name}: {error}") from None
    body, kind = None, ""
    if form is not None:
        body, kind = urlencode(form).encode(), "application/x-www-form-urlencoded"
    elif values is not None:
        body, kind = json.dumps(values).encode(), "application/json"
    sent = {"Accept": "application/json", **({"Content-Type": kind} if kind else {})}
    origin = origin_of(urlsplit(url))
    context = ssl.create_default_context() if origin.scheme == "https" else None
    try:
        connection = connect(name, origin, min(_CONNECT_S, left_s(until_s)), context)
        with contextlib.closing(connection):
            connection.sock.settimeout(left_s(until_s))
            method = "GET" if body is None else "POST"
            connection.request(method, target_of(url), body, {**sent, **(headers or {})})
            response = connection.getresponse()
            challenge = response.getheader("www-authenticate") or ""
            found = body_of(name, response, connection.sock, until_s, _MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise CallFailed(f"{name}: {url} cannot be asked: {error or 'no answer in time'}") from None
    try:
        read = parse_foreign(found)
    except ValueError:
        read = None
    return OAuthAnswer(response.status, read if isinstance(read, dict) else {}, challenge)


def plain(text: str) -> str:
    """A server's words as a terminal may show them."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:500]
