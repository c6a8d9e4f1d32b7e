"""From encoded bytes to pixels, within limits.

The size in the header is checked before a pixel is decoded, so that a small file cannot claim gigabytes. What Pillow
cannot open, or opens but cannot decode, becomes an `ImageError` with a code.
"""

import io
import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from colocalization.errors import ImageError, ImageErrorCode
from colocalization.image_formats import DECODED_FORMATS
from colocalization.tiff import check_directories

__all__ = ["MAX_PNG_TEXT_BYTES", "DecodedImage", "ImageLimits", "decode", "harden_pillow"]

MAX_PNG_TEXT_BYTES = 4 * 2**20
"""Most bytes of a PNG's texts once decompressed, where `harden_pillow` was called; Pillow by itself allows 64 MiB."""

_TRANSPARENT_SHOWS = (128, 128, 128)
"""What lies behind transparent pixels: mid-grey, the network's zero, so that it is no content of its own."""

_EXIF_ORIENTATION = 0x0112

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
class ImageLimits:
    """What one image may cost.

    Attributes:
        max_bytes: Largest encoded size, in bytes.
        max_pixels: Largest width times height in the header, in pixels.
        max_frames: Most frames or pages; only the first is ever decoded.
        working_side: Images are reduced to this long side, in pixels, right after decoding. Boxes are still given
            in pixels of the original; heat maps and overlays have the working size.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64_000_000
    max_frames: int = 1_000
    working_side: int = 1024

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_frames", "working_side"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """One upright image.

    Attributes:
        rgb: Pixels at the working size, (H, W, 3) uint8 [0, 255], y down, EXIF orientation applied.
        width: Width of the original as displayed (after EXIF orientation), in pixels.
        height: Height of the original as displayed, in pixels.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int

    def is_blank(self) -> bool:
        """Whether the image is of one colour all over."""
        if not np.array_equal(self.rgb[0, 0], self.rgb[-1, -1]):  # spares most images the rest
            return False
        values = self.rgb.reshape(-1)
        return np.array_equal(values[3:], values[:-3])  # every pixel is as the one before it


def harden_pillow() -> None:
    """Make Pillow fit for images from strangers, in the whole process: for programs to call once, not for libraries.

    Filters of warnings belong to the process; setting them around each decoding would not be safe among threads.

    - Sizes that are most likely an attack are an error of their image, where Pillow only warns.
    - What else Pillow warns of, such as damaged EXIF data, it can live with, and so can we. None of it is printed: one
      file could bring a hundred thousand warnings, each of which Python would print and remember.
    - Texts in a PNG, which nobody reads here, may not be decompressed without end.
    """
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    PngImagePlugin.MAX_TEXT_MEMORY = MAX_PNG_TEXT_BYTES


def decode(source: bytes | str | Path | BinaryIO, limits: ImageLimits | None = None) -> DecodedImage:
    """Decode the first frame of an image to upright 8-bit RGB.

    JPEG is decoded at the smallest scale that still covers the working size (`draft`). 16-bit and float grey are
    reduced to 8 bits, palettes and CMYK converted, transparent pixels laid over mid-grey. Colour profiles are ignored.

    Args:
        source: Encoded bytes, the path of a file, or a binary stream that can seek.
        limits: What the image may cost; the defaults of `ImageLimits` if left out.

    Returns:
        The image at its working size, with the size of the original.

    Raises:
        ImageError: The image is missing, over a limit, of another format, truncated or damaged.
    """
    limits = limits or ImageLimits()
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
    _check_bytes(stream, limits)
    check_directories(stream, limits.max_frames)
    stream.seek(0)
    try:
        with Image.open(stream, formats=DECODED_FORMATS) as image:
            return _decode_opened(image, limits)
    except UnidentifiedImageError as error:
        allowed = ", ".join(DECODED_FORMATS)
        raise ImageError("unsupported_format", f"not an image in an allowed format ({allowed})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("image_too_large", _bomb_message(error, limits)) from error
    except MemoryError as error:
        raise ImageError("image_too_large", "not enough memory to decode the image") from error
    except _DAMAGE as error:  # none may end the set
        code: ImageErrorCode = "truncated" if "truncated" in str(error).lower() else "undecodable"
        raise ImageError(code, f"the image is damaged: {error}") from error


def _check_bytes(stream: BinaryIO, limits: ImageLimits) -> None:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if size == 0:
        raise ImageError("empty_file", "the file has 0 bytes")
    if size > limits.max_bytes:
        raise ImageError("file_too_large", f"{size} bytes, at most {limits.max_bytes} are allowed")


def _bomb_message(error: Exception, limits: ImageLimits) -> str:
    """Pillow has a limit of its own, which it checks while it reads the header; its message alone knows the size."""
    allowed = min(limits.max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or limits.max_pixels))
    found = re.search(r"\((\d+) pixels\)", str(error))
    return f"{found[1] if found else 'too many'} pixels, at most {allowed} are allowed"


def _decode_opened(image: Image.Image, limits: ImageLimits) -> DecodedImage:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageError(
            "image_too_large",
            f"{width} x {height} = {width * height} pixels, at most {limits.max_pixels} are allowed",
        )
    frames = getattr(image, "n_frames", 1)
    if frames > limits.max_frames:
        raise ImageError("too_many_frames", f"{frames} frames, at most {limits.max_frames} are allowed")
    image.seek(0)
    _draft(image, limits.working_side)
    image.load()
    if image.format == "TIFF":  # Pillow turns TIFF upright by itself, some versions before, some while loading
        width, height = image.size
    elif _orientation(image) >= 5:  # the four orientations that swap the axes
        width, height = height, width
    rgb = _to_rgb(_reduced(image, 2 * limits.working_side))
    rgb.thumbnail((limits.working_side, limits.working_side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    rgb = _upright(rgb, image)
    return DecodedImage(np.asarray(rgb, dtype=np.uint8), width, height)


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


_16_TO_8_BIT = np.round(np.arange(65536) / 257).astype(np.uint8)

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


_REDUCIBLE = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F")


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """Average blocks of pixels of a large image, so that what follows never copies it at its full size."""
    factor = max(image.size) // side
    return image.reduce(factor) if factor > 1 and image.mode in _REDUCIBLE else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray(_16_TO_8_BIT[np.asarray(image)]).convert("RGB")
    if image.mode in ("I", "F"):
        return _high_depth_to_rgb(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        behind = Image.new("RGBA", rgba.size, (*_TRANSPARENT_SHOWS, 255))
        return Image.alpha_composite(behind, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _high_depth_to_rgb(image: Image.Image) -> Image.Image:
    with np.errstate(invalid="ignore"):  # a signalling NaN says so when it is converted
        values = np.asarray(image, dtype=np.float64)
    finite = values[np.isfinite(values)]
    # Values of a 16-bit file keep its range; float and 32-bit files state none, so theirs is what they contain.
    is_16_bit = image.mode == "I" and values.min() >= 0 and values.max() <= 65535
    low, high = (0.0, 65535.0) if is_16_bit else (finite.min(initial=np.inf), finite.max(initial=-np.inf))
    if not high > low:
        return Image.new("RGB", image.size)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    grey = np.round((values - low) * (255.0 / (high - low))).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
