"""Which images are trained on, and in which order: a function of seed and epoch alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from colocalization.cores import usable_cores
from training.datasets import DatasetImage
from training.errors import TrainingError
from training.image_cache import SquashedImages

__all__ = ["batches", "epoch_order", "hold_out"]


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
    """Load batches in a given order; in place of an image that cannot be read comes the next one that can.

    Args:
        images: Where to read from; is told of images that could not be read, and warns of each once.
        order: Indices of each batch.
        workers: Processes that decode, no more than there are cores; 0: this one.

    Yields:
        (N, 3, R, R) uint8.

    Raises:
        TrainingError: No image at all can be read.
    """
    loader: DataLoader[Any] = DataLoader(
        images,
        batch_sampler=[list(batch) for batch in order],
        num_workers=min(workers, usable_cores()),
        pin_memory=torch.cuda.is_available(),
        # Its own generator: an iterator would otherwise advance the global one, and a resumed run start more of them.
        generator=torch.Generator().manual_seed(0),
    )
    for wanted, (pixels, used) in zip(order, loader, strict=True):
        for index, given in zip(wanted, used.tolist(), strict=True):
            if index != given:
                images.check(index)  # a worker found out; this process warns, and its next workers know
        yield pixels
