"""One module over HTTP: as much of a server as MCP needs, with h11 for HTTP/1.1."""
