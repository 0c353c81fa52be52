"""Images that lie, end early or are too large: each is an error of its own, never a trap."""

import base64
import os
import random
import struct
import zlib

import pytest

from tests.wasm_tools.images.conftest import VECTORS
from tests.wasm_tools.logs_and_data.harness import ToolFailed

SAMPLES = ["a.jpg", "b.png", "c.png", "d.gif", "e.webp", "g.bmp"]


def chunk(name, payload):
    checksum = zlib.crc32(name + payload)
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", checksum)


def png(width, height, pixels=b"\0\0", depth=8, colour=0):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def jpeg(width, height):
    whole = bytearray((VECTORS / "images/a.jpg").read_bytes())
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(whole)


def gif(width, height):
    whole = bytearray((VECTORS / "images/d.gif").read_bytes())
    whole[6:10] = struct.pack("<HH", width, height)
    return bytes(whole)


def gif_frame(width, height):
    """A canvas of 4 by 4 with a frame of any size on it."""
    canvas = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return canvas + frame + b"\x02\x02\x44\x01\x00;"


def bmp(width, height):
    whole = bytearray((VECTORS / "images/g.bmp").read_bytes())
    whole[18:26] = struct.pack("<ii", width, height)
    return bytes(whole)


def webp(width, height):
    whole = bytearray((VECTORS / "images/e.webp").read_bytes())
    whole[26:30] = struct.pack("<HH", width, height)
    return bytes(whole)


def put(tmp_path, content, name="picture"):
    (tmp_path / name).write_bytes(content)
    return f"/pictures/{name}"


def failure(module, tool, arguments, memory_mib=None):
    answer = module.call(tool, arguments, memory_mib)
    assert answer.get("success", False) is False
    assert answer["path"] == arguments["image_path"]
    return answer["error"]


@pytest.mark.parametrize(
    "content",
    [
        png(60_000, 60_000),
        png(2**31 - 1, 2**31 - 1),
        bmp(2**31 - 1, -(2**31)),
        jpeg(65_500, 65_500),
    ],
)
def test_bombs_are_refused_by_their_header(images, tmp_path, content):
    path = put(tmp_path, content)
    assert "decompression bomb" in failure(images, "get_image_info", {"image_path": path})
    assert "decompression bomb" in failure(images, "compute_image_hash", {"image_path": path})


@pytest.mark.parametrize(
    "content",
    [
        png(12_000, 12_000),
        png(9_000, 9_000, depth=16, colour=6),
        jpeg(13_000, 13_000),
        gif(13_000, 13_000),
        webp(13_000, 13_000),
        bmp(13_000, 13_000),
    ],
)
def test_what_does_not_fit_into_memory_is_refused(images, tmp_path, content):
    path = put(tmp_path, content)
    assert images.call("get_image_info", {"image_path": path})["width"] >= 9_000
    # A thumbnail of a JPEG would need only an eighth of each side.
    arguments = {"image_path": path, "width": 10}
    assert "memory of this call" in failure(images, "resize_image", arguments)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 3), (3, 0)])
def test_a_frame_without_pixels_is_refused(images, tmp_path, width, height):
    sound = {"image_path": put(tmp_path, gif_frame(1, 1), "sound"), "width": 2}
    assert images.call("resize_image", sound)["new_size"] == [2, 2]
    path = put(tmp_path, gif_frame(width, height))
    assert images.call("get_image_info", {"image_path": path})["width"] == 4
    for tool in ("resize_image", "compute_image_hash"):
        arguments = {"image_path": path, **({"width": 2} if tool == "resize_image" else {})}
        assert "no pixels" in failure(images, tool, arguments)


# What Pillow 13.0 makes of each, in bytes.
@pytest.mark.parametrize(
    ("colour", "side", "pillows"),
    [
        ((0, 0, 0, 0), 100, 119),
        ((0, 0, 0, 0), 1000, 3957),
        ((255, 255, 255, 255), 100, 313),
        ((255, 255, 255, 255), 1000, 6210),
        ((10, 20, 30, 40), 100, 318),
        ((10, 20, 30, 40), 1000, 6214),
    ],
)
def test_one_colour_takes_at_most_twice_pillows_bytes(images, tmp_path, colour, side, pillows):
    rows = (b"\0" + bytes(colour) * side) * side
    arguments = {"image_path": put(tmp_path, png(side, side, rows, colour=6)), "width": side}
    made = images.call("resize_image", {**arguments, "output_format": "PNG"})
    assert made["output_bytes"] <= 2 * pillows


