"""What a component consists of, read off its bytes before they are compiled."""

from __future__ import annotations

from typing import Final

COMPONENT_MAGIC: Final = b"\0asm\x0d\0\x01\0"
_MODULE_MAGIC: Final = b"\0asm\x01\0\0\0"
_HEAD_BYTES: Final = 8
_CORE_MODULE_SECTION: Final = 1
_COMPONENT_SECTION: Final = 4
_MEMORY_SECTION: Final = 5
_DEEPEST: Final = 16
_LEB_BYTES: Final = 5


def memories_of(wasm: bytes) -> int:
    """Count the linear memories that a component's core modules define.

    Raises:
        ValueError: the bytes are no component.
    """
    return _count(memoryview(wasm), 0)


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
