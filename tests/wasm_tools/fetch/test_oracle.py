"""The fetch module and the public server, side by side, now."""

import pytest

from tests.wasm_tools.fetch import test_recorded
from tests.wasm_tools.fetch.compare import comparable, filled
from tests.wasm_tools.fetch.corpus import calls
from tests.wasm_tools.fetch.record import command, start

# The public server takes seconds for a page (it starts Node for each), so one page in five.
PAGES = [c for c in calls() if c.get("url", "").startswith(("{site}/article", "{site}/short"))]
OTHERS = [c for c in calls() if c not in PAGES]


@pytest.mark.oracle
@pytest.mark.timeout(300)
def test_both_answer_the_same(fetcher, site):
    line = command()
    if line is None:
        pytest.skip("mcp-server-fetch with its Node modules is missing: run tests/prepare-all.sh")
    asked = [c for c in PAGES[::5] if test_recorded.differs(c) is None] + OTHERS
    with start(line) as server:
        for arguments in asked:
            given = filled(arguments, site)
            theirs = comparable(server.call("fetch", given), site)
            assert comparable(fetcher.call(given, site), site) == theirs, arguments
