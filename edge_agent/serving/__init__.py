"""Modules as ordinary MCP servers, over stdio or HTTP, without a dispatcher."""
