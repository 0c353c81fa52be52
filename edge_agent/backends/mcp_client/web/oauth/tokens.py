"""The tokens of one remote server: asked for, kept in memory, renewed before they end."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge_agent.backends.mcp_client.web.oauth.asking import Client, OAuthAnswer, ask
from edge_agent.backends.mcp_client.web.oauth.discovery import Places, discover
from edge_agent.backends.mcp_client.web.oauth.login import Login, Logins
from edge_agent.backends.settings import OAuthTable
from edge_agent.errors import CallFailed, OAuthRefused

_ASK_S: Final = 15.0
_EARLY_S: Final = 60.0  # before its end a token is renewed, or at nine tenths of its time
_EARLY_SHARE: Final = 0.1
_log = logging.getLogger(__name__)


class Tokens:
    """Thread-safe. Tokens of a login are shared with other agents of this user by its file."""

    def __init__(self, name: str, url: str, table: OAuthTable, state: Path | None) -> None:
        self._name = name
        self._url = url
        self._table = table
        self._logins = Logins(state)
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at_s = 0.0  # of time.time
        self._places: Places | None = None

    def current(self) -> str:
        """A token that should be good; "" where the server has to say first where one is had.

        Raises:
            CallFailed: there should be one, and is none.
        """
        with self._lock:
            if self._token and time.time() < self._renew_at_s:
                return self._token
            until_s = time.monotonic() + _ASK_S
            if not self._table.by_itself:
                self._use_login("", until_s, needed=False)
                return self._token
            try:
                self._ask_for_one(None, until_s)
            except OAuthRefused:
                raise
            except CallFailed as error:
                _log.debug("%s: no token before the server is asked: %s", self._name, error)
                self._token = ""
            return self._token

    def renew(self, refused: str, challenge: str, until_s: float) -> bool:
        """Get another token than one that was refused; whether there is one.

        Raises:
            CallFailed: there should be, and is none.
        """
        with self._lock:
            if self._token and self._token != refused:
                return True  # somebody else was first
            if self._table.by_itself:
                self._places = None if challenge else self._places
                self._ask_for_one(challenge, until_s)
            else:
                self._use_login(refused, until_s, needed=True)
            return bool(self._token) and self._token != refused

    # ---- by itself

    def _ask_for_one(self, challenge: str | None, until_s: float) -> None:
        """Client credentials; the lock is held."""
        table = self._table
        places = self._places or discover(self._name, self._url, table, challenge, until_s)
        secret = table.secret()
        if not secret:
            where = table.client_secret_env or table.client_secret_file
            raise OAuthRefused(f"{self._name}: {where} holds no client secret; write it there")
        client = Client(table.client_id, secret, places.secret_in_body)
        form = {"grant_type": "client_credentials", "resource": places.resource}
        if places.scope:
            form["scope"] = places.scope
        answer = _posted(self._name, places.token_url, client, form, until_s)
        self._places = places
        if not answer.good or not answer.text("access_token"):
            raise answer.refused(
                f"{self._name}: {places.token_url} gives {table.client_id} no token"
            )
        self._take(answer.text("access_token"), answer.number("expires_in"))

    # ---- of a login

    def _use_login(self, refused: str, until_s: float, *, needed: bool) -> None:
        """Take the token of the login, or a fresh one by it; the lock is held."""
        with self._logins.alone(self._url):
            login = self._logins.find(self._url)
            if login is None:
                if needed:
                    raise OAuthRefused(f"{self._name}: wants a login; {self._mend}")
                return
            now_s = time.time()
            good = login.access_token and login.access_token != refused
            if good and (not login.expires_s or now_s < login.expires_s - _EARLY_S):
                left_s = login.expires_s - now_s if login.expires_s else None
                self._take(login.access_token, left_s)
                return
            self._refresh(login, until_s)

    def _refresh(self, login: Login, until_s: float) -> None:
        if not login.refresh_token:
            raise OAuthRefused(f"{self._name}: its login has ended; {self._mend}")
        form = {
            "grant_type": "refresh_token",
            "refresh_token": login.refresh_token,
            "resource": login.resource,
        }
        client = Client(login.client_id)
        answer = _posted(self._name, login.token_url, client, form, until_s)
        if not answer.good or not answer.text("access_token"):
            raise answer.refused(f"{self._name}: its login has ended; {self._mend}")
        fresh = logged_in(login, answer)
        try:
            self._logins.keep(self._url, fresh)
        except OSError as error:
            _log.warning("%s: its login cannot be kept: %s", self._name, error.strerror)
        self._take(fresh.access_token, answer.number("expires_in"))

    @property
    def _mend(self) -> str:
        return f"run `edge-agent login {self._name}`"

    def _take(self, token: str, left_s: float | None) -> None:
        self._token = token
        early_s = min(_EARLY_S, (left_s or 0.0) * _EARLY_SHARE)
        self._renew_at_s = time.time() + (left_s - early_s if left_s is not None else 1e9)


def logged_in(login: Login, answer: OAuthAnswer) -> Login:
    """A login with the tokens of an answer; a refresh token that is not replaced stays good."""
    expires_in = answer.number("expires_in")
    return replace(
        login,
        access_token=answer.text("access_token"),
        refresh_token=answer.text("refresh_token") or login.refresh_token,
        expires_s=time.time() + expires_in if expires_in is not None else 0.0,
    )


def _posted(
    name: str, url: str, client: Client, form: dict[str, str], until_s: float
) -> OAuthAnswer:
    shown, headers = client.shown(form)
    return ask(name, url, until_s, form=shown, headers=headers)
