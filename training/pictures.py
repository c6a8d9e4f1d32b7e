"""From files to batches: pictures decoded once, squashed to one size, in an order that seed and epoch alone decide."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from colocalization.errors import ImageError
from training.datasets import Picture
from training.errors import TrainingError

__all__ = ["SquashedPictures", "batches", "epoch_order", "hold_out", "squash"]


def squash(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize a picture to a square, bicubic and antialiased, the aspect ratio not kept.

    Args:
        rgb: (H, W, 3) uint8.
        side: Side R of the result, in pixels.

    Returns:
        (3, R, R) uint8.
    """
    resized = Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


class SquashedPictures(Dataset[Tensor]):
    """Pictures of one size, (3, R, R) uint8 each, kept in memory as far as there is room."""

    def __init__(self, pictures: Sequence[Picture], side: int, cache_mb: int = 0) -> None:
        self.pictures = tuple(pictures)
        self.side = side
        self._room = cache_mb * 2**20 // (3 * side * side)
        self._cache: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        """Read one picture.

        Raises:
            TrainingError: It cannot be decoded.
        """
        picture = self.pictures[index]
        if picture.name in self._cache:
            return self._cache[picture.name]
        try:
            rgb = picture.load().rgb
        except ImageError as error:
            raise TrainingError(f"cannot train on {picture.path}: {error.message}; mend or remove it") from error
        pixels = torch.from_numpy(squash(rgb, self.side))
        if len(self._cache) < self._room:
            self._cache[picture.name] = pixels
        return pixels

    def part(self, pictures: Sequence[Picture]) -> "SquashedPictures":
        """Some of the pictures, in the same memory."""
        part = SquashedPictures(pictures, self.side)
        part._room, part._cache = self._room, self._cache
        return part

    @property
    def fits_cache(self) -> bool:
        """Whether all pictures have room in memory."""
        return len(self.pictures) <= self._room

    def unreadable(self) -> list[tuple[Picture, str]]:
        """Read all pictures, filling the cache; those that fail, with the reason."""
        failed = []
        for index, picture in enumerate(self.pictures):
            try:
                self[index]
            except TrainingError as error:
                failed.append((picture, error.message))
        return failed


def hold_out(pictures: Sequence[Picture], share: float, seed: int) -> tuple[list[Picture], list[Picture]]:
    """Divide training pictures into those to train on and those that choose the epoch.

    Args:
        pictures: All training pictures.
        share: Share to hold out, in [0, 0.9]; at least 2 pictures where it is above 0 and there are enough.
        seed: Seed of the choice.

    Returns:
        Pictures to train on and pictures held out, both in their order.

    Raises:
        TrainingError: No picture is left to train on.
    """
    count = max(2, round(share * len(pictures))) if share > 0 else 0
    if len(pictures) - count < 1:
        raise TrainingError(f"{len(pictures)} training pictures are too few with {count} held out")
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed)).tolist()
    held = set(order[:count])
    return (
        [picture for index, picture in enumerate(pictures) if index not in held],
        [picture for index, picture in enumerate(pictures) if index in held],
    )


def epoch_order(count: int, batch_size: int, epoch: int, seed: int) -> list[list[int]]:
    """Batches of indices of one epoch: a permutation, the incomplete last batch left out.

    Args:
        count: Number of pictures.
        batch_size: Pictures a batch, at most `count`.
        epoch: Epoch, from 0.
        seed: Seed of the run.

    Returns:
        `count // batch_size` batches; the same for the same arguments, in every process.
    """
    generator = torch.Generator().manual_seed(seed + 1_000_003 * (epoch + 1))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return [order[start : start + batch_size] for start in range(0, count - batch_size + 1, batch_size)]


def batches(pictures: SquashedPictures, order: Sequence[Sequence[int]], workers: int) -> Iterator[Tensor]:
    """Load batches in a given order.

    Args:
        pictures: Where to read from.
        order: Indices of each batch.
        workers: Processes that decode; 0: this one.

    Yields:
        (N, 3, R, R) uint8.
    """
    loader: DataLoader[Tensor] = DataLoader(
        pictures,
        batch_sampler=[list(batch) for batch in order],
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        # Its own generator: an iterator would otherwise advance the global one, and a resumed run start more of them.
        generator=torch.Generator().manual_seed(0),
    )
    yield from loader
