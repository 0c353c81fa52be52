"""Speaking MCP to a server, over its stdio or over HTTP."""
