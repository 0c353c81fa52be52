"""One module over HTTP: just enough HTTP/1.1 for MCP, from the standard library."""
