"""The dispatcher: one MCP server to clients, which places every call on the best node."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sanderling")
except PackageNotFoundError:  # run from a tree that was never installed
    __version__ = "0"
