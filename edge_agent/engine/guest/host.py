"""The module ``sanderling_host``: what a guest may ask of its host beyond WASI.

Each function takes a JSON text from the guest's memory and answers with one,
placed where the guest's ``mcp_alloc`` says. Nothing here raises into the
engine: a guest that passes nonsense gets 0, an error inside gets an answer.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import wasmtime

from edge_agent.engine.abi import HOST_MODULE
from edge_agent.engine.call_state import GIT_SERVER, CallState, current
from edge_agent.engine.guest.files import (
    PERMISSION_BITS,
    OutsideMountsError,
    ReadOnlyMountError,
    get_mode,
    link_target,
    list_directory,
    look,
    places_of,
    set_mode,
)
from edge_agent.errors import OutputTooLarge
from edge_agent.jsonrpc import parse_foreign
from edge_agent.logs import log_unexpected
from edge_agent.mounts import Mount

# A request names a path; parsing takes many times its size. One to HTTP also has a
# body, the size of which egress bounds (a mebibyte, or 4/3 of it in base64).
LARGEST_REQUEST_BYTES: Final = 64 * 1024
LARGEST_HTTP_BYTES: Final = 8 * 1024 * 1024

Handler = Callable[[dict[str, Any], CallState], dict[str, Any]]
_log = logging.getLogger(__name__)


def define_host(linker: wasmtime.Linker) -> None:
    """Link the functions of ``sanderling_host``."""
    i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
    for name, handler, most in (
        ("file_mode", file_mode, LARGEST_REQUEST_BYTES),
        ("http", http, LARGEST_HTTP_BYTES),
    ):
        linker.define_func(
            HOST_MODULE,
            name,
            wasmtime.FuncType([i32, i32], [i64]),
            _host_function(handler, most),
            access_caller=True,
        )


def file_mode(request: dict[str, Any], call: CallState) -> dict[str, Any]:
    """``{"op", "path", "mode"}`` -> the answer, or ``{"error"}``.

    The operations ``get`` and ``set`` answer ``{"mode"}``, the permission bits as a number;
    ``link`` answers ``{"target"}``, where a symbolic link leads as tools see it; ``list``
    answers ``{"entries": [...]}`` of a directory and ``look`` ``{"entry"}`` of one path, with
    what WASI lacks: see `edge_agent.engine.guest.files.Listed`. ``git_config`` answers what
    git would find in the home of the node's user for the repository whose own directory
    ``path`` is, on the branch ``branch`` and with ``remotes``: see
    `edge_agent.engine.guest.git_user.tell`. Where git would stop at it, ``{"broken"}`` says why.
    """
    wrong = _what_is_wrong(request)
    if wrong:
        return {"error": wrong}
    path: str = request["path"]
    try:
        if request["op"] == _GIT_CONFIG:
            return _git_config(request, call)
        return _FILE_OPERATIONS[request["op"]](path, request.get("mode"), call.mounts)
    except (OutsideMountsError, ReadOnlyMountError, OSError) as error:
        return {"error": f"{path}: {_why(error)}"}


def _git_config(request: dict[str, Any], call: CallState) -> dict[str, Any]:
    # Most modules never ask.
    from edge_agent.engine.guest import git_config, git_user

    if not call.git_user:
        return {"error": f"only a server named {GIT_SERVER} is told of the user's git"}
    branch, remotes = request.get("branch"), request.get("remotes")
    repository = git_config.Repository(
        git_dirs=places_of(request["path"], call.mounts),
        branch=branch if isinstance(branch, str) else "",
        remotes=tuple(url for url in remotes if isinstance(url, str))
        if isinstance(remotes, list)
        else (),
    )
    try:
        return git_user.tell(repository, {**os.environ, **call.env})
    except git_config.BrokenConfigError as error:
        return {"broken": str(error)}


_GIT_CONFIG: Final = "git_config"
_FILE_OPERATIONS: Final[dict[str, Callable[[str, Any, Sequence[Mount]], dict[str, Any]]]] = {
    "get": lambda path, _, mounts: {"mode": get_mode(path, mounts)},
    "set": lambda path, mode, mounts: {"mode": set_mode(path, mode, mounts)},
    "link": lambda path, _, mounts: {"target": link_target(path, mounts)},
    "list": lambda path, _, mounts: {"entries": list_directory(path, mounts)},
    "look": lambda path, _, mounts: {"entry": look(path, mounts)},
}


def _what_is_wrong(request: dict[str, Any]) -> str:
    operation, mode = request.get("op"), request.get("mode")
    if operation not in {*_FILE_OPERATIONS, _GIT_CONFIG}:
        return "op: write get, set, link, list or look; the git server also git_config"
    if not isinstance(request.get("path"), str):
        return "path: give an absolute path as a string"
    if operation == "set" and (type(mode) is not int or not 0 <= mode <= PERMISSION_BITS):
        return "mode: give the permission bits as a number from 0 to 511"
    return ""


def _why(error: Exception) -> str:
    if isinstance(error, OutsideMountsError):
        return "outside the mounts of this call"
    if isinstance(error, ReadOnlyMountError):
        return "its mount is read-only"
    # An OSError's own text would name the directory on the board.
    return (getattr(error, "strerror", None) or "cannot be reached").lower()


def http(request: dict[str, Any], call: CallState) -> dict[str, Any]:
    """One HTTP request -> its answer, or ``{"error", "kind"}``; see `edge_agent.egress.gate`."""
    if call.egress is not None:
        return call.egress.send(request, call)
    url = str(request.get("url", ""))[:200]
    return {
        "error": f"{url}: HTTP egress is denied on this node; "
        "run the tool on a node that permits it (--allow-egress SCHEME://HOST:PORT)",
        "kind": "denied",
    }


def _host_function(handler: Handler, most: int) -> Callable[[wasmtime.Caller, int, int], int]:
    def answer(caller: wasmtime.Caller, pointer: int, length: int) -> int:
        # An exception would surface in whichever call wasmtime-py finds first.
        try:
            call = current()
            if call is None or not call.count_host_call():
                return 0
            if call.placing:
                _end_circle(call)
                return 0
            told = _handle(handler, _take(caller, pointer, length, most), call)
            call.placing = True
            try:
                return _place(caller, told)
            finally:
                call.placing = False
        except (wasmtime.Trap, wasmtime.WasmtimeError, IndexError, KeyError, TypeError):
            return 0
        except Exception as error:  # noqa: BLE001 - see above
            log_unexpected(_log, "host function", error)
            return 0

    return answer


def _end_circle(call: CallState) -> None:
    """End a guest of which mcp_alloc, asked by the host, asks the host again.

    Each turn of that would take some of the agent's own stack.
    """
    words = "stopped: its mcp_alloc called the host, which had called it"
    if call.stop(f"{words}; let mcp_alloc do no more than allocate"):
        call.interrupt()


def _handle(handler: Handler, text: bytes, call: CallState) -> dict[str, Any]:
    try:
        request = parse_foreign(text)
    except ValueError:
        return {"error": "the request is not JSON"}
    except OutputTooLarge:
        return {"error": "the request holds too many values"}
    if not isinstance(request, dict):
        return {"error": "the request is not a JSON object"}
    return handler(request, call)


def _memory(caller: wasmtime.Caller) -> wasmtime.Memory:
    memory = caller["memory"]
    if not isinstance(memory, wasmtime.Memory):
        raise TypeError("no memory")
    return memory


def _take(caller: wasmtime.Caller, pointer: int, length: int, most: int) -> bytes:
    start, size = pointer & 0xFFFF_FFFF, length & 0xFFFF_FFFF
    memory = _memory(caller)
    if size > most or start + size > memory.data_len(caller):
        raise IndexError("request outside the guest's memory")
    return bytes(memory.read(caller, start, start + size))


def _place(caller: wasmtime.Caller, answer: dict[str, Any]) -> int:
    data = json.dumps(answer).encode()
    allocate = caller["mcp_alloc"]
    if not isinstance(allocate, wasmtime.Func):
        raise TypeError("no mcp_alloc")
    pointer = int(allocate(caller, len(data))) & 0xFFFF_FFFF
    memory = _memory(caller)  # allocating may have moved it
    if pointer == 0 or pointer + len(data) > memory.data_len(caller):
        raise IndexError("mcp_alloc gave a place outside the memory")
    memory.write(caller, data, pointer)
    packed = pointer << 32 | len(data)
    return packed - (1 << 64) if packed >= 1 << 63 else packed
