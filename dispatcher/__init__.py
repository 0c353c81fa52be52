"""The dispatcher: one MCP server to clients, which places every call on the best node."""

from ground import __version__

__all__ = ["__version__"]
