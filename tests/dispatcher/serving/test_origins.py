"""Web pages that may use the endpoint: those whose origin is named, and no others."""

import pytest

from dispatcher import config as configuration
from dispatcher.errors import ConfigError
from tests.dispatcher.fake_app import MODERN, FakeApp, McpClient, served

PAGE = "https://app.example.org"
ASKS = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type, mcp-protocol-version, mcp-param-region",
}


@pytest.fixture(params=["", "secret"])
async def open_to_page(request, tmp_path):
    app = FakeApp(tmp_path, cors_origins=[PAGE])
    host = "0.0.0.0" if request.param else "127.0.0.1"  # noqa: S104 - needs a token
    async with served(app, host=host, token=request.param) as base:
        yield f"{base}/mcp", request.param


async def test_the_browser_is_told_that_it_may(open_to_page, http):
    url, _ = open_to_page
    told = await http.options(url, headers=ASKS)
    assert told.status_code == 200
    assert told.headers["access-control-allow-origin"] == PAGE
    assert "DELETE" in told.headers["access-control-allow-methods"]
    assert "mcp-param-region" in told.headers["access-control-allow-headers"]
    other = await http.options(url, headers={**ASKS, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_a_page_reads_its_answers(open_to_page, http, version):
    url, token = open_to_page
    http.headers.update({"origin": PAGE, **({"authorization": f"Bearer {token}"} if token else {})})
    client = McpClient(url, version, http)
    await client.connect()
    assert (await client.call("echo"))["content"][0]["text"] == "ok"
    response = await http.post(url, json={}, headers=client.session)
    assert response.headers["access-control-allow-origin"] == PAGE
    exposed = response.headers["access-control-expose-headers"].lower()
    assert {"mcp-session-id", "www-authenticate"} <= set(exposed.split(", "))


async def test_a_page_without_the_token_is_told_what_it_lacks(tmp_path, http):
    app = FakeApp(tmp_path, cors_origins=[PAGE])
    async with served(app, host="0.0.0.0", token="secret") as base:  # noqa: S104
        refused = await http.post(f"{base}/mcp", json={}, headers={"origin": PAGE})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == PAGE
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_other_pages_stay_out(tmp_path, http):
    async with served(FakeApp(tmp_path, cors_origins=[PAGE])) as base:
        for origin in ("https://evil.example", f"{PAGE}.evil.example", "null"):
            refused = await http.post(f"{base}/mcp", json={}, headers={"origin": origin})
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers


async def test_the_operators_api_is_for_no_page(tmp_path, http):
    async with served(FakeApp(tmp_path, cors_origins=[PAGE])) as base:
        asked = await http.options(
            f"{base}/api/tools",
            headers={**ASKS, "access-control-request-headers": "sanderling-api"},
        )
        assert "access-control-allow-origin" not in asked.headers
        headers = {"origin": PAGE, "sanderling-api": "1"}
        refused = await http.get(f"{base}/api/tools", headers=headers)
        assert refused.status_code == 403


async def test_without_named_origins_no_page_is_let_in(base, http):
    told = await http.options(f"{base}/mcp", headers=ASKS)
    assert told.status_code == 403
    assert "access-control-allow-origin" not in told.headers


@pytest.mark.parametrize("origin", ["*", "app.example.org", f"{PAGE}/", "HTTPS://A.B", "null", ""])
def test_an_origin_is_named_as_a_browser_does(tmp_path, origin):
    with pytest.raises(ConfigError, match="cors_origins"):
        configuration.load(None, {"dispatcher": {"state": tmp_path, "cors_origins": [origin]}})
