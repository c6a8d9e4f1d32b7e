"""Colour of 16 bits a sample, of which Pillow keeps the high byte: nothing of 10- or 12-bit data would be left.

The same decoder, told that the bytes come in the other order, gives the low byte.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from colocalization.tones import TRANSPARENT_SHOWS, Tones, row_blocks, white_of

__all__ = ["low_byte_tiles", "needs_low_bytes", "with_low_bytes"]

_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_SWAPPED = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA", "RGBX")
    for order, other in _OTHER_ORDER.items()
}
_GREY = "RGBA"
_SWAPPED["LA;16B"] = _GREY  # Pillow makes RGBA of it, and has no other order: all four bytes as they are
_LEAST_HIGH_BYTE = 64
"""From this high byte on, no sample is of 14 bits or fewer, and the high byte is the 8-bit value."""


def low_byte_tiles(image: Image.Image, *, is_planar: bool) -> list[Any] | None:
    """How Pillow would have to decode an opened image for the low bytes.

    Args:
        image: The image, opened and not loaded.
        is_planar: Whether its samples lie in planes of their own.

    Returns:
        Its tiles; none where Pillow cannot: in planes it always takes the high byte, and colour that is premultiplied
        by opacity it divides by that; None where the image has no 16-bit colour.
    """
    found = []
    for tile in getattr(image, "tile", ()):
        mode = tile.args if isinstance(tile.args, str) else tile.args[0] if tile.args else None
        if str(mode).startswith("RGBa;16") or (is_planar and mode in _SWAPPED):
            return []
        if mode not in _SWAPPED:
            return None
        found.append(
            tile._replace(args=_SWAPPED[mode] if isinstance(tile.args, str) else (_SWAPPED[mode], *tile.args[1:]))
        )
    return found or None


def needs_low_bytes(image: Image.Image) -> bool:
    """Whether the high bytes of a loaded image with 16-bit colour are not all there is to see."""
    pixels = np.asarray(image)
    # Where opacity uses the low bits alone, premultiplied colour was divided by next to nothing.
    is_faint = pixels.shape[2] == 4 and 0 < pixels[..., 3].max() < _LEAST_HIGH_BYTE
    return bool(pixels[..., :3].max() < _LEAST_HIGH_BYTE or is_faint or "transparency" in image.info)


def with_low_bytes(image: Image.Image, low: ImageFile.ImageFile, tiles: list[Any], tones: Tones) -> Image.Image:
    """The image in 8 bits, scaled by its significant bits.

    Args:
        image: The loaded image, of which every sample is a high byte.
        low: The same, opened anew.
        tiles: As `low_byte_tiles` gave them.
        tones: How its samples are to be understood.

    Returns:
        An image of the same mode, in which transparent colour is mid-grey.
    """
    low.tile = tiles
    low.load()
    high, lower = np.asarray(image), np.asarray(low)
    is_grey = tiles[0].args == _GREY
    samples = _sixteen_bits(high[..., :3], np.repeat(lower[..., 1:2], 3, axis=2) if is_grey else lower[..., :3])
    opacity = _sixteen_bits(high[..., 3:], lower[..., 3 : high.shape[2]])
    white = white_of(float(samples.max()), tones)
    pixels = high.copy()
    opaque = white_of(float(opacity.max(initial=0)), Tones())
    for rows in row_blocks(high):  # no copy of a large image in floating point
        pixels[rows, :, :3] = np.round(samples[rows] * (255.0 / white))
        pixels[rows, :, 3:] = np.round(opacity[rows] * (255.0 / opaque))
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple) and image.mode == "RGB":
        pixels[(samples == np.array(transparent)).all(axis=2)] = TRANSPARENT_SHOWS
    return Image.fromarray(pixels)


def _sixteen_bits(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return np.asarray(high.astype(np.uint16) << 8 | low, dtype=np.uint16)
