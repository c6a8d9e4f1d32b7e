"""What a localization gives back."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import Box
from colocalization.errors import ImageError

__all__ = ["Effort", "ImageResult", "Mode", "SetResult"]

Effort = Literal["full", "fast"]
"""`full`: mode `common` looks at each image twice, the second time at the object's part alone. `fast`: twice only at
those that the common object is estimated from, and only where at least 8 of them show it, so that outlines are learnt
from; for large sets about two thirds of the time and coarser boxes. Mode `attention` always looks once."""

Mode = Literal["attention", "common"]
"""`attention`: each image by its own attention map. `common`: by what the images of the set have in common."""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What was found in one image.

    Attributes:
        width: Width of the original as displayed, in pixels; 0 where the image could not be read.
        height: Height of the original as displayed, in pixels; 0 where the image could not be read.
        boxes: Boxes in pixels of the original, best first; empty where nothing was found.
        confidence: How sure it is that the image shows the common object, in [0, 1]. In mode `attention`, where nothing
            is known of a set, how clearly the map tells its object from the rest (Otsu's criterion, see
            `colocalization.maps.otsu_separability`).
        contains_common_object: Whether the image is taken to show the common object; None in mode `attention`, which
            cannot tell.
        heatmap: (H, W) float32 [0, 1], rows from the top, at the working size of the image; None where the image
            could not be read.
        error: Why the image could not be read or localized, or None.
    """

    width: int
    height: int
    boxes: tuple[Box, ...]
    confidence: float
    contains_common_object: bool | None
    heatmap: NDArray[np.float32] | None
    error: ImageError | None = None

    @classmethod
    def failed(cls, error: ImageError) -> "ImageResult":
        """The result of an image that could not be read or localized."""
        return cls(0, 0, (), 0.0, False, None, error)


@dataclass(frozen=True, slots=True)
class SetResult:
    """What was found in a set of images.

    Attributes:
        mode: The mode that was used; `attention` where `common` was asked for a single readable image, or for
            images without any foreground.
        images: One result for each image, in the order given.
    """

    mode: Mode
    images: tuple[ImageResult, ...]
