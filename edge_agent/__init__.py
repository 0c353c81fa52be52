"""What runs on a board: an edge agent that answers calls of MCP tools."""

from typing import Final

__version__: Final = "0.1.0"
