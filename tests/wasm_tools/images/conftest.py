from pathlib import Path

import pytest

from tests.wasm_tools.images.mounted import Images

VECTORS = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="session")
def recorded_images():
    """The tools, with the recorded images where the vectors say."""
    return Images("image-resize", {"/images": VECTORS / "images"})


@pytest.fixture
def images(tmp_path, recorded_images):
    """The tools, with an empty directory as /pictures."""
    return recorded_images.over({"/pictures": tmp_path})
