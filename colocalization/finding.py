"""Finding what hints taught in one image: windows on the grid, a second look at each, its extent."""

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import Box, non_maximum_suppression
from colocalization.exemplar import Exemplar, region_around
from colocalization.extent import Extent, window_extent
from colocalization.fitting import within_region
from colocalization.images import DecodedImage
from colocalization.looks import ImageFeatures, Looker, SecondLooks, check_finite
from colocalization.maps import upsample

__all__ = ["find_exemplar"]

_LEAST_VALUE = 0.25
"""Value of a window, that of an image's best one being 1 typically, below which it is not looked at for an instance. In
a crowd the faintest of many has a third of the best one's; what is none has a low score after its second look."""

_LEAST_SCORE = 0.2
"""Score below which a box that is not the image's best is no instance: without it all boxes of a set of one thing an
image would have a long tail of parts and neighbours."""

_MOST_LOOKS = 48
"""Second looks at an image. In a crowd of more the rest are windows as they were found."""

_OVERLAP = 0.5
"""IoU from which on two boxes are one instance."""


def find_exemplar(
    looker: Looker, image: DecodedImage, features: ImageFeatures, exemplar: Exemplar, known: SecondLooks, most: int
) -> tuple[Extent, float]:
    """Where the object is, and how sure it is that the image shows it.

    Args:
        looker: Looks at tiles and windows.
        image: The image.
        features: The look at all of it.
        exemplar: What hints taught, with its second looks.
        known: Second looks that were taken before.
        most: Most boxes.

    Returns:
        The extent, and the confidence in [0, 1]: that of the best window's region.

    Raises:
        ImageError: What the network gives for a part of the image is not finite.
    """
    if exemplar.region is None or exemplar.prototype is None:
        raise ValueError("the exemplar has no second looks; learn them by `fit_regions`")
    grid = looker.tiles(image.rgb, features, looker.grid(exemplar.tiles))
    windows, values = exemplar.windows(grid, image.width, image.height, most)
    height, width = image.rgb.shape[:2]
    heatmap = upsample(
        exemplar.scan.bounded_map(grid) / np.float32(2), width, height
    )  # what was not looked at again: half
    boxes: list[Box] = []
    confidence = 0.0
    for index, (window, value) in enumerate(zip(windows, values, strict=True)):
        worth = float(min(max(value, 0.0), 1.0))
        if index and value < _LEAST_VALUE:
            break
        if index >= _MOST_LOOKS:
            boxes.append(_window_box(window, width, height, worth / 2))
            continue
        region = region_around(window)
        look = known.get(region) or looker.region(image.rgb, region, features)
        check_finite(look)
        scores = exemplar.region.bounded_map(look.features)
        x0, y0, x1, y1 = (float(corner) for corner in window)
        box, heat = window_extent(image.rgb, (region, scores), within_region((x0, y0, x1, y1), region))
        boxes.append(Box(box.x0, box.y0, box.x1, box.y1, box.score * worth))
        left, top, right, bottom = region.in_pixels(width, height)
        patch = heatmap[top:bottom, left:right]
        np.maximum(patch, upsample(heat, right - left, bottom - top), out=patch)
        if index == 0:
            confidence = exemplar.confidence(look.features, float(value))
    return Extent(tuple(_best(boxes, most)), heatmap), confidence


def _window_box(window: NDArray[np.float64], width: int, height: int, score: float) -> Box:
    x0, y0, x1, y1 = (float(corner) for corner in window)
    return Box(x0 * width, y0 * height, x1 * width, y1 * height, score)


def _best(boxes: list[Box], most: int) -> list[Box]:
    """Best first, each instance once."""
    kept = non_maximum_suppression([box.as_tuple() for box in boxes], [box.score for box in boxes], _OVERLAP)
    return [boxes[index] for rank, index in enumerate(kept[:most]) if rank == 0 or boxes[index].score >= _LEAST_SCORE]
