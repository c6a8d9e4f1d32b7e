"""From files to batches: images decoded once, squashed to one size, in an order that seed and epoch alone decide."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from colocalization.errors import ImageError
from training.datasets import DatasetImage
from training.errors import TrainingError

__all__ = ["SquashedImages", "batches", "epoch_order", "hold_out", "squash"]


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


class SquashedImages(Dataset[Tensor]):
    """Images of one size, (3, R, R) uint8 each, kept in memory as far as there is room."""

    def __init__(self, images: Sequence[DatasetImage], side: int, cache_mb: int = 0) -> None:
        self.images = tuple(images)
        self.side = side
        self._room = cache_mb * 2**20 // (3 * side * side)
        self._cache: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        """Read one image.

        Raises:
            TrainingError: It cannot be decoded.
        """
        image = self.images[index]
        if image.name in self._cache:
            return self._cache[image.name]
        try:
            rgb = image.load().rgb
        except ImageError as error:
            raise TrainingError(f"cannot train on {image.path}: {error.message}; mend or remove it") from error
        pixels = torch.from_numpy(squash(rgb, self.side))
        if len(self._cache) < self._room:
            self._cache[image.name] = pixels
        return pixels

    def part(self, images: Sequence[DatasetImage]) -> "SquashedImages":
        """Some of the images, in the same memory."""
        part = SquashedImages(images, self.side)
        part._room, part._cache = self._room, self._cache
        return part

    @property
    def fits_cache(self) -> bool:
        """Whether all images have room in memory."""
        return len(self.images) <= self._room

    def unreadable(self) -> list[tuple[DatasetImage, str]]:
        """Read all images, filling the cache; those that fail, with the reason."""
        failed = []
        for index, image in enumerate(self.images):
            try:
                self[index]
            except TrainingError as error:
                failed.append((image, error.message))
        return failed


def hold_out(images: Sequence[DatasetImage], share: float, seed: int) -> tuple[list[DatasetImage], list[DatasetImage]]:
    """Divide training images into those to train on and those that choose the epoch.

    Args:
        images: All training images.
        share: Share to hold out, in [0, 0.9]; at least 2 images where it is above 0 and there are enough.
        seed: Seed of the choice.

    Returns:
        Images to train on and images held out, both in their order.

    Raises:
        TrainingError: No image is left to train on.
    """
    count = max(2, round(share * len(images))) if share > 0 else 0
    if len(images) - count < 1:
        raise TrainingError(f"{len(images)} training images are too few with {count} held out")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed)).tolist()
    held = set(order[:count])
    return (
        [image for index, image in enumerate(images) if index not in held],
        [image for index, image in enumerate(images) if index in held],
    )


def epoch_order(count: int, batch_size: int, epoch: int, seed: int) -> list[list[int]]:
    """Batches of indices of one epoch: a permutation, the incomplete last batch left out.

    Args:
        count: Number of images.
        batch_size: Images a batch, at most `count`.
        epoch: Epoch, from 0.
        seed: Seed of the run.

    Returns:
        `count // batch_size` batches; the same for the same arguments, in every process.
    """
    generator = torch.Generator().manual_seed(seed + 1_000_003 * (epoch + 1))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return [order[start : start + batch_size] for start in range(0, count - batch_size + 1, batch_size)]


def batches(images: SquashedImages, order: Sequence[Sequence[int]], workers: int) -> Iterator[Tensor]:
    """Load batches in a given order.

    Args:
        images: Where to read from.
        order: Indices of each batch.
        workers: Processes that decode; 0: this one.

    Yields:
        (N, 3, R, R) uint8.
    """
    loader: DataLoader[Tensor] = DataLoader(
        images,
        batch_sampler=[list(batch) for batch in order],
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        # Its own generator: an iterator would otherwise advance the global one, and a resumed run start more of them.
        generator=torch.Generator().manual_seed(0),
    )
    yield from loader
