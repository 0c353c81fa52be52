from tests.edge_agent.backends.mcp_client.scripted import scripted  # noqa: F401 - a fixture
