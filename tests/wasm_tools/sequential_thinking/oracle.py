"""The public server of the same name: npm @modelcontextprotocol/server-sequential-thinking."""

import shutil

from tests.wasm_tools.oracle import cache

TOOL = "sequentialthinking"


def thinking_command() -> list[str] | None:
    """How it is started; None where it isn't installed."""
    name = "@modelcontextprotocol/server-sequential-thinking"
    package = cache() / "node_modules" / name / "dist/index.js"
    bundled = cache() / "venv/bin/node"
    node = str(bundled) if bundled.exists() else shutil.which("node")
    return [node, str(package)] if node and package.exists() else None
