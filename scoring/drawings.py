"""Images drawn of the images: heat maps, overlays, and the tiles that contact sheets are made of."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colocalization.files import write_atomically
from colocalization.heatmaps import colorize, encode_png, overlay
from colocalization.images import DecodedImage
from colocalization.results import ImageResult
from scoring.contact_sheet import TILE_SIDE

__all__ = ["Drawing", "DrawingKind", "draw"]

DrawingKind = Literal["heatmap", "overlay", "tile"]

_JPEG_QUALITY = 90


class Drawing(NamedTuple):
    """Something to draw of an image.

    Attributes:
        kind: What.
        path: The file; a string, since a large set has many.
    """

    kind: DrawingKind
    path: str


def draw(drawings: Sequence[Drawing], image: DecodedImage, result: ImageResult) -> tuple[DrawingKind, ...]:
    """Draw one image.

    Returns:
        What was drawn; nothing where the result has no heat map.

    Raises:
        OSError: A file cannot be written.
    """
    if result.heatmap is None or not drawings:
        return ()
    laid_over = None
    if any(kind != "heatmap" for kind, _ in drawings):
        laid_over = overlay(image.rgb, result.heatmap, result.boxes, frame=image.frame)
    for kind, path in drawings:
        if kind == "heatmap":
            content = encode_png(colorize(result.heatmap))
        elif laid_over is not None:
            content = _encode_jpeg(laid_over) if kind == "overlay" else encode_png(_tile(laid_over))
        write_atomically(Path(path), content, durable=False)
    return tuple(kind for kind, _ in drawings)


def _tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.thumbnail((TILE_SIDE, TILE_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(image)


def _encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
