"""Call the tools of a built module: a fresh instance per call, over the ABI and nothing else."""

import json
import math

import wasmtime

from tests import compiled
from wasm_tools.manifest import DIST

#: Lengths of some JSON text, which depend on its spelling.
SIZES = {"input_size_estimate", "output_size_estimate", "reduction_ratio"}


class ToolFailed(Exception):
    """The tool answered with an error result."""


class Module:
    """A module of wasm_tools/dist, compiled once."""

    def __init__(self, name):
        self.engine = compiled.engine()
        self.module = compiled.module(DIST / f"{name}.wasm")
        self.linker = wasmtime.Linker(self.engine)
        self.linker.define_wasi()

    def call(self, tool, arguments, memory_mib=None):
        """The structured content of the answer; ToolFailed where it is an error."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        message["params"] = {"name": tool, "arguments": arguments}
        answer = self.exchange(json.dumps(message).encode(), memory_mib)
        if "error" in answer:
            raise ToolFailed(answer["error"]["message"])
        result = answer["result"]
        text = result["content"][0]["text"]
        if result["isError"]:
            assert "structuredContent" not in result
            raise ToolFailed(text)
        assert alike(json.loads(text), result["structuredContent"])
        return result["structuredContent"]

    def notes(self, tool, arguments):
        """The texts that follow the answer."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        message["params"] = {"name": tool, "arguments": arguments}
        result = self.exchange(json.dumps(message).encode())["result"]
        return [block["text"] for block in result["content"][1:]]

    def exchange(self, message, memory_mib=None):
        store = wasmtime.Store(self.engine)
        if memory_mib is not None:
            store.set_limits(memory_size=memory_mib << 20)
        store.set_wasi(wasmtime.WasiConfig())
        exports = self.linker.instantiate(store, self.module).exports(store)
        place = exports["mcp_alloc"](store, len(message))
        assert place, "mcp_alloc found no memory"
        exports["memory"].write(store, message, place)
        answer = exports["mcp_call"](store, place, len(message))
        start, size = (answer >> 32) & 0xFFFFFFFF, answer & 0xFFFFFFFF
        return json.loads(exports["memory"].read(store, start, start + size))


def name_of(key):
    """The text that a key becomes in JSON."""
    return next(iter(json.loads(json.dumps({key: None}))))


def plain(value):
    """A Python value as it comes out of JSON; what JSON has no word for is null."""
    if isinstance(value, dict):
        return {name_of(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def alike(found, expected, key=""):
    """Equal, numbers within 1e-9 (sizes within 5 %), ``source_keys`` as a set."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return found is expected
    if isinstance(expected, int | float) and isinstance(found, int | float):
        tolerance = 0.05 if key in SIZES else 1e-9
        return math.isclose(found, expected, rel_tol=tolerance)
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() == expected.keys() and all(
            alike(found[name], value, name) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        if key == "source_keys":
            return sorted(found) == sorted(expected)
        return len(found) == len(expected) and all(map(alike, found, expected))
    return type(found) is type(expected) and found == expected


def check(module, tool, arguments, reference):
    """The module and the reference give the same answer, or both fail."""
    try:
        expected = plain(reference(**arguments))
    except Exception as reason:
        # Whatever Python raises, the tool must refuse.
        try:
            found = module.call(tool, arguments)
        except ToolFailed:
            return
        raise AssertionError(f"Python fails with {reason!r}, the tool answers {found}") from reason
    found = module.call(tool, arguments)
    assert alike(found, expected), f"{tool}({arguments})\nfound    {found}\nexpected {expected}"
