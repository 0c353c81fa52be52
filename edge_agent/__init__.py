"""What runs on a board: an edge agent that answers calls of MCP tools."""

from ground import __version__

__all__ = ["__version__"]
