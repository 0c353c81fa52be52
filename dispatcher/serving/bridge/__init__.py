"""`sanderling mcp --url`: stdio on this side, streamable HTTP on the other."""
