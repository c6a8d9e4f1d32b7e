"""From the samples of a decoded image, of whatever depth, to 8-bit RGB."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colocalization.errors import ImageWarning

__all__ = ["TRANSPARENT_SHOWS", "Tones", "row_blocks", "to_rgb", "white_of"]

TRANSPARENT_SHOWS = (128, 128, 128)
"""What lies behind transparent pixels: mid-grey, the network's zero, so that it is no content of its own."""

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of the cameras, scanners and microscopes that write 16-bit files."""

_LEAST_LEVELS = 16
"""Where a single extreme value leaves the other pixels fewer grey levels than these, it stands for "no data"."""

_MOST_EXTREMES = 8
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Tones:
    """How samples are to be understood where the decoder gives them as they are.

    Attributes:
        white: The value of white that the file states for 16-bit samples, where they keep to it.
        nodata: The value of pixels that count for nothing.
        is_inverted: White is the lowest value.
        is_signed_byte: Bytes are signed.
        is_unsigned_32: 32-bit integers are unsigned.
        signed_bits: Bits of signed integers, or 0.
        transparent: The grey value of transparent pixels, in the samples' own units.
    """

    white: int | None = None
    nodata: float | None = None
    is_inverted: bool = False
    is_signed_byte: bool = False
    is_unsigned_32: bool = False
    signed_bits: int = 0
    transparent: int | None = None


def to_rgb(image: Image.Image, tones: Tones) -> tuple[Image.Image, ImageWarning | None]:
    """Convert a loaded image of any of Pillow's modes to 8-bit RGB.

    Grey of 16 bits keeps its range: 0 is black, and white is 65535 or the most that its significant bits hold
    (`white_of`). Float and 32-bit files state no range, so theirs is what they contain; NaN, infinities and "no data"
    (`_range`) do not count. Transparent pixels are laid over mid-grey.

    Args:
        image: The image, loaded.
        tones: How its samples are to be understood.

    Returns:
        The image in mode RGB, the same object where nothing was to be done, and a warning where it is left flat.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F") or tones.is_signed_byte:
        return _deep_to_rgb(image, tones)
    if tones.transparent is not None:
        return _grey_with_transparent(np.asarray(image.convert("L")), tones.transparent), None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = _premultiplied(image).convert("RGBA")
        behind = Image.new("RGBA", rgba.size, (*TRANSPARENT_SHOWS, 255))
        return Image.alpha_composite(behind, rgba).convert("RGB"), None
    return (image if image.mode == "RGB" else image.convert("RGB")), None


def _premultiplied(image: Image.Image) -> Image.Image:
    return image.convert("LA") if image.mode == "La" else image


def _grey_with_transparent(grey: NDArray[np.uint8], transparent: int) -> Image.Image:
    return Image.fromarray(np.where(grey == transparent, np.uint8(TRANSPARENT_SHOWS[0]), grey)).convert("RGB")


def _deep_to_rgb(image: Image.Image, tones: Tones) -> tuple[Image.Image, ImageWarning | None]:
    values = np.asarray(image)
    if tones.is_signed_byte:
        values = values.view(np.int8)
    elif tones.is_unsigned_32 and values.dtype == np.int32:
        values = values.view(np.uint32)
    low, high = _range(values, tones)
    if not high > low:
        count = "no pixel has a value" if high < low else f"every pixel that counts has the value {low:g}"
        return Image.new("RGB", image.size), ImageWarning("flat", f"the image has no contrast: {count}")
    grey = np.empty(values.shape, dtype=np.uint8)
    scale = 255.0 / (high - low)
    for rows in row_blocks(values):
        block = _as_float(values[rows])
        if tones.nodata is not None:
            block[block == _of_type(tones.nodata, values.dtype)] = np.nan
        block = np.nan_to_num(block, nan=high if tones.is_inverted else low, posinf=high, neginf=low)
        grey[rows] = np.round((np.clip(block, low, high) - low) * scale)
    if tones.is_inverted:
        grey = 255 - grey
    if tones.transparent is not None:
        grey[values == tones.transparent] = TRANSPARENT_SHOWS[0]
    return Image.fromarray(grey).convert("RGB"), None


def _range(values: NDArray[np.generic], tones: Tones) -> tuple[float, float]:
    """The values of black and white; white below black where no pixel counts.

    Without a value for "no data", single extreme values that would leave the others less than `_LEAST_LEVELS` levels
    do not count either, in files that state no range: the rims of maps (-9999, -3.4e38) and hot pixels.
    """
    ignored = [] if tones.nodata is None else [_of_type(tones.nodata, values.dtype)]
    low, high = _extremes(values, ignored)
    if high <= low:
        return low, high
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return 0.0, float(white_of(high, tones))
    for _ in range(_MOST_EXTREMES):
        for extreme in (low, high):
            inner = _extremes(values, [*ignored, extreme])
            if 0 < inner[1] - inner[0] < (high - low) * _LEAST_LEVELS / 256:
                ignored.append(extreme)
                low, high = inner
                break
        else:
            break
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        return 0.0, float(white_of(high, tones))
    return low, high


def white_of(highest: float, tones: Tones) -> int:
    """The value of white for integers of at most 16 bits.

    What the file states, where no sample is above it. Else the most that the significant bits hold, which are the
    fewest of 8, 10, 12, 14 and 16 that hold the highest sample: cameras, microscopes and scanners write 10 to 14 bits
    into 16. An image that reaches into the upper three quarters of 16 bits keeps the whole range.

    Example:
        >>> [white_of(highest, Tones()) for highest in (200, 1000, 4095, 4096, 16384, 65535)]
        [255, 1023, 4095, 16383, 65535, 65535]
        >>> white_of(900, Tones(white=4095)), white_of(5000, Tones(white=4095)), white_of(20000, Tones(signed_bits=16))
        (4095, 16383, 32767)
    """
    if tones.white is not None and highest <= tones.white:
        return tones.white
    depth = next(bits for bits in _DEPTHS if highest < 2**bits)
    return 32767 if depth == 16 and tones.signed_bits == 16 else 2**depth - 1


def _extremes(values: NDArray[np.generic], ignored: list[float]) -> tuple[float, float]:
    """The lowest and highest finite value besides those ignored; infinity and minus infinity where there is none."""
    low, high = np.inf, -np.inf
    for rows in row_blocks(values):
        block = _as_float(values[rows])
        counts = np.isfinite(block)
        for value in ignored:
            counts &= block != value
        if counts.any():
            low = min(low, float(block.min(initial=np.inf, where=counts)))
            high = max(high, float(block.max(initial=-np.inf, where=counts)))
    return low, high


def _as_float(values: NDArray[np.generic]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # a signalling NaN says so when it is converted
        return values.astype(np.float64)


def _of_type(value: float, dtype: np.dtype[np.generic]) -> float:
    """A value as the type holds it, which in single precision is another number."""
    with np.errstate(over="ignore"):
        return float(np.float32(value)) if dtype == np.float32 else value


def row_blocks(values: NDArray[np.generic]) -> Iterator[slice]:
    """Rows of about a million pixels, so that no copy in double precision is made of a large image."""
    step = max(1, _BLOCK // values.shape[1])
    return (slice(start, start + step) for start in range(0, values.shape[0], step))
