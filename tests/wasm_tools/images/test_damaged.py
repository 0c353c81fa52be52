"""Images that are damaged and still have all their pixels: Pillow reads them, so do we.

Beside them those whose pixels don't fit their own checksum, which Pillow refuses.
"""

import io
import struct

import pytest
from PIL import Image

from tests.wasm_tools.logs_and_data.harness import ToolFailed

SIDES = (37, 23)
HASH_BITS = 4


def saved(kind: str, **options: object) -> bytes:
    """A gradient of small size in a format."""
    width, height = SIDES
    pixels = bytes((x * 5 + y * 3) % 256 for y in range(height) for x in range(width * 3))
    out = io.BytesIO()
    Image.frombytes("RGB", SIDES, pixels).save(out, kind, **options)
    return out.getvalue()


def data_of(png: bytes) -> tuple[int, int]:
    """Where the content of the chunk of pixels begins and ends."""
    at = png.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", png[at - 8 : at - 4])
    return at, at + length


def cut(png: bytes, back: int) -> bytes:
    """Without what follows `back` bytes before the end of the pixels."""
    return png[: data_of(png)[1] - back]


def announced(png: bytes, length: int) -> bytes:
    """With another length of the chunk of pixels."""
    at = data_of(png)[0]
    return png[: at - 8] + struct.pack(">I", length) + png[at - 4 :]


def littered(jpeg: bytes, litter: bytes) -> bytes:
    """With bytes between two segments that belong to none."""
    at = jpeg.index(b"\xff\xdb")
    return jpeg[:at] + litter + jpeg[at:]


PNG, JPEG = saved("PNG"), saved("JPEG", quality=90)
END = data_of(PNG)[1]
DAMAGED = {
    "no checksum of the chunk": cut(PNG, 0),
    "no checksum of the pixels": cut(PNG, 4),
    "part of that checksum": cut(PNG, 2),
    "a chunk longer than the file": announced(PNG, 100_000_000),
    "zeros before a segment": littered(JPEG, bytes(3)),
    "text before a segment": littered(JPEG, b"text"),
    "an escape before a segment": littered(JPEG, b"\xff\x00x"),
    "fill bytes before a segment": littered(JPEG, b"\xff\xff"),
}
REFUSED = {
    "pixels cut": cut(PNG, 60),
    "pixels that don't fit their checksum": PNG[: END - 2] + bytes(2) + PNG[END:],
}


def average_hash(image: Image.Image) -> int:
    small = image.convert("L").resize((8, 8), Image.Resampling.LANCZOS)
    values = list(small.tobytes())
    mean = sum(values) / len(values)
    return int("".join("1" if value > mean else "0" for value in values), 2)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_whole_in_its_pixels_is_read(images, tmp_path, name):
    (tmp_path / "image").write_bytes(DAMAGED[name])
    with Image.open(tmp_path / "image") as image:
        expected, kind = average_hash(image), image.format
    info = images.call("get_image_info", {"image_path": "/pictures/image"})
    assert (info["width"], info["height"], info["format"]) == (*SIDES, kind)
    asked = {"image_path": "/pictures/image", "hash_type": "ahash"}
    found = int(images.call("compute_image_hash", asked)["hash"], 16)
    assert (found ^ expected).bit_count() <= HASH_BITS


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_is_refused(images, tmp_path, name):
    (tmp_path / "image").write_bytes(REFUSED[name])
    with pytest.raises((OSError, SyntaxError)):
        average_hash(Image.open(tmp_path / "image"))
    asked = {"image_path": "/pictures/image", "hash_type": "ahash"}
    try:
        answer = images.call("compute_image_hash", asked)
    except ToolFailed:
        return
    assert answer["error"]
