"""The recorded answers of the original server, given again by the built module."""

import base64
import json

import pytest

from tests.wasm_tools.images.conftest import VECTORS
from tests.wasm_tools.images.mounted import same

CASES = [
    pytest.param(tool, case, id=f"{tool}-{number}")
    for tool, cases in json.loads((VECTORS / "image-resize.json").read_text()).items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("tool", "case"), CASES)
def test_recorded(recorded_images, tmp_path, tool, case):
    found = recorded_images.call(tool, case["arguments"])
    expected = case["result"]
    assert same(found, expected), f"found {found}\nexpected {expected}"
    if expected.get("success") and tool == "resize_image":
        (tmp_path / "resized").write_bytes(base64.b64decode(found["data_base64"], validate=True))
        mounted = recorded_images.over({"/pictures": tmp_path})
        info = mounted.call("get_image_info", {"image_path": "/pictures/resized"})
        assert [info["width"], info["height"]] == found["new_size"]
        assert (info["format"], info["size_bytes"]) == (found["format"], found["output_bytes"])
        assert "hash" in mounted.call("compute_image_hash", {"image_path": "/pictures/resized"})
