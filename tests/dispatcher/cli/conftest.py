from tests.edge_agent.conftest import componentize_py, run_agent  # noqa: F401 - fixtures
from tests.edge_agent.engines import engine, interpreter, send  # noqa: F401 - fixtures
