"""A module over mounts, and a comparison that knows what may differ between encoders."""

import copy
import json

import wasmtime

from tests.wasm_tools.logs_and_data.harness import Module, ToolFailed, alike

#: Byte counts of encoded images, and what follows from them.
ENCODED = {"output_bytes", "total_output_bytes", "reduction_ratio", "overall_reduction"}
HASH_BITS = 4


class Images(Module):
    """A module whose calls see these directories."""

    def __init__(self, name, mounts):
        super().__init__(name)
        self.mounts = mounts

    def over(self, mounts):
        """The same module over other directories."""
        other = copy.copy(self)
        other.mounts = mounts
        return other

    def call(self, tool, arguments, memory_mib=None):
        """The answer, which is a failure where nothing was done; ToolFailed where it is no object."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        message["params"] = {"name": tool, "arguments": arguments}
        reply = self.exchange(json.dumps(message).encode(), memory_mib)
        if "error" in reply:
            raise ToolFailed(reply["error"]["message"])
        result = reply["result"]
        text = result["content"][0]["text"]
        assert "os error" not in text
        if "structuredContent" not in result:
            assert result["isError"]
            raise ToolFailed(text)
        answer = result["structuredContent"]
        assert alike(json.loads(text), answer)
        nothing = answer.get("successful") == 0 and answer["total_images"] > 0
        assert result["isError"] == ("error" in answer or nothing), answer
        return answer

    def exchange(self, message, memory_mib=None):
        store = wasmtime.Store(self.engine)
        store.set_limits(memory_size=(memory_mib or 256) << 20)
        wasi = wasmtime.WasiConfig()
        for guest, directory in self.mounts.items():
            wasi.preopen_dir(str(directory), guest)
        store.set_wasi(wasi)
        exports = self.linker.instantiate(store, self.module).exports(store)
        place = exports["mcp_alloc"](store, len(message))
        assert place, "mcp_alloc found no memory"
        exports["memory"].write(store, message, place)
        answer = exports["mcp_call"](store, place, len(message))
        start, size = (answer >> 32) & 0xFFFFFFFF, answer & 0xFFFFFFFF
        return json.loads(exports["memory"].read(store, start, start + size))


def same(found, expected, key=""):
    """Equal, but for what another encoder or another wording of errors makes different."""
    if key in LOOSE:
        return LOOSE[key](found, expected)
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() - {"data_base64"} == expected.keys() and all(
            same(found[name], value, name) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return alike(found, expected)


def is_said(found, _):
    return isinstance(found, str) and bool(found)


def near_hash(found, expected):
    return (int(found, 16) ^ int(expected, 16)).bit_count() <= HASH_BITS


def near_size(found, expected):
    return expected / 2 <= found <= expected * 2


def same_paths(found, expected):
    return len(found) == len(expected) and set(found) == set(expected)


def same_images(found, expected):
    return same(by_path(found), by_path(expected))


def by_path(entries):
    return {entry["path"]: entry for entry in entries}


LOOSE = {
    "error": is_said,
    "hash": near_hash,
    "image_paths": same_paths,
    "images": same_images,
} | dict.fromkeys(ENCODED, near_size)
