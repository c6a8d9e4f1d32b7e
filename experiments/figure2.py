"""Experiment `figure2`: heat maps with the ground truth in red and the prediction in green, as the paper's Figure 2."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from colocalization.common_object import sample_indices
from colocalization.heatmaps import overlay
from colocalization.localizer import Localizer
from colocalization.results import ImageResult
from experiments.observe import observe
from experiments.ours import OURS, OwnMethod
from training.datasets import BoxTuple, DatasetImage

__all__ = ["contact_sheet"]

_TRUTH, _PREDICTED = (220, 30, 30), (30, 220, 60)
_COLUMNS = 5
_GAP = 4


def contact_sheet(
    localizer: Localizer,
    images: Sequence[DatasetImage],
    *,
    count: int = 10,
    side: int = 200,
    method: OwnMethod = OURS["ours, common"],
) -> NDArray[np.uint8]:
    """Localize a set and draw some of its images.

    Args:
        localizer: The model.
        images: The set, with boxes.
        count: How many images to draw, spread evenly over the set.
        side: Width and height of a tile, in pixels; images keep their aspect ratio within it.
        method: The mode to draw.

    Returns:
        (H, W, 3) uint8, tiles in rows of five on white.

    Raises:
        ImageError: An image cannot be read.
    """
    with observe(localizer, {}, None, images) as observed:
        finish = method.fit(localizer, observed)
        chosen = [int(index) for index in sample_indices(len(images), count)]
        tiles = [_tile(images[index], finish(index), localizer, side) for index in chosen]
    rows = -(-len(tiles) // _COLUMNS)
    columns = min(_COLUMNS, len(tiles))
    sheet = Image.new("RGB", (columns * (side + _GAP) - _GAP, rows * (side + _GAP) - _GAP), (255, 255, 255))
    for place, tile in enumerate(tiles):
        x, y = place % _COLUMNS * (side + _GAP), place // _COLUMNS * (side + _GAP)
        sheet.paste(tile, (x + (side - tile.width) // 2, y + (side - tile.height) // 2))
    return np.asarray(sheet)


def _tile(image: DatasetImage, result: ImageResult, localizer: Localizer, side: int) -> Image.Image:
    rgb = image.load(localizer.limits).rgb
    tile = Image.fromarray(overlay(rgb, result.heatmap))
    tile.thumbnail((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(tile)
    across, down = tile.width / result.width, tile.height / result.height
    predicted = [result.boxes[0].as_tuple()] if result.boxes else []
    boxes: list[tuple[BoxTuple, tuple[int, int, int]]] = [(box, _TRUTH) for box in image.boxes]
    boxes += [(box, _PREDICTED) for box in predicted]
    for (x0, y0, x1, y1), colour in boxes:
        corners = (x0 * across, y0 * down, max(x0 * across, x1 * across - 1), max(y0 * down, y1 * down - 1))
        draw.rectangle(corners, outline=colour, width=2)
    return tile
