"""A login by the device flow: a code here, consent in a browser anywhere.

Source: RFC 8628.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_agent.backends.mcp_client.web.oauth.asking import ask, plain
from edge_agent.backends.mcp_client.web.oauth.discovery import Places, discover
from edge_agent.backends.mcp_client.web.oauth.login import Login, Logins
from edge_agent.backends.mcp_client.web.oauth.tokens import logged_in
from edge_agent.backends.settings import OAuthTable
from edge_agent.errors import CallFailed, EdgeAgentError, OAuthRefused

_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_ASK_S: Final = 20.0
_INTERVAL_S: Final = 5.0  # between polls, where the server names none
_SLOWER_S: Final = 5.0  # more, each time that it finds them too many
_MOST_INTERVAL_S: Final = 120.0
_EXPIRES_S: Final = 600.0


def log_in(
    name: str,
    url: str,
    table: OAuthTable,
    state: Path | None,
    *,
    show: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask for consent, wait for it, and keep what it gave.

    Raises:
        EdgeAgentError: it was not given, or the server has no such flow.
    """
    asked = ask(name, url, _until(), values={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    places = discover(name, url, table, asked.challenge, _until(), device=True)
    client_id = table.client_id or _registered(name, places)
    form = {"client_id": client_id, "resource": places.resource}
    if places.scope:
        form["scope"] = places.scope
    answer = ask(name, places.device_url, _until(), form=form)
    code, there = answer.text("device_code"), answer.text("verification_uri")
    if not answer.good or not code or not there:
        raise answer.refused(f"{name}: {places.device_url} gives no code")
    show(f"Open {plain(there)} and enter the code {plain(answer.text('user_code'))}")
    whole = answer.text("verification_uri_complete")
    if whole:
        show(f"or open {plain(whole)}")
    expires_s = time.monotonic() + (answer.number("expires_in") or _EXPIRES_S)
    interval_s = answer.number("interval")
    form = {"grant_type": _GRANT, "device_code": code, "client_id": client_id}
    login = Login(places.token_url, client_id, places.resource)
    login = _poll(
        name,
        login,
        {**form, "resource": places.resource},
        _INTERVAL_S if interval_s is None else interval_s,
        expires_s,
        sleep,
    )
    try:
        Logins(state).keep(url, login)
    except OSError as error:
        raise EdgeAgentError(f"{name}: the login cannot be kept: {error}") from None


def _poll(
    name: str,
    login: Login,
    form: dict[str, str],
    interval_s: float,
    expires_s: float,
    sleep: Callable[[float], None],
) -> Login:
    while True:
        sleep(interval_s)
        if time.monotonic() > expires_s:
            raise OAuthRefused(f"{name}: the code has expired; log in again")
        try:
            answer = ask(name, login.token_url, _until(), form=form)
        except OAuthRefused:
            raise
        except CallFailed:
            interval_s = min(max(interval_s, 1.0) * 2, _MOST_INTERVAL_S)
            continue
        if answer.good and answer.text("access_token"):
            return logged_in(login, answer)
        error = answer.text("error")
        if error == "slow_down":
            interval_s = min(interval_s + _SLOWER_S, _MOST_INTERVAL_S)
        elif error == "access_denied":
            raise OAuthRefused(f"{name}: the login was refused in the browser")
        elif error == "expired_token":
            raise OAuthRefused(f"{name}: the code has expired; log in again")
        elif error != "authorization_pending":
            raise answer.refused(f"{name}: {login.token_url} gives no token")


def _registered(name: str, places: Places) -> str:
    """A client id that the authorization server gives to whoever asks (RFC 7591).

    Raises:
        CallFailed: it gives none.
    """
    if not places.register_url:
        raise CallFailed(f"{name}: its authorization server knows its clients; name client_id")
    wanted = {
        "client_name": "Sanderling",
        "grant_types": [_GRANT, "refresh_token"],
        "token_endpoint_auth_method": "none",
        "redirect_uris": [],
    }
    answer = ask(name, places.register_url, _until(), values=wanted)
    if not answer.good or not answer.text("client_id"):
        raise answer.refused(f"{name}: {places.register_url} registers no client; name client_id")
    return answer.text("client_id")


def _until() -> float:
    return time.monotonic() + _ASK_S
