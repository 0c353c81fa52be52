"""The errors of wasm_tools, each one line that names the thing and the mend.

WasmToolsError
├── ManifestError        manifest.json or a file that it lists is missing or wrong
├── UnknownServerError   no server of that name
├── ToolchainError       no Rust toolchain for Wasm can be had here
├── BuildError           the toolchain ran and failed
└── AnswerError          a module did not answer MCP as it should
"""


class WasmToolsError(Exception):
    """Base of all errors of this package."""


class ManifestError(WasmToolsError):
    """manifest.json, or a file that it lists, is missing or wrong."""


class UnknownServerError(WasmToolsError):
    """No server of that name."""


class ToolchainError(WasmToolsError):
    """No Rust toolchain for Wasm can be had here."""


class BuildError(WasmToolsError):
    """The toolchain ran and failed."""


class AnswerError(WasmToolsError):
    """A module did not answer MCP as it should."""
