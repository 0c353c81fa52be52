"""The components that send HTTP requests, under the plain ``wasmtime`` command."""

import json
import socket
import time

import pytest
from mcp.client.client import Client

from tests.edge_agent.egress.site import Site, page_of
from tests.wasm_tools.components.command import results_of_run, serving
from tests.wasm_tools.fetch.compare import comparable, filled
from tests.wasm_tools.fetch.site import serving as serving_pages
from tests.wasm_tools.fetch.test_recorded import RECORDED, differs

pytestmark = pytest.mark.extended

MIB = 1024 * 1024
TEXT = "The river floods every spring. Farmers build dams against it. My neighbour likes jazz."
SAID = "Spring floods, and dams against them."


@pytest.fixture
def site():
    site = Site()
    site.pages["/robots.txt"] = page_of("User-agent: *\nDisallow: /private/")
    yield site
    site.close()


def fetched(wasmtime, *urls, **arguments):
    """The texts of pages, or why there is none, by one run of the component."""
    calls = [("fetch", {"url": url, **arguments}) for url in urls]
    results = results_of_run(wasmtime, "fetch", calls)
    return [(one["isError"], one["content"][0]["text"]) for one in results]


def test_fetch_answers_as_the_module_does(wasmtime):
    cases = [case for case in RECORDED if differs(case["arguments"]) is None]
    with serving_pages() as pages:
        calls = [("fetch", filled(case["arguments"], pages)) for case in cases]
        results = results_of_run(wasmtime, "fetch", calls)
        found = [comparable(result, pages) for result in results]
    assert found == [case["result"] for case in cases]


async def test_fetch_answers_over_http(wasmtime, site):
    site.pages["/old"] = page_of("", status=302, Location="/new")
    site.pages["/new"] = page_of("moved here", Content_Type="text/plain")
    with serving(wasmtime, "fetch") as port:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            result = await client.call_tool("fetch", {"url": f"{site.url}/old"})
    assert not result.is_error
    assert result.content[0].text.endswith("moved here")
    assert site.asked() == ["/robots.txt", "/old", "/robots.txt", "/new"]


def test_robots_txt_is_asked_at_each_step(wasmtime, site):
    site.pages["/open"] = page_of("", status=307, Location="/private/page")
    site.pages["/private/page"] = page_of("nothing for programs")
    ((failed, text),) = fetched(wasmtime, f"{site.url}/open")
    assert failed
    assert "autonomous fetching of this page is not allowed" in text
    assert "/private/page" not in site.asked()


def test_a_page_is_read_by_its_charset(wasmtime, site):
    site.pages["/koi"] = page_of(
        "хлеб и соль".encode("koi8-r"), Content_Type="text/plain; charset=koi8-r"
    )
    ((failed, text),) = fetched(wasmtime, f"{site.url}/koi")
    assert not failed
    assert text.endswith("хлеб и соль")


def endless(connection, _request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        connection.sendall(bytes(64 * 1024))


def broken_off(connection, _request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")


def test_what_comes_to_no_page_is_an_error_that_says_why(wasmtime, site):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    site.pages["/large"] = page_of(b"x" * (8 * MIB + 1))
    site.pages["/endless"] = endless
    site.pages["/broken"] = broken_off
    site.pages["/packed"] = page_of("?", Content_Encoding="br")
    site.pages["/loop"] = page_of("", status=302, Location="/loop")
    site.pages["/away"] = page_of("", status=302, Location="ftp://127.0.0.1/")
    expected = {
        f"{site.url}/large": "the answer is over the limit of 8388608 bytes",
        f"{site.url}/endless": "the answer is over the limit of 8388608 bytes",
        f"{site.url}/broken": "the connection ended before the answer did",
        f"{site.url}/packed": "it answers in an encoding nobody asked for",
        f"{site.url}/loop": "Exceeded maximum allowed redirects",
        f"{site.url}/away": "Failed to fetch robots.txt ftp://",
        f"http://127.0.0.1:{closed}/": "due to a connection issue",
        f"http://me:secret@127.0.0.1:{closed}/": "Failed to fetch robots.txt",
    }
    for (failed, text), (url, why) in zip(
        fetched(wasmtime, *expected), expected.items(), strict=True
    ):
        assert failed, url
        assert why in text, url


def test_a_site_that_is_silent_ends_the_call_and_not_the_server(wasmtime, site):
    site.pages["/robots.txt"] = lambda *_: site.closing.wait(30)
    begun = time.monotonic()
    results = results_of_run(
        wasmtime, "fetch", [("fetch", {"url": f"{site.url}/page"}), ("fetch", {"url": "no URL"})]
    )
    assert "due to a connection issue" in results[0]["content"][0]["text"]
    assert results[1]["isError"]
    assert time.monotonic() - begun < 25, "it was the site that gave up, not the component"


def test_a_call_sends_so_many_requests(wasmtime, site):
    # Each page leads on, each robots.txt through redirects of its own.
    for step in range(20):
        site.pages[f"/robots.txt?{step}"] = page_of("", status=302, Location=f"?{step + 1}")
        site.pages[f"/page/{step}"] = page_of("", status=302, Location=f"/page/{step + 1}")
    site.pages["/robots.txt"] = page_of("", status=302, Location="/robots.txt?10")
    site.pages["/robots.txt?20"] = page_of("")
    site.pages["/page/20"] = page_of("the end")
    first, second = fetched(wasmtime, f"{site.url}/page/0", f"{site.url}/page/20")
    assert first[0]
    assert "a call may send 64 requests" in first[1]
    assert not second[0], "the next call has all of its requests again"


def answered(site, content, status=200):
    said = {"choices": [{"message": {"role": "assistant", "content": content}}]}
    site.pages["/v1"] = page_of(json.dumps(said), status, Content_Type="application/json")


def test_summarize_asks_the_endpoint_that_its_variables_name(wasmtime, site):
    answered(site, SAID)
    variables = ["--env", f"SUMMARIZE_ENDPOINT={site.url}/v1", "--env", "SUMMARIZE_MODEL=small"]
    calls = [("summarize_text", {"text": TEXT}), ("get_provider_info", {})]
    summary, provider = results_of_run(wasmtime, "summarize", calls, *variables)
    assert summary["structuredContent"] == {"result": SAID}
    assert provider["structuredContent"]["endpoint"] == f"{site.url}/v1"
    (request,) = site.requests
    body = json.loads(request.partition(b"\r\n\r\n")[2])
    assert body["model"] == "small"
    assert body["messages"][1] == {"role": "user", "content": TEXT}


async def test_summarize_asks_it_over_http_too(wasmtime, site):
    answered(site, SAID)
    flags = ["-Scli", "--env", f"SUMMARIZE_ENDPOINT={site.url}/v1"]
    with serving(wasmtime, "summarize", *flags) as port:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            result = await client.call_tool("summarize_text", {"text": TEXT})
            answered(site, "", status=500)
            failed = await client.call_tool("summarize_text", {"text": TEXT})
    assert result.structured_content == {"result": SAID}
    assert failed.is_error
    assert "HTTP 500" in failed.content[0].text


def test_without_an_endpoint_summaries_are_extractive(wasmtime):
    calls = [("get_provider_info", {}), ("summarize_text", {"text": TEXT})]
    provider, summary = results_of_run(wasmtime, "summarize", calls)
    assert provider["structuredContent"]["provider"] == "extractive"
    assert summary["structuredContent"]["result"] in TEXT
