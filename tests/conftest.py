"""What holds for every test: the profiles of the laws, and how tests fall to workers."""

from typing import Any

import pytest
from hypothesis import settings

from tests import compiled

_LAW_S = 600
#: Where tests share a dispatcher, agents or servers that a fixture starts for all of them.
_SHARING = (
    "tests/dispatcher/cli/test_light_commands.py",
    "tests/dispatcher/placement/test_guard.py",
    "tests/edge_agent/backends/test_client_requests_up.py",
    "tests/edge_agent/backends/mcp_client/test_client_requests.py",
    "tests/edge_agent/backends/mcp_client/test_http.py",
    "tests/edge_agent/backends/servers/test_servers.py",
    "tests/edge_agent/backends/test_up.py",
    "tests/edge_agent/serving/web/test_server.py",
    "tests/edge_agent/serving/test_stdio.py",
    "tests/integration/test_sessions.py",
    "tests/integration/",
    "tests/wasm_tools/fetch/test_fleet.py",
)

# Always the same examples, so that the suite says the same of the same code; what is new is
# looked for by the full profile.
settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("full", max_examples=100, deadline=None, print_blob=True)
settings.load_profile("quick")


def pytest_sessionfinish() -> None:
    """Leave nothing that must be freed while the interpreter ends."""
    compiled.let_go()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give laws the time they take: a limit that strikes within one hides its example."""
    for item in items:
        is_law = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if is_law and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_LAW_S))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests that share processes with one worker, which starts them once, and first."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return next((place for place in _SHARING if nodeid.startswith(place)), nodeid)

    return Scheduling(config, log)
