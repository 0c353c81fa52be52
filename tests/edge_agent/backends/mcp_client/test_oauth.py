"""Tokens for remote servers, against a small authorization server over real HTTP."""

import base64
import json
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner

from edge_agent.backends.mcp_client.web.oauth import device
from edge_agent.backends.mcp_client.web.oauth.discovery import parameters
from edge_agent.backends.settings import OAuthTable, ServerTable
from edge_agent.cli import cli
from edge_agent.errors import ConfigError, EdgeAgentError, ModuleUnavailable
from edge_agent.tables import TableError, read
from tests.edge_agent.backends.mcp_client.scripted import Scripted

SECRET = "s3cret"


class Authority(BaseHTTPRequestHandler):
    """Gives tokens; ``server.answers`` are what the next polls of a device get."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, {}))
        found = self.server.metadata.get(self.path)
        self.reply(200 if found else 404, found or {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.headers["content-type"] == "application/json":
            self.server.asked.append((self.path, json.loads(body)))
            self.reply(201, {"client_id": "registered"})
            return
        form = {key: values[0] for key, values in parse_qs(body).items()}
        self.server.asked.append((self.path, form))
        if self.path == "/device":
            host = f"http://127.0.0.1:{self.server.server_port}"
            code = {"device_code": "d-1", "user_code": "WDJB-MJHT", "interval": 0}
            self.reply(200, {**code, "verification_uri": f"{host}/activate", "expires_in": 600})
            return
        self.token(form)

    def token(self, form):
        server = self.server
        if form["grant_type"] == "client_credentials":
            shown = self.headers.get("authorization", "").removeprefix("Basic ")
            pair = (
                base64.b64decode(shown).decode()
                or f"{form.get('client_id')}:{form.get('client_secret')}"
            )
            refused = pair != f"agent:{SECRET}"
            error = {"error": "invalid_client", "error_description": "who are you?"}
        elif form["grant_type"] == "refresh_token":
            refused = form["refresh_token"] != server.refresh
            error = {"error": "invalid_grant"}
        else:
            answer = server.answers.pop(0) if server.answers else None
            refused, error = answer is not None, {"error": answer}
        if refused:
            self.reply(401 if "description" in str(error) else 400, error)
            return
        server.count += 1
        server.tokens = {f"t-{server.count}"}
        answer = {"access_token": f"t-{server.count}", "token_type": "Bearer", **server.more}
        if form["grant_type"] != "client_credentials":
            server.refresh = answer["refresh_token"] = f"r-{server.count}"
        self.reply(200, answer)

    def reply(self, status, values):
        body = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Guarded(Scripted):
    """Wants a token of the authority."""

    def do_GET(self):  # noqa: N802 - of http.server
        if self.path != self.server.metadata_path:
            super().do_GET()
            return
        told = {"resource": self.server.resource, "authorization_servers": [self.server.issuer]}
        self.reply(200, {}, json.dumps({**told, "scopes_supported": ["tools"]}).encode())

    def do_POST(self):  # noqa: N802 - of http.server
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in self.server.authority.tokens:
            super().do_POST()
            return
        self.rfile.read(int(self.headers["content-length"]))
        self.server.refused.append(token)
        self.reply(401, {"WWW-Authenticate": self.server.challenge}, b"")


@pytest.fixture
def authority():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Authority)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.asked, server.answers, server.tokens = [], [], set()
    server.count, server.refresh, server.more = 0, "", {"expires_in": 3600}
    server.metadata = {
        "/.well-known/oauth-authorization-server": {
            "issuer": server.url,
            "token_endpoint": f"{server.url}/token",
            "device_authorization_endpoint": f"{server.url}/device",
        }
    }
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def guarded(scripted, authority):
    scripted.RequestHandlerClass = Guarded
    scripted.authority, scripted.issuer, scripted.refused = authority, authority.url, []
    scripted.url = scripted.url.replace("?key=1", "")
    scripted.resource = scripted.url
    scripted.metadata_path = "/.well-known/oauth-protected-resource/mcp"
    scripted.challenge = "Bearer"
    return scripted


@pytest.fixture(autouse=True)
def secret(monkeypatch, tmp_path):
    monkeypatch.setenv("FAR_SECRET", SECRET)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))


BY_ITSELF = {"client_id": "agent", "client_secret_env": "FAR_SECRET"}


def remote(guarded, **oauth):
    return {"name": "far", "url": guarded.url, "oauth": oauth}


# ---- client credentials


def test_a_token_is_asked_for_by_what_the_server_tells(agent, guarded, authority):
    one = agent(remote(guarded, **BY_ITSELF))
    assert one.text("far", backend="remote") == "done"
    path, form = authority.asked[-1]
    assert path == "/token"
    assert form == {"grant_type": "client_credentials", "resource": guarded.url, "scope": "tools"}
    assert guarded.refused == []
    assert one.text("far", backend="remote") == "done"
    assert authority.count == 1


def test_a_challenge_names_where_to_look_and_what_to_ask_for(agent, guarded, authority):
    there = guarded.url.replace("/mcp", "/elsewhere")
    guarded.metadata_path = "/elsewhere"
    guarded.challenge = f'Bearer realm="x", resource_metadata="{there}", scope="read write"'
    one = agent(remote(guarded, **BY_ITSELF))
    assert one.text("far", backend="remote") == "done"
    assert authority.asked[-1][1]["scope"] == "read write"


def test_a_token_url_needs_no_discovery(agent, guarded, authority):
    authority.metadata.clear()
    one = agent(remote(guarded, **BY_ITSELF, token_url=f"{authority.url}/token", scope="mine"))
    assert one.text("far", backend="remote") == "done"
    assert [path for path, _ in authority.asked] == ["/token"]
    assert authority.asked[-1][1]["scope"] == "mine"


@pytest.mark.parametrize("place", ["/.well-known/oauth-authorization-server/t", "/.well-known/openid-configuration/t", "/t/.well-known/openid-configuration"])  # fmt: skip
def test_an_issuer_with_a_path_is_found_in_each_place(agent, guarded, authority, place):
    told = authority.metadata.popitem()[1]
    guarded.issuer = f"{authority.url}/t"
    authority.metadata[place] = {**told, "issuer": guarded.issuer}
    assert agent(remote(guarded, **BY_ITSELF)).text("far", backend="remote") == "done"


def test_a_secret_goes_in_the_form_where_the_authority_wants_that(agent, guarded, authority):
    told = authority.metadata["/.well-known/oauth-authorization-server"]
    told["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert agent(remote(guarded, **BY_ITSELF)).text("far", backend="remote") == "done"
    assert authority.asked[-1][1]["client_secret"] == SECRET


def test_an_expired_token_is_renewed_before_and_after_it_is_refused(agent, guarded, authority):
    authority.more = {"expires_in": 1}
    one = agent(remote(guarded, **BY_ITSELF))
    assert one.text("far", backend="remote") == "done"
    time.sleep(1)  # longer than a token lives, by the authority's word
    count = authority.count
    assert one.text("far", backend="remote") == "done"
    assert authority.count > count
    assert guarded.refused == []
    authority.more = {}  # it does not say how long they live
    time.sleep(1)
    assert one.text("far", backend="remote") == "done"
    authority.tokens.clear()
    assert one.text("far", backend="remote") == "done"
    assert len(guarded.refused) == 1


def test_a_wrong_secret_is_said_without_it(agent, guarded, authority, monkeypatch):
    monkeypatch.setenv("FAR_SECRET", "wr0ng")
    with pytest.raises(
        ModuleUnavailable, match="gives agent no token: invalid_client: who are you"
    ) as caught:
        agent(remote(guarded, **BY_ITSELF)).call("far", backend="remote")
    assert "wr0ng" not in str(caught.value)
    monkeypatch.delenv("FAR_SECRET")
    with pytest.raises(ModuleUnavailable, match="FAR_SECRET holds no client secret"):
        agent(remote(guarded, **BY_ITSELF)).call("far", backend="remote")


def test_a_token_that_is_refused_again_is_not_asked_for_for_ever(agent, guarded, authority):
    guarded.authority = Authority  # of no tokens that anybody gives
    Authority.tokens = frozenset()
    with pytest.raises(ModuleUnavailable, match=r"refused the token \(401\)"):
        agent(remote(guarded, **BY_ITSELF)).call("far", backend="remote")
    assert authority.count < 8


def test_metadata_of_another_is_refused(agent, guarded, authority):
    guarded.resource = "https://other.example/mcp"
    with pytest.raises(ModuleUnavailable, match=r"speaks of https://other\.example/mcp"):
        agent(remote(guarded, **BY_ITSELF)).call("far", backend="remote")
    guarded.resource = guarded.url
    authority.metadata["/.well-known/oauth-authorization-server"]["issuer"] = (
        "https://other.example"
    )
    with pytest.raises(ModuleUnavailable, match="speaks of another issuer"):
        agent(remote(guarded, **BY_ITSELF)).call("far", backend="remote")
    assert authority.count == 0


def test_secrets_do_not_leave_in_the_open():
    for table in (
        {"url": "http://far.example/mcp", "oauth": BY_ITSELF},
        {
            "url": "https://far.example/mcp",
            "oauth": {**BY_ITSELF, "token_url": "http://a.example/t"},
        },
    ):
        with pytest.raises(TableError, match="must be https"):
            read(ServerTable, {"name": "far", **table})


def test_a_challenge_is_taken_apart():
    said = parameters(
        'Bearer error="invalid_token", scope="a b", resource_metadata=https://x/y, q="\\"z\\""'
    )
    assert said == {
        "error": "invalid_token",
        "scope": "a b",
        "resource_metadata": "https://x/y",
        "q": '"z"',
    }


# ---- a login by a device


def logged_in(guarded, tmp_path, **oauth):
    config = tmp_path / "agent.toml"
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in oauth.items())
    config.write_text(
        f'state = "state"\n[[servers]]\nname = "far"\nurl = "{guarded.url}"\n[servers.oauth]\n{table}'
    )
    return CliRunner().invoke(cli, ["login", "far", "--config", str(config)])


def test_a_login_is_kept_for_its_user_alone_and_used_and_rotated(
    agent, guarded, authority, tmp_path
):
    authority.answers = ["authorization_pending"]
    done = logged_in(guarded, tmp_path, client_id="public")
    assert done.exit_code == 0, done.output
    assert "/activate and enter the code WDJB-MJHT" in done.output
    (kept,) = (tmp_path / "state/logins").glob("*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    asked = dict(authority.asked)
    assert asked["/device"] == {"client_id": "public", "resource": guarded.url, "scope": "tools"}
    one = agent(remote(guarded, client_id="public"), state=tmp_path / "state")
    assert one.text("far", backend="remote") == "done"
    assert authority.count == 1
    authority.tokens.clear()
    assert one.text("far", backend="remote") == "done"
    assert authority.asked[-1][1]["refresh_token"] == "r-1"
    assert json.loads(kept.read_text())["refresh_token"] == "r-2"
    other = agent(remote(guarded, client_id="public"), state=tmp_path / "state")
    assert other.text("far", backend="remote") == "done"
    assert authority.count == 2  # its token is good for another agent of this user


def test_a_login_of_a_url_is_found_by_every_agent_of_the_user(agent, guarded, authority, tmp_path):
    told = authority.metadata["/.well-known/oauth-authorization-server"]
    told["registration_endpoint"] = f"{authority.url}/register"
    done = CliRunner().invoke(cli, ["login", "far", "--url", guarded.url])
    assert done.exit_code == 0, done.output
    assert dict(authority.asked)["/device"]["client_id"] == "registered"
    one = agent({"name": "far", "url": guarded.url, "oauth": {}}, state=tmp_path / "other")
    assert one.text("far", backend="remote") == "done"


def test_without_a_login_an_agent_says_how(agent, guarded, authority, tmp_path):
    with pytest.raises(ModuleUnavailable, match="wants a login; run `edge-agent login far`"):
        agent(remote(guarded)).call("far", backend="remote")
    assert logged_in(guarded, tmp_path, client_id="public").exit_code == 0
    one = agent(remote(guarded, client_id="public"), state=tmp_path / "state")
    authority.tokens.clear()
    authority.refresh = "another"
    with pytest.raises(
        ModuleUnavailable, match="its login has ended; run `edge-agent login far`: invalid_grant"
    ):
        one.call("far", backend="remote")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("access_denied", "refused in the browser"),
        ("expired_token", "has expired"),
        ("odd", "gives no token: odd"),
    ],
)
def test_a_login_that_is_not_given(guarded, authority, tmp_path, answer, says):
    authority.answers = [answer]
    done = logged_in(guarded, tmp_path, client_id="public")
    assert done.exit_code != 0
    assert says in str(done.exception)
    assert not (tmp_path / "state/logins").exists()


def test_an_authority_that_finds_polls_too_many_gets_fewer(guarded, authority, tmp_path):
    authority.answers = ["slow_down", "authorization_pending", "slow_down"]
    pauses = []
    table = OAuthTable(client_id="public")
    device.log_in("far", guarded.url, table, tmp_path, show=lambda _: None, sleep=pauses.append)
    assert pauses == [0, 5, 5, 10]


def test_a_login_that_cannot_be(guarded, authority, tmp_path):
    with pytest.raises(EdgeAgentError, match="knows its clients; name client_id"):
        device.log_in("far", guarded.url, OAuthTable(), tmp_path, show=lambda _: None)
    del authority.metadata["/.well-known/oauth-authorization-server"][
        "device_authorization_endpoint"
    ]
    with pytest.raises(EdgeAgentError, match="tells no device_url; name it"):
        device.log_in("far", guarded.url, OAuthTable(), tmp_path, show=lambda _: None)
    done = CliRunner().invoke(cli, ["login", "near", "--config", str(tmp_path / "none.toml")])
    assert isinstance(done.exception, ConfigError)
