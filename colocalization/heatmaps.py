"""Heat maps for people: a perceptual colour map, overlays with boxes, PNG."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from colocalization.boxes import Box
from colocalization.transform import Frame

__all__ = ["BOX_COLOURS", "colorize", "encode_png", "overlay"]

BOX_COLOURS = ((255, 255, 255), (0, 0, 0))
"""Colours of a box's line and of its outline: one of the two is seen on any image."""

# Lightness rises evenly: readable in grey and by the colour-blind.
_TABLE = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_INFERNO).reshape(256, 3)[:, ::-1]


def colorize(heatmap: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour a heat map with the perceptual colour map "inferno" (Smith and van der Walt).

    Args:
        heatmap: (H, W) float32 [0, 1]; values outside are clipped.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> colorize(np.array([[0.0, 1.0]], np.float32)).tolist()
        [[[0, 0, 4], [252, 255, 164]]]
    """
    return np.asarray(_TABLE[np.round(np.clip(heatmap, 0, 1) * 255).astype(np.uint8)])


def overlay(
    rgb: NDArray[np.uint8],
    heatmap: NDArray[np.float32] | None,
    boxes: Sequence[Box] = (),
    *,
    frame: Frame | None = None,
    opacity: float = 0.55,
) -> NDArray[np.uint8]:
    """Lay a heat map over an image and draw boxes; the hotter a place, the more of its colour is laid on.

    Args:
        rgb: (H, W, 3) uint8, the image.
        heatmap: (H, W) float32 [0, 1], or None for boxes alone.
        boxes: Boxes to draw, best first; the best one has the thicker line.
        frame: How `rgb` lies over the image whose pixels the boxes are in; left out where it is that image.
        opacity: Share of the colour map where the heat map is 1, in [0, 1].

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: The heat map has another size than the image.
    """
    if heatmap is None:
        blended = rgb
    else:
        if heatmap.shape != rgb.shape[:2]:
            raise ValueError(f"heat map is {heatmap.shape}, the image {rgb.shape[:2]}; both must have one size")
        alpha = (opacity * np.clip(heatmap, 0, 1))[..., None]
        blended = np.round(rgb * (1 - alpha) + colorize(heatmap) * alpha).astype(np.uint8)
    image = Image.fromarray(blended)
    draw = ImageDraw.Draw(image)
    unit = max(1, round(max(image.size) / 320))
    for rank, box in reversed(list(enumerate(boxes if frame is None else map(frame.from_image, boxes)))):
        x1, y1 = box.x1 - 1, box.y1 - 1
        x0, y0 = min(box.x0, x1), min(box.y0, y1)
        line = 2 * unit if rank == 0 else unit
        draw.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=BOX_COLOURS[1], width=line + 2 * max(1, unit // 2))
        inset = max(1, unit // 2)
        if x1 - x0 > 2 * inset and y1 - y0 > 2 * inset:
            inner = (x0 + inset, y0 + inset, x1 - inset, y1 - inset)
            draw.rectangle(inner, outline=BOX_COLOURS[0], width=line)
    return np.asarray(image)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode an image as PNG.

    Args:
        pixels: (H, W, 3) uint8 RGB or (H, W) uint8 grey.
    """
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=4)
    return stream.getvalue()
