"""The public git server."""

from tests.wasm_tools.oracle import cache


def command() -> list[str] | None:
    """How it is started; None where tests/prepare-all.sh didn't install it."""
    installed = cache() / "git/bin/mcp-server-git"
    return [str(installed)] if installed.exists() else None