def test_memory_of_the_module_bounds_what_is_decoded(images, tmp_path):
    row = b"\0" + b"\x55" * 2_000
    path = put(tmp_path, png(2_000, 1_500, row * 1_500))
    arguments = {"image_path": path, "max_size": 20}
    assert images.call("resize_image", arguments, memory_mib=64)["new_size"] == [20, 15]
    assert "memory of this call" in failure(images, "resize_image", arguments, memory_mib=4)


@pytest.mark.parametrize("output_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("width", "height"),
    [(20_000, 20_000), (2**40, 1), (1, 2**32 - 1), (2**31, 2**31), (-5, 10), (10, -5), (-1, -1)],
)
def test_impossible_targets(images, tmp_path, output_format, width, height):
    path = put(tmp_path, png(1, 1))
    arguments = {"image_path": path, "width": width, "height": height}
    assert failure(images, "resize_image", arguments | {"output_format": output_format})


@pytest.mark.parametrize(
    "target", [{}, {"width": 0}, {"width": 0, "height": 0}, {"max_size": 0}, {"width": None}]
)
def test_zero_is_the_same_as_no_target(images, tmp_path, target):
    arguments = {"image_path": put(tmp_path, png(1, 1)), **target}
    assert "no resize parameters" in failure(images, "resize_image", arguments)


def test_targets_that_leave_no_pixels(images, tmp_path):
    path = put(tmp_path, png(1_000, 1, b"\0" + b"\0" * 1_000))
    for target in ({"width": 10}, {"max_size": -3}):
        failure(images, "resize_image", {"image_path": path, **target})
    thumbnail = images.call("resize_image", {"image_path": path, "max_size": 10})
    assert thumbnail["new_size"] == [10, 1]
    batch = images.call("batch_resize", {"image_paths": [path], "max_size": 0})
    assert (batch["failed"], batch["total_output_bytes"]) == (1, 0)
    assert batch["results"][0]["success"] is False


