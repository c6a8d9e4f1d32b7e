"""Images decoded once, squashed to one size; what cannot be read is left out with a warning, whenever it turns up."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from colocalization.errors import ImageError
from training.datasets import DatasetImage
from training.errors import TrainingError

__all__ = ["SquashedImages", "squash"]

_logger = logging.getLogger(__name__)


def squash(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize an image to a square, bicubic and antialiased, the aspect ratio not kept.

    Args:
        rgb: (H, W, 3) uint8.
        side: Side R of the result, in pixels.

    Returns:
        (3, R, R) uint8.
    """
    resized = Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


class SquashedImages(Dataset[tuple[Tensor, int]]):
    """Images of one size, (3, R, R) uint8 each, kept in memory as far as there is room.

    Attributes:
        images: The images, whether or not they can be read.
        side: Side R, in pixels.
    """

    def __init__(self, images: Sequence[DatasetImage], side: int, cache_mb: int = 0) -> None:
        self.images = tuple(images)
        self.side = side
        self._room = cache_mb * 2**20 // (3 * side * side)
        self._cache: dict[str, Tensor] = {}
        self._bad: set[str] = set()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """An image, or the next one that can be read.

        Returns:
            The pixels, and the index of the image that they are of.

        Raises:
            TrainingError: None can be read.
        """
        for used in (*range(index, len(self)), *range(index)):
            pixels = self.read(used)
            if pixels is not None:
                return pixels, used
        raise TrainingError(f"none of the {len(self)} images can be read any more")

    def read(self, index: int) -> Tensor | None:
        """An image, (3, R, R) uint8, or None where it cannot be read; a warning names it, once."""
        image = self.images[index]
        if image.name in self._cache:
            return self._cache[image.name]
        if image.name in self._bad:
            return None
        try:
            pixels = torch.from_numpy(squash(image.load().rgb, self.side))
        except ImageError as error:
            self.leave_out(image, error.message)
            return None
        if len(self._cache) < self._room:
            self._cache[image.name] = pixels
        return pixels

    def check(self, index: int) -> None:
        """Find out, and warn, whether an image cannot be read."""
        if self.images[index].name not in self._bad:
            self.read(index)

    def leave_out(self, image: DatasetImage, reason: str) -> None:
        """Warn that an image is left out, and do without it from now on."""
        if image.name not in self._bad:
            self._bad.add(image.name)
            _logger.warning("warning: %s is left out: %s", image.path, reason)

    def part(self, images: Sequence[DatasetImage]) -> "SquashedImages":
        """Some of the images, in the same memory."""
        part = SquashedImages(images, self.side)
        part._room, part._cache, part._bad = self._room, self._cache, self._bad
        return part

    @property
    def fits_cache(self) -> bool:
        """Whether all images have room in memory."""
        return len(self.images) <= self._room

    def readable(self, threads: int, decoded: Callable[[int, int], None]) -> tuple[DatasetImage, ...]:
        """Read all images, filling the memory; those that can be read.

        Args:
            threads: How many are decoded at the same time, at least 1.
            decoded: Is told how many of how many are done.
        """
        kept = []
        with ThreadPoolExecutor(threads) as pool:
            for index, pixels in enumerate(pool.map(self.read, range(len(self)))):
                if pixels is not None:
                    kept.append(self.images[index])
                decoded(index + 1, len(self))
        return tuple(kept)

    def together(self) -> Tensor:
        """All images that can be read, (N, 3, R, R) uint8."""
        found = [pixels for index in range(len(self)) if (pixels := self.read(index)) is not None]
        return torch.stack(found) if found else torch.empty(0, 3, self.side, self.side, dtype=torch.uint8)
