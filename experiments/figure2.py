"""Experiment `figure2`: heat maps with the ground truth in red and the prediction in green, as the paper's Figure 2."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from colocalization.common_object import sample_indices
from colocalization.heatmaps import overlay
from colocalization.localizer import Localizer
from colocalization.results import ImageResult
from experiments.observe import observe
from experiments.ours import OURS, OwnMethod
from scoring.contact_sheet import TILE_SIDE, Tile, contact_sheet
from training.datasets import BoxTuple, DatasetImage

__all__ = ["draw_figure", "with_boxes"]

_TRUTH, _PREDICTED = (220, 30, 30), (30, 220, 60)
_COLUMNS = 4
"""As in the paper's figure."""


def draw_figure(
    localizer: Localizer,
    images: Sequence[DatasetImage],
    *,
    count: int = 8,
    method: OwnMethod = OURS["ours, common"],
) -> Image.Image:
    """Localize a set and draw some of its images.

    Args:
        localizer: The model.
        images: The set, with boxes.
        count: How many images to draw, spread evenly over the set.
        method: The mode to draw.

    Returns:
        A contact sheet, RGB.

    Raises:
        ImageError: An image cannot be read.
    """
    with observe(localizer, {}, None, images) as observed, tempfile.TemporaryDirectory() as folder:
        finish = method.fit(localizer, observed)
        tiles = []
        for index in sample_indices(len(images), count):
            image = images[int(index)]
            path = Path(folder) / f"{index}.png"
            _draw(image, finish(int(index)), localizer).save(path)
            tiles.append(Tile(image.name, path))
        return contact_sheet(tiles, _COLUMNS)


def _draw(image: DatasetImage, result: ImageResult, localizer: Localizer) -> Image.Image:
    rgb = image.load(localizer.limits).rgb
    predicted = [result.boxes[0].as_tuple()] if result.boxes else []
    return with_boxes(rgb, result.heatmap, (result.width, result.height), image.boxes, predicted)


def with_boxes(
    rgb: NDArray[np.uint8],
    heatmap: NDArray[np.float32] | None,
    size: tuple[int, int],
    truth: Sequence[BoxTuple] = (),
    predicted: Sequence[BoxTuple] = (),
) -> Image.Image:
    """An image as a tile of a sheet: its heat map, the ground truth in red, what was found in green.

    Args:
        rgb: (H, W, 3) uint8, the image at its working size.
        heatmap: (H, W) float32 [0, 1], or None.
        size: Width and height of the original, in whose pixels the boxes are.
        truth: The ground truth.
        predicted: What was found.
    """
    drawn = Image.fromarray(overlay(rgb, heatmap))
    drawn.thumbnail((TILE_SIDE, TILE_SIDE), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(drawn)
    across, down = drawn.width / size[0], drawn.height / size[1]
    boxes: list[tuple[BoxTuple, tuple[int, int, int]]] = [(box, _TRUTH) for box in truth]
    boxes += [(box, _PREDICTED) for box in predicted]
    for (x0, y0, x1, y1), colour in boxes:
        corners = (x0 * across, y0 * down, max(x0 * across, x1 * across - 1), max(y0 * down, y1 * down - 1))
        draw.rectangle(corners, outline=colour, width=2)
    return drawn
