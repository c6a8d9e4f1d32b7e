"""A set through the network, once a size, for all methods."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from colocalization.localizer import ImageFeatures, Localizer, PreparedImage
from training.datasets import Picture
from training.experiments.network import Head, ResizedNetwork
from training.experiments.peers.base import Observation
from training.experiments.store import ArrayStore

__all__ = ["ObservedSet", "Observations", "observe", "prepare"]


def prepare(localizer: Localizer, picture: Picture) -> PreparedImage:
    """Decode a picture of a data set as `Localizer.prepare` does, less its banner.

    Raises:
        ImageError: The picture cannot be read.
    """
    image = picture.load(localizer.limits)
    return PreparedImage(image, localizer.engine.metadata.transform()(image.rgb))


@dataclass
class _Level:
    """The outputs at one input size."""

    features: ArrayStore
    head: ArrayStore


class Observations(Sequence[Observation]):
    """A set at one input size, read from the disk picture by picture."""

    def __init__(
        self,
        sizes: Sequence[tuple[int, int]],
        features: Sequence[NDArray[np.float32]],
        head: Sequence[NDArray[np.float32]],
    ) -> None:
        self._sizes, self._features, self._head = sizes, features, head

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        """Read one picture's outputs, or several pictures'."""
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        width, height = self._sizes[index]
        return Observation(width, height, self._features[index], self._head[index])


class ObservedSet:
    """The network's outputs of a set, on the disk until the context is left.

    Attributes:
        pictures: The pictures.
        sizes: Width and height of each, in pixels.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = tuple(pictures)
        self.sizes: list[tuple[int, int]] = []
        self._stack = ExitStack()
        self._levels: dict[int, _Level] = {}
        self._attention = self._stack.enter_context(ArrayStore())
        self._own_size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def at(self, size: int) -> Observations:
        """The set at an input size."""
        level = self._levels[size]
        return Observations(self.sizes, level.features, level.head)

    def of(self, index: int) -> ImageFeatures:
        """One picture as `Localizer.run` gave it."""
        return ImageFeatures(self._attention[index], self._levels[self._own_size].features[index])

    def _add(self, size: int, features: NDArray[np.float32], head: Head) -> None:
        if size not in self._levels:
            enter = self._stack.enter_context
            self._levels[size] = _Level(enter(ArrayStore()), enter(ArrayStore()))
        self._levels[size].features.append(features)
        self._levels[size].head.append(head.mean(features))


def observe(
    localizer: Localizer, resized: Mapping[int, ResizedNetwork], head: Head, pictures: Sequence[Picture]
) -> ObservedSet:
    """Take a set through the network, each picture once a size.

    Args:
        localizer: Runs the model at its own size.
        resized: The same network at further sizes.
        head: The head that the model leaves out.
        pictures: The pictures.

    Returns:
        The outputs; to be used as a context, at whose end they are deleted.

    Raises:
        ImageError: A picture cannot be read.
    """
    observed = ObservedSet(pictures)
    try:
        observed._own_size = localizer.engine.metadata.input_size
        for picture in pictures:
            prepared = prepare(localizer, picture)
            observed.sizes.append((prepared.image.width, prepared.image.height))
            (own,) = localizer.run([prepared])
            observed._attention.append(own.attention)
            observed._add(observed._own_size, own.features, head)
            for size, network in resized.items():
                observed._add(size, network(prepared.image.rgb), head)
    except BaseException:
        observed._stack.close()
        raise
    return observed
