"""tools/call over HTTP against a bare MCP server in the same run; see bench/end_to_end.py."""

import pytest

from bench.end_to_end import both, measured, summary


@pytest.fixture(scope="module")
def clients():
    with both() as found:
        yield found


@pytest.mark.benchmark(group="tools/call over HTTP")
@pytest.mark.parametrize("server", ["bare", "sanderling"])
def test_tools_call(benchmark, clients, server):
    benchmark.pedantic(clients[server].call, rounds=300, warmup_rounds=20)
    # The comparison itself takes turns between the two, since a machine is busy now and then.
    benchmark.extra_info.update(summary(measured(clients, 300)))
    assert b'"isError":false' in clients["sanderling"].call().replace(b" ", b"")
