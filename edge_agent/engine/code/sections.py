"""What a module or component consists of, read off its bytes."""

from __future__ import annotations

from typing import Final

COMPONENT_MAGIC: Final = b"\0asm\x0d\0\x01\0"
_MODULE_MAGIC: Final = b"\0asm\x01\0\0\0"
_HEAD_BYTES: Final = 8
_IMPORT_SECTION: Final = 2
_CORE_MODULE_SECTION: Final = 1
_COMPONENT_SECTION: Final = 4
_MEMORY_SECTION: Final = 5
_FUNCTION: Final = b"\0"
_DEEPEST: Final = 16
_LEB_BYTES: Final = 5


def memories_of(wasm: bytes) -> int:
    """Count the linear memories that a component's core modules define.

    Raises:
        ValueError: the bytes are no component.
    """
    return _count(memoryview(wasm), 0)


def imports_of(wasm: bytes) -> list[tuple[str, str]]:
    """Return the functions that a core module imports, as the names of their module and own.

    The bytes are of a module that the engine took, which imports nothing but functions.

    Raises:
        ValueError: they are not.
    """
    data = memoryview(wasm)
    at = _HEAD_BYTES
    while at < len(data):
        size, start = _number(data, at + 1)
        if data[at] == _IMPORT_SECTION:
            return _functions(data[start : start + size])
        at = start + size
    return []


def _functions(section: memoryview) -> list[tuple[str, str]]:
    found = []
    count, at = _number(section, 0)
    for _ in range(count):
        source, at = _name(section, at)
        name, at = _name(section, at)
        if bytes(section[at : at + 1]) != _FUNCTION:
            raise ValueError("an import is no function")
        _, at = _number(section, at + 1)
        found.append((source, name))
    return found


def _name(data: memoryview, at: int) -> tuple[str, int]:
    size, at = _number(data, at)
    return bytes(data[at : at + size]).decode(errors="replace"), at + size


def _count(data: memoryview, depth: int) -> int:
    if depth > _DEEPEST:
        raise ValueError("components nest too deep")
    head = bytes(data[:_HEAD_BYTES])
    if head not in {COMPONENT_MAGIC, _MODULE_MAGIC}:
        raise ValueError("not a component")
    is_module = head == _MODULE_MAGIC
    found = 0
    at = _HEAD_BYTES
    while at < len(data):
        section = data[at]
        size, start = _number(data, at + 1)
        content = data[start : start + size]
        if len(content) != size:
            raise ValueError("a section is cut off")
        if is_module and section == _MEMORY_SECTION:
            found += _number(content, 0)[0]
        elif not is_module and section in {_CORE_MODULE_SECTION, _COMPONENT_SECTION}:
            found += _count(content, depth + 1)
        at = start + size
    return found


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """Read an unsigned LEB128 number; return it and where it ends."""
    value = 0
    for index in range(_LEB_BYTES):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follow
            return value, at + index + 1
    raise ValueError("a number is cut off")