@pytest.mark.parametrize("name", SAMPLES)
def test_truncated_files(images, tmp_path, name):
    whole = (VECTORS / "images" / name).read_bytes()
    for part in (0, 1, 2, 10, 25, 60, len(whole) // 3, len(whole) // 2, len(whole) * 9 // 10):
        arguments = {"image_path": put(tmp_path, whole[:part])}
        failure(images, "resize_image", arguments | {"max_size": 9})
        failure(images, "compute_image_hash", arguments)
        assert images.call("get_image_info", arguments)


@pytest.mark.parametrize("name", [*SAMPLES, "sub/f.jpeg"])
def test_damaged_files_never_trap(images, tmp_path, name):
    whole = (VECTORS / "images" / name).read_bytes()
    chance = random.Random(name)
    for _ in range(40):
        damaged = bytearray(whole)
        reach = len(damaged) if chance.random() < 0.5 else 64
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(reach)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
        arguments = {"image_path": put(tmp_path, bytes(damaged)), "max_size": 30}
        answer = images.call("resize_image", arguments | {"output_format": "WEBP"})
        assert answer["success"] or answer["error"]


def test_what_is_no_image(images, tmp_path):
    (tmp_path / "directory.png").mkdir()
    for path in (
        put(tmp_path, b""),
        put(tmp_path, b"text", "text.png"),
        "/pictures/directory.png",
        "/pictures/absent.png",
        "/elsewhere/a.png",
        "/pictures/../a.png",
        "",
        "\0",
    ):
        assert failure(images, "get_image_info", {"image_path": path})
        assert failure(images, "resize_image", {"image_path": path, "width": 5})


def test_links_out_of_the_mount_are_not_followed(images, tmp_path):
    (tmp_path / "link.png").symlink_to(VECTORS / "images/b.png")
    assert failure(images, "get_image_info", {"image_path": "/pictures/link.png"})


def test_transparency_survives_in_png_and_webp(images, tmp_path):
    rows = b"".join(b"\0" + bytes([9, 200, 30, 8 * y]) * 24 for y in range(24))
    path = put(tmp_path, png(24, 24, rows, colour=6))
    for output_format in ("PNG", "WEBP"):
        arguments = {"image_path": path, "max_size": 12, "output_format": output_format}
        answer = images.call("resize_image", arguments)
        small = put(tmp_path, base64.b64decode(answer["data_base64"]), "small")
        assert images.call("get_image_info", {"image_path": small})["mode"] == "RGBA"
        again = images.call("resize_image", arguments | {"image_path": small, "max_size": 99})
        assert again["new_size"] == [12, 12]


def test_a_directory_is_scanned_by_extension(images, tmp_path):
    for name in (".png", "a.PNG", "b.png.txt", "c.tiff", "d", "e.", "sub/f.png", "sub/.g/h.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"123")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = images.call("scan_directory", {"directory": "/pictures//./", "include_info": True})
    expected = {f"/pictures/{name}" for name in ("a.PNG", "c.tiff", "sub/f.png", "sub/.g/h.webp")}
    assert set(found["image_paths"]) == expected
    assert (found["total_size_bytes"], found["image_count"]) == (12, 4)
    assert all(image["error"] for image in found["images"])
    nothing = images.call("scan_directory", {"directory": "/pictures", "extensions": []})
    assert nothing["image_paths"] == []


def test_what_is_passed_over_is_told(images, tmp_path):
    (tmp_path / os.fsdecode(b"l\xe9.png")).write_bytes(b"123")
    (tmp_path / "a.png").write_bytes(b"123")
    found = images.call("scan_directory", {"directory": "/pictures"})
    # One name that is not UTF-8 fails the whole reading of its directory.
    assert any("UTF-8" in line for line in found["passed_over"])
    lacking = {"path": "/pictures/a.png", "hash_type": "phash"}
    compared = images.call("compare_hashes", {"hashes": [lacking]})
    assert compared["errors"] == [{**lacking, "error": "it has no hash"}]


def test_a_file_is_no_directory(images, tmp_path):
    (tmp_path / "a.png").write_bytes(b"123")
    answer = images.call("scan_directory", {"directory": "/pictures/a.png"})
    assert answer == {"error": "Directory not found: /pictures/a.png"}  # with isError


def test_a_failure_names_the_file_and_no_number(images):
    for tool in ("get_image_info", "resize_image", "compute_image_hash"):
        asked = {"image_path": "/pictures/none.png"}
        answer = images.call(tool, asked | ({"max_size": 9} if tool == "resize_image" else {}))
        assert answer["error"] == "/pictures/none.png: no such file or directory"


HASH = {"path": "a", "hash": "00ff00ff00ff00ff"}


@pytest.mark.parametrize(
    ("hashes", "said"),
    [
        ([HASH, {"path": "b", "hash": "0"}], "different lengths"),
        ([HASH, {"path": "b", "hash": "z" * 16}], "hexadecimal"),
        ([HASH, {"path": "b", "hash": ""}], "hexadecimal"),
        ([HASH, {"hash": "00"}], r"hashes\[1\]"),
        ([HASH, {"path": "b", "hash": 5}], r'5 of "b" is no square'),
        ([5], r"hashes\[0\]"),
        ("none", "hashes"),
    ],
)
def test_hashes_that_are_none_are_refused(images, hashes, said):
    with pytest.raises(ToolFailed, match=said):
        images.call("compare_hashes", {"hashes": hashes})


def test_the_last_hash_of_a_path_counts(images):
    hashes = [HASH, {"path": "b", "hash": "0" * 16}, {"path": "b", "hash": HASH["hash"]}, {}]
    answer = images.call("compare_hashes", {"hashes": hashes})
    assert (answer["duplicate_groups"], answer["total_compared"]) == ([["a", "b"]], 2)


def test_unknown_formats_and_kinds_are_refused_by_name(images):
    with pytest.raises(ToolFailed, match="output_format"):
        images.call("resize_image", {"image_path": "a", "output_format": "TIFF"})
    with pytest.raises(ToolFailed, match="hash_type"):
        images.call("compute_image_hash", {"image_path": "a", "hash_type": "md5"})
