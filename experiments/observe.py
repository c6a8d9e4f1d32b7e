"""A set through the network, once a size, for all methods."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from colocalization.images import DecodedImage
from colocalization.localizer import ImageFeatures, Localizer
from experiments.network import Head, ResizedNetwork
from experiments.peers.base import Observation
from experiments.store import ArrayStore
from training.datasets import DatasetImage
from training.teaching import prepare_image as prepare

__all__ = ["Observations", "ObservedSet", "observe", "prepare"]


class Observations(Sequence[Observation]):
    """A set at one input size, read from the disk image by image."""

    def __init__(
        self,
        sizes: Sequence[tuple[int, int]],
        features: Sequence[NDArray[np.float32]],
        head: Sequence[NDArray[np.float32]] | None,
    ) -> None:
        self._sizes, self._features, self._head = sizes, features, head

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        """Read one image's outputs, or several images'."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        width, height = self._sizes[index]
        head = np.zeros((0, 0), np.float32) if self._head is None else self._head[index]
        return Observation(width, height, self._features[index], head)


class ObservedSet:
    """The network's outputs of a set, on the disk until the context is left.

    Attributes:
        images: The images.
        sizes: Width and height of each, in pixels.
    """

    def __init__(self, images: Sequence[DatasetImage], own_size: int) -> None:
        self.images = tuple(images)
        self.sizes: list[tuple[int, int]] = []
        self._own_size = own_size
        self._stack = ExitStack()
        self._attention = self._stack.enter_context(ArrayStore())
        self._foreground: ArrayStore | None = None
        self._features: dict[int, ArrayStore] = {}
        self._head: dict[int, ArrayStore] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def at(self, size: int) -> Observations:
        """The set at an input size, as peers see it."""
        return Observations(self.sizes, self._features[size], self._head.get(size))

    def of(self, index: int) -> ImageFeatures:
        """One image as `Localizer.run` gave it."""
        foreground = None if self._foreground is None else self._foreground[index]
        return ImageFeatures(self._attention[index], self._features[self._own_size][index], foreground)

    def add(
        self,
        image: DecodedImage,
        own: ImageFeatures,
        features: Mapping[int, NDArray[np.float32]],
        head: Head | None,
    ) -> None:
        """Add the next image's outputs.

        Args:
            image: The image.
            own: What the model gave at its own size.
            features: (C, h, w) float32 by input size, its own among them.
            head: The head that the model leaves out; None where no peer needs it.
        """
        self.sizes.append((image.width, image.height))
        self._attention.append(own.attention)
        if own.foreground is not None:
            if self._foreground is None:
                self._foreground = self._stack.enter_context(ArrayStore())
            self._foreground.append(own.foreground)
        for size, array in features.items():
            self._store(self._features, size).append(array)
            if head is not None:
                self._store(self._head, size).append(head.mean(array))

    def _store(self, stores: dict[int, ArrayStore], size: int) -> ArrayStore:
        if size not in stores:
            stores[size] = self._stack.enter_context(ArrayStore())
        return stores[size]


def observe(
    localizer: Localizer, resized: Mapping[int, ResizedNetwork], head: Head | None, images: Sequence[DatasetImage]
) -> ObservedSet:
    """Take a set through the network, each image once a size.

    Args:
        localizer: Runs the model at its own size.
        resized: The same network at further sizes.
        head: The head that the model leaves out; None where no peer needs it.
        images: The images.

    Returns:
        The outputs; to be used as a context, at whose end they are deleted.

    Raises:
        ImageError: An image cannot be read.
    """
    own_size = localizer.engine.metadata.input_size
    observed = ObservedSet(images, own_size)
    with ExitStack() as undo:
        undo.push(observed)
        for image in images:
            prepared = prepare(localizer, image)
            (own,) = localizer.run([prepared])
            features = {size: network(prepared.image.rgb) for size, network in resized.items()}
            observed.add(prepared.image, own, {own_size: own.features, **features}, head)
        undo.pop_all()
    return observed
