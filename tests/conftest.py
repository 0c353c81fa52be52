"""What holds for every test: the profiles of the laws, and modules that are compiled once."""

import pytest
from hypothesis import settings

from tests import compiled

_LAW_S = 600
#: Fixtures that start processes, in some files for all the tests that leave them as they were.
_PROCESSES = {"installed", "served", "up", "url"}

# Always the same examples, so that the suite says the same of the same code; what is new is
# looked for by the full profile.
settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("full", max_examples=100, deadline=None, print_blob=True)
settings.load_profile("quick")


def pytest_sessionfinish() -> None:
    """Leave nothing that must be freed while the interpreter ends."""
    compiled.let_go()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share processes with one worker, and give laws the time they take.

    A limit that strikes within a law hides its example.
    """
    for item in items:
        for name in _PROCESSES.intersection(getattr(item, "fixturenames", ())):
            shared = item._fixtureinfo.name2fixturedefs[name][-1]
            if shared.scope != "function":
                item.add_marker(pytest.mark.xdist_group(shared.baseid))
        if "hypothesis" in item.keywords and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_LAW_S))
