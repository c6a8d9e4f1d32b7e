"""What a peer sees of an image, and what it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import connected_components
from colocalization.maps import upsample
from training.datasets import BoxTuple

__all__ = ["Finder", "Found", "Observation", "Peer", "cut_box"]


@dataclass(frozen=True, slots=True)
class Observation:
    """An image as a peer sees it.

    Attributes:
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
        features: (C, h, w) float32, the last block's linear output, which `Localizer` uses too.
        head: (h, w) float32, mean over the channels of the feature map that the classifier would see, after its ReLU.
    """

    width: int
    height: int
    features: NDArray[np.float32]
    head: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """What a peer found in an image.

    Attributes:
        box: Half-open `x0, y0, x1, y1` in pixels of the image, or None.
        heatmap: (h, w) map over the whole image, of any range, or None where the method has none.
        cut: Value of the map above which the object is; None where the method cuts otherwise.
    """

    box: BoxTuple | None
    heatmap: NDArray[np.float32] | None
    cut: float | None = None


Finder = Callable[[Observation], Found]


class Peer(Protocol):
    """A method: looks at a set once, then at each image."""

    def fit(self, observations: Sequence[Observation]) -> Finder:
        """Look at the whole set; no box is shown.

        Args:
            observations: The set, at least one image; may read each anew from the disk.
        """


def cut_box(heatmap: NDArray[np.float32], threshold: float, width: int, height: int) -> BoxTuple | None:
    """Box of the largest 8-connected component above a threshold.

    Args:
        heatmap: (h, w) float32 map of any range; upsampled to the image bilinearly.
        threshold: In units of the map.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.

    Returns:
        Half-open box in pixels of the image, or None where nothing is above the threshold.
    """
    boxes = connected_components(upsample(heatmap, width, height) > threshold).boxes
    if not len(boxes):
        return None
    x0, y0, x1, y1 = (float(value) for value in boxes[0])
    return x0, y0, x1, y1
