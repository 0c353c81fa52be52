"""Image processing: photographs on a disk at home, looked at by the machines that have it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

from dispatcher.demo.calls import HOME, Caller
from dispatcher.demo.samples.pictures import PlantedPictures
from dispatcher.errors import SanderlingError

PHOTOS = "/photos"
THUMBNAIL_PX = 150
HALF_PX = 320


@dataclass(frozen=True, slots=True)
class ImageProcessing:
    """Runs the scenario through ``caller``: device and edge mount the disk, the cloud does not."""

    title: ClassVar[str] = "Image processing: photographs on a disk that two machines at home mount"

    caller: Caller
    pictures: PlantedPictures

    async def run(self) -> str:
        """Run every step; return what was found. Raises if an answer is wrong."""
        scan = await self._call("scan_directory", PHOTOS, directory=PHOTOS)
        paths = sorted(str(path) for path in scan["image_paths"])
        hashes = await asyncio.gather(*(self._hash(path) for path in paths))
        alike = await self._call("compare_hashes", f"{len(hashes)} hashes", hashes=list(hashes))
        self._check(alike)
        small = await self._call(
            "batch_resize", f"{len(paths)} thumbnails", image_paths=paths, max_size=THUMBNAIL_PX
        )
        converted = await self._call(
            "resize_image",
            f"{paths[0]} to WebP",
            image_path=paths[0],
            max_size=HALF_PX,
            output_format="WEBP",
        )
        if small["failed"] or not converted["success"]:
            raise SanderlingError(f"pictures were not resized: {small} {converted}")
        return (
            f"{len(paths)} pictures, {len(self.pictures.pairs)} taken twice, as was planted; "
            f"thumbnails at {small['overall_reduction']:.0%} of their bytes."
        )

    async def _hash(self, path: str) -> dict[str, Any]:
        return await self._call("compute_image_hash", path, image_path=path)

    async def _call(self, tool: str, what: str, **arguments: Any) -> dict[str, Any]:
        return await self.caller.call(tool, what, arguments, permitted=HOME)

    def _check(self, alike: dict[str, Any]) -> None:
        found = {
            frozenset(str(path).rpartition("/")[2] for path in group)
            for group in alike["duplicate_groups"]
        }
        if found != {frozenset(pair) for pair in self.pictures.pairs}:
            raise SanderlingError(f"alike were found {found}; planted {self.pictures.pairs}")
