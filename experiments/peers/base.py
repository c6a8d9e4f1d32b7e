"""What a peer sees of an image, and what it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import connected_components
from colocalization.maps import upsample
from training.datasets import BoxTuple

__all__ = ["Finder", "Found", "Observation", "Peer", "component_box", "cut_box"]


@dataclass(frozen=True, slots=True)
class Observation:
    """An image as a peer sees it.

    Attributes:
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
        features: (C, h, w) float32, the last block's linear output, which `Localizer` uses too.
        head: (h, w) float32, mean over the channels of the feature map that the classifier would see, after its ReLU;
            empty where no peer needs it.
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


def component_box(mask: NDArray[np.bool_], seed: int, width: int, height: int) -> BoxTuple | None:
    """Box of the 4-connected component of a mask that a cell belongs to, along the cells' borders.

    Args:
        mask: (h, w), the object's cells.
        seed: Index of the cell in the flat grid.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.

    Returns:
        Half-open box in pixels of the image, or None where the cell is not on the mask.
    """
    if not mask.flat[seed]:
        return None
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    rows, columns = np.nonzero(labels == labels.flat[seed])
    down, across = height / mask.shape[0], width / mask.shape[1]
    return (
        float(columns.min() * across), float(rows.min() * down),
        float((columns.max() + 1) * across), float((rows.max() + 1) * down),
    )  # fmt: skip
