"""From encoded bytes to pixels, within limits.

The size in the header is checked before a pixel is decoded, so that a small file cannot claim gigabytes. What Pillow
cannot open, or opens but cannot decode, becomes an `ImageError` with a code.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from colocalization.deep_colour import low_byte_tiles, needs_low_bytes, with_low_bytes
from colocalization.errors import ImageError, ImageErrorCode, ImageWarning
from colocalization.image_formats import DECODED_FORMATS, HEAD_BYTES, format_of
from colocalization.image_limits import ImageLimits
from colocalization.jpeg import LEAST_ROWS, closed_jpeg, decoded_rows
from colocalization.pillow_setup import MAX_PNG_TEXT_BYTES, harden_pillow, silence_libtiff
from colocalization.png import png_tones, png_without_damage
from colocalization.tiff import TiffTags, check_kind, describe, mend_opened, read_tags, tones_of
from colocalization.tones import Tones, to_rgb
from colocalization.transform import Frame

__all__ = ["MAX_PNG_TEXT_BYTES", "DecodedImage", "ImageLimits", "ImageSource", "decode", "from_array", "harden_pillow"]

ImageSource = bytes | str | Path | BinaryIO | Image.Image | NDArray[Any]
"""Encoded bytes, the path of a file, a binary stream that can seek, a PIL image, or an array of pixels."""

_EXIF_ORIENTATION = 0x0112

# The classes themselves, not `Image.open`: that would check Pillow's own limit of pixels, which only the whole process
# can change.
_OPEN: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}

_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged data; warnings count where the program around has turned them into errors."""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """One upright image.

    Attributes:
        rgb: Pixels at the working size, (H, W, 3) uint8 [0, 255], y down, EXIF orientation applied.
        width: Width of the original as displayed (after EXIF orientation), in pixels.
        height: Height of the original as displayed, in pixels.
        warning: What is wrong with it all the same, or None.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int
    warning: ImageWarning | None = None

    @property
    def frame(self) -> Frame:
        """How the working size lies over the original: `frame.to_image` gives boxes in pixels of the original."""
        return Frame.over(self.width, self.height, columns=self.rgb.shape[1], rows=self.rgb.shape[0])

    def is_blank(self) -> bool:
        """Whether the image is of one colour all over."""
        if not np.array_equal(self.rgb[0, 0], self.rgb[-1, -1]):  # spares most images the rest
            return False
        values = self.rgb.reshape(-1)
        return np.array_equal(values[3:], values[:-3])  # every pixel is as the one before it


def decode(source: ImageSource, limits: ImageLimits | None = None) -> DecodedImage:
    """Decode the first frame of an image to upright 8-bit RGB.

    JPEG is decoded at the smallest scale that still covers the working size (`draft`). Deeper samples are reduced to 8
    bits (`colocalization.tones`), palettes and CMYK converted, transparent pixels laid over mid-grey. Colour profiles
    are ignored. A JPEG that ends early is decoded as far as it goes, where at least `LEAST_ROWS` of it are there; the
    rest is grey, and `warning` says so. So it does where something beside the pixels of a PNG is damaged.

    Args:
        source: Encoded bytes, the path of a file, a binary stream that can seek, a PIL image (its present frame), or
            an array: (H, W, 3) uint8 RGB, (H, W, 4) uint8 RGBA or (H, W) uint8 grey, [0, 255].
        limits: What the image may cost; the defaults of `ImageLimits` if left out.

    Returns:
        The image at its working size, with the size of the original.

    Raises:
        ImageError: The image is missing, over a limit, of another format, truncated or damaged.
        ValueError: An array has another shape or type, or no pixels.

    Example:
        >>> decode(np.full((2, 3, 3), 7, np.uint8)).rgb.shape
        (2, 3, 3)
    """
    limits = limits or ImageLimits()
    if isinstance(source, np.ndarray):
        source = from_array(source)
    if isinstance(source, Image.Image):
        opened = source
        return _guarded(lambda: _decode_opened(opened, limits, Tones()))
    if isinstance(source, str):
        source = Path(source)
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                return decode(file, limits)
        except FileNotFoundError as error:
            raise ImageError("not_found", f"there is no file {source.name!r}") from error
        except OSError as error:
            raise ImageError("not_readable", f"cannot read {source.name!r}: {error.strerror}") from error
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    limits.check_bytes(stream.seek(0, io.SEEK_END))
    stream.seek(0)
    kind = _format(stream)
    try:
        return _guarded(lambda: _decode_stream(stream, kind, limits))
    except ImageError as error:
        if error.__cause__ is None or kind not in ("JPEG", "PNG"):  # refused, not damaged
            raise
        repaired = _decode_damaged(stream, kind, limits)
        if repaired is None:
            raise
        return repaired


def _guarded(decoding: Callable[[], DecodedImage]) -> DecodedImage:
    """Decode, with one kind of error for all that damage can raise."""
    try:
        return decoding()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("image_too_large", f"Pillow, in this process, refuses it: {error}") from error
    except MemoryError as error:
        raise ImageError("image_too_large", "not enough memory to decode the image") from error
    except _DAMAGE as error:  # none may end the set
        code: ImageErrorCode = "truncated" if "truncated" in str(error).lower() else "undecodable"
        raise ImageError(code, f"the image is damaged: {error}") from error


def from_array(pixels: NDArray[Any]) -> Image.Image:
    """An (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey array of uint8 as a PIL image.

    Raises:
        ValueError: It is none of these.
    """
    is_image = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not is_image or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise ValueError(
            "expected an (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey array of uint8 with at least one pixel, "
            f"got shape {pixels.shape} of {pixels.dtype}"
        )
    return Image.fromarray(np.ascontiguousarray(pixels))


def _format(stream: BinaryIO) -> str:
    kind = format_of(stream.read(HEAD_BYTES))
    stream.seek(0)
    if kind not in DECODED_FORMATS:
        found = "" if kind is None else f", but {kind}"
        allowed = ", ".join(DECODED_FORMATS)
        raise ImageError("unsupported_format", f"not an image in an allowed format ({allowed}){found}")
    return kind


def _decode_stream(stream: BinaryIO, kind: str, limits: ImageLimits, *, is_closed: bool = False) -> DecodedImage:
    tags, tones = None, Tones()
    if kind == "TIFF":
        silence_libtiff()
        tags = read_tags(stream)
        if tags is not None:
            limits.check_pixels(*tags.tile)
            check_kind(tags)
            tones = tones_of(tags)
    elif kind == "PNG":
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        tones = png_tones(head if head[24:25] == b"\x08" else stream.read())  # 8 bits need nothing else
    elif kind == "WEBP":  # Pillow reserves memory for the canvas while it opens the file
        limits.check_pixels(*_webp_canvas(stream))
    stream.seek(0)
    try:
        image = _OPEN[kind](stream)
    except (SyntaxError, LookupError) as error:
        if tags is None:
            raise
        raise ImageError("unsupported_format", f"a {describe(tags)} is not supported") from error
    with image:

        def second() -> ImageFile.ImageFile:
            if tags is not None and tags.is_planar:  # Pillow's decoder of planes always gives the high byte
                raise ImageError(
                    "unsupported_format", f"a {describe(tags)}, of which the lower are used, is not supported"
                )
            stream.seek(0)
            return _OPEN[kind](stream)

        if kind != "TIFF":
            return _decode_opened(image, limits, tones, second=second, is_closed=is_closed)
        mend_opened(image)
        return _decode_tiff(image, limits, tones, tags, second)


def _decode_tiff(
    image: Image.Image,
    limits: ImageLimits,
    tones: Tones,
    tags: TiffTags | None,
    second: Callable[[], ImageFile.ImageFile],
) -> DecodedImage:
    try:
        return _decode_opened(image, limits, tones, second=second, is_planar=tags is not None and tags.is_planar)
    except OSError as error:
        # libtiff cannot say whether the data or the codec fails; those that every build has are not in doubt.
        if tags is None or image.info.get("compression") in _USUAL_COMPRESSIONS:
            raise
        raise ImageError("unsupported_format", f"a {describe(tags)} is not supported, or damaged") from error


_USUAL_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg")


def _webp_canvas(stream: BinaryIO) -> tuple[int, int]:
    """Width and height of a WebP's canvas from its header; 0 where it does not say, which Pillow will find damaged."""
    head = stream.read(30)
    kind = head[12:16]
    if kind == b"VP8X" and len(head) == 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(head) == 30:
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return 0, 0


def _decode_damaged(stream: BinaryIO, kind: str, limits: ImageLimits) -> DecodedImage | None:
    """Decode what is left of a file that could not be decoded, with a warning; None where nothing helps.

    Raises:
        ImageError: Too little is left of a JPEG.
    """
    stream.seek(0)
    content = stream.read()
    if kind == "JPEG":
        try:
            return _guarded(lambda: _decode_stream(io.BytesIO(closed_jpeg(content)), kind, limits, is_closed=True))
        except ImageError as error:
            if error.__cause__ is None:
                raise
            return None
    whole, left_out = png_without_damage(content)
    if not left_out:
        return None
    try:
        found = _guarded(lambda: _decode_stream(io.BytesIO(whole), kind, limits))
    except ImageError:
        return None
    names = ", ".join(sorted(set(left_out)))
    message = f"something in the chunks of the PNG beside its pixels ({names}) is damaged; they were left out"
    return replace(found, warning=ImageWarning("damaged_metadata", message))


def _decode_opened(
    image: Image.Image,
    limits: ImageLimits,
    tones: Tones,
    *,
    second: Callable[[], ImageFile.ImageFile] | None = None,
    is_closed: bool = False,
    is_planar: bool = False,
) -> DecodedImage:
    """From an image that was opened to its working size.

    Args:
        image: The image.
        limits: What it may cost.
        tones: How its samples are to be understood.
        second: Opens the image once more; left out for an image that is the caller's and must not be changed.
        is_closed: Whether it is a JPEG that ended early (`closed_jpeg`).
        is_planar: Whether it is a TIFF whose samples lie in planes of their own.
    """
    width, height = image.size
    limits.check_pixels(width, height)
    if second is not None:
        _draft(image, limits.working_side)
    tiles = None if second is None else low_byte_tiles(image, is_planar=is_planar)
    image.load()
    if image.format == "TIFF":  # Pillow turns TIFF upright by itself, some versions before, some while loading
        width, height = image.size
    elif _orientation(image) >= 5:  # the four orientations that swap the axes
        width, height = height, width
    warning = _check_rows(image) if is_closed else None
    pixels = image
    if second is not None and tiles is not None and needs_low_bytes(image):
        if not tiles:
            raise ImageError(
                "unsupported_format",
                "a TIFF of 16-bit RGB of which only the lower bits are used, premultiplied or in planes of their own, "
                "is not supported",
            )
        with second() as low:
            pixels = with_low_bytes(image, low, tiles, tones)
    rgb, flat = to_rgb(_reduced(pixels, 2 * limits.working_side), tones)
    if second is None and rgb is image:
        rgb = image.copy()
    rgb.thumbnail((limits.working_side, limits.working_side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    rgb = _upright(rgb, image)
    return DecodedImage(np.asarray(rgb, dtype=np.uint8), width, height, warning or flat)


def _check_rows(image: Image.Image) -> ImageWarning:
    share = decoded_rows(np.asarray(image)) / image.height
    if share < LEAST_ROWS:
        raise ImageError(
            "truncated", f"the file ends early: {share:.0%} of its rows are there, at least {LEAST_ROWS:.0%} are needed"
        )
    rest = "the last of them in part" if share == 1 else "the rest is grey"
    return ImageWarning("truncated", f"the file ends early: {share:.0%} of its rows are there, {rest}")


def _draft(image: Image.Image, side: int) -> None:
    """Have a JPEG decoded at the smallest of its scales whose long side still reaches a size.

    The scale is taken in the frequencies, where nothing aliases: a camera's image takes half the time.
    """
    shrink = max(image.size) // side
    if shrink > 1:
        # Pillow takes the largest scale of 1/2, 1/4 and 1/8 that gives at least this size.
        image.draft("RGB", (max(1, image.width // shrink), max(1, image.height // shrink)))


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except _DAMAGE:
        return 1  # a damaged EXIF block says nothing about the pixels, which may be fine
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(rgb: Image.Image, original: Image.Image) -> Image.Image:
    transposition = _TRANSPOSITIONS.get(_orientation(original))
    return rgb if transposition is None else rgb.transpose(transposition)


_REDUCIBLE = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Modes whose samples can be averaged as they are; deeper ones only once "no data" is told from the rest."""


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """Average blocks of pixels of a large image, so that what follows never copies it at its full size."""
    factor = max(image.size) // side
    return image.reduce(factor) if factor > 1 and image.mode in _REDUCIBLE else image
