"""The first directory of a TIFF, read before Pillow: what it would cost, and what Pillow would get wrong.

A directory lists tags, and each tag says how many values it has. Nothing keeps strips from being listed by the million,
so that a small file could cost gigabytes and minutes. (That tags share their bytes, Pillow itself prevents from 13.0
on.) Only the first directory counts, since no other is decoded.
"""

import io
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL import Image, ImagePalette

from colocalization.errors import ImageError
from colocalization.tones import Tones

__all__ = ["MAX_VALUES", "TiffTags", "check_kind", "describe", "mend_opened", "read_tags", "tones_of"]

MAX_VALUES = 2**18
"""Most entries of a directory, and numbers in them, together: an object of Python each, and several for a strip."""

_SIZES = {3: 2, 4: 4, 5: 8, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 18: 8}
"""Bytes of a number of each type; the types left out are bytes and text, which stay that in Python."""

_READ = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 18: "Q"}
_TEXT = 2
_MOST_READ = 64
"""Most values of a tag that are read here; samples, sub-directories and names have fewer."""

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SAMPLES = 254, 256, 257, 258, 259, 262, 271, 277
_MAX_VALUE, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES, _SAMPLE_FORMAT, _MAX_SAMPLE, _SUBSAMPLING = (
    281, 284, 322, 323, 330, 339, 341, 530,
)  # fmt: skip
_STRIPS, _ROWS_PER_STRIP, _TILES = 273, 278, 324
_COLOUR_MAP, _EXTRA_SAMPLES, _NODATA, _DNG = 320, 338, 42113, 50706

_PHOTOMETRICS = {
    0: "grey with white as 0", 1: "grey", 2: "RGB", 3: "palette", 4: "transparency mask", 5: "CMYK", 6: "YCbCr",
    8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "colour filter array", 32844: "LogL", 32845: "LogLuv",
    34892: "linear raw",
}  # fmt: skip
_COMPRESSIONS = {
    1: "no", 2: "CCITT RLE", 3: "CCITT group 3", 4: "CCITT group 4", 5: "LZW", 6: "old-style JPEG", 7: "JPEG",
    8: "deflate", 32773: "PackBits", 32809: "ThunderScan", 32909: "PixarLog", 32946: "deflate", 34661: "JBIG",
    34676: "SGI LogL", 34677: "SGI LogLuv", 34712: "JPEG 2000", 34887: "LERC", 34892: "lossy JPEG of DNG",
    34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_SAMPLE_FORMATS = {1: "unsigned", 2: "signed", 3: "float", 4: "untyped", 5: "complex integer", 6: "complex"}

_MOST_SAMPLES = 6  # of Pillow, which logs more as an error of the program
_DECODED_PHOTOMETRICS = (0, 1, 2, 3, 5, 6)
_RAW_PHOTOMETRICS = (32803, 34892)
_RAW_COMPRESSIONS = (32767, 32769, 32770, 34713, 34892, 65000, 65535)
_MAKERS = (
    "Apple", "Canon", "Casio", "Epson", "Fujifilm", "Google", "GoPro", "Hasselblad", "Kodak", "Leaf", "Leica", "Mamiya",
    "Minolta", "Nikon", "Olympus", "Panasonic", "Pentax", "Phase", "Ricoh", "Samsung", "Sigma", "Sony",
)  # fmt: skip
_MAKER_NAMES = {"phase": "Phase One", "eastman": "Kodak", "om": "Olympus", "seiko": "Epson", "konica": "Minolta"}


@dataclass(frozen=True, slots=True)
class TiffTags:
    """What the first directory says, as far as it matters here.

    Attributes:
        values: The first values of each tag of numbers; a text as one `str`.
        sub_directories: The same of the directories that tag 330 points to.
        has_next: Whether another directory follows.
        counts: How many values each tag of numbers has.
    """

    values: Mapping[int, tuple[int | float | str, ...]]
    sub_directories: tuple[Mapping[int, tuple[int | float | str, ...]], ...]
    has_next: bool
    counts: Mapping[int, int] = field(default_factory=dict)

    def number(self, tag: int, otherwise: int) -> int:
        """The first value of a tag."""
        return _number(self.values, tag, otherwise)

    @property
    def is_planar(self) -> bool:
        """Whether the samples of a pixel lie in planes of their own."""
        return self.number(_SAMPLES, 1) > 1 and self.number(_PLANAR, 1) == 2

    @property
    def tile(self) -> tuple[int, int]:
        """Width and height of a tile, which a decoder holds whole; 0 where the image is not tiled."""
        return self.number(_TILE_WIDTH, 0), self.number(_TILE_HEIGHT, 0)


def read_tags(stream: BinaryIO) -> TiffTags | None:
    """Read the first directory of a TIFF.

    Args:
        stream: The encoded image.

    Returns:
        Its tags; None where the file ends too early for that, which Pillow will find too.

    Raises:
        ImageError: The directory has more values than `MAX_VALUES`, or the file is a BigTIFF that Pillow cannot read.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    header = stream.read(16)
    if header[:4] == b"MM\0+":  # Pillow reads it as a plain one
        raise ImageError("unsupported_format", "a BigTIFF of big-endian byte order is not supported")
    order = "<" if header[:2] == b"II" else ">"
    big = header[2:3] == b"+"
    try:
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), header, 8 if big else 4)
        reader = _Reader(stream, size, order, big)
        values, following = reader.directory(at)
        counts = dict(reader.counts)
        found = []
        for offset in values.get(_SUB_DIRECTORIES, ())[:16]:
            try:
                found.append(reader.directory(int(offset))[0])
            except (struct.error, ValueError):
                continue  # points to nowhere
    except struct.error:
        return None
    return TiffTags(values, tuple(found), following != 0, counts)


@dataclass
class _Reader:
    stream: BinaryIO
    size: int
    order: str
    big: bool
    counted: int = 0
    counts: dict[int, int] = field(default_factory=dict)

    def directory(self, at: int) -> tuple[dict[int, tuple[int | float | str, ...]], int]:
        """The tags of a directory and where the next one lies."""
        count, entry, offset = (
            struct.Struct(self.order + form) for form in (("Q", "HHQ8s", "Q") if self.big else ("H", "HHI4s", "I"))
        )
        if at >= self.size:
            raise struct.error("the directory lies beyond the end")
        self.stream.seek(at)
        (entries,) = count.unpack(self.stream.read(count.size))
        self._count(entries)
        listed = self.stream.read(entries * entry.size)
        following = self.stream.read(offset.size)
        tags = {}
        for tag, kind, number, inline in entry.iter_unpack(listed[: len(listed) // entry.size * entry.size]):
            if number * _SIZES.get(kind, 0) > self.size:  # Pillow leaves out what is longer than the file
                continue
            self._count(number if kind in _SIZES else 0)
            value = self._value(kind, min(number, _MOST_READ), inline)
            if value:
                tags[tag] = value
                self.counts[tag] = number
        # A file may end without the place of the next directory.
        return tags, offset.unpack(following)[0] if len(following) == offset.size else 0

    def _count(self, values: int) -> None:
        self.counted += values
        if self.counted > MAX_VALUES:
            raise ImageError(
                "image_too_large",
                f"at least {self.counted} values in the directory of the TIFF, at most {MAX_VALUES} are allowed",
            )

    def _value(self, kind: int, number: int, inline: bytes) -> tuple[int | float | str, ...]:
        form = f"{self.order}{number}{'s' if kind == _TEXT else _READ.get(kind, '')}"
        if kind != _TEXT and kind not in _READ:
            return ()
        length = struct.calcsize(form)
        if length > len(inline):
            (at,) = struct.unpack(self.order + ("Q" if self.big else "I"), inline)
            if at + length > self.size:
                return ()
            self.stream.seek(at)
            inline = self.stream.read(length)
        found = struct.unpack(form, inline[:length])
        return (found[0].split(b"\0")[0].decode("ascii", "replace").strip(),) if kind == _TEXT else found


def _number(values: Mapping[int, tuple[int | float | str, ...]], tag: int, otherwise: int) -> int:
    found = values.get(tag, ())
    return int(found[0]) if found and not isinstance(found[0], str) and math.isfinite(found[0]) else otherwise


def check_kind(tags: TiffTags) -> None:
    """Refuse what Pillow would decode to something else than the image.

    Raises:
        ImageError: It is camera raw, of which Pillow sees the thumbnail; a thumbnail of another image in the file; or
            of a kind that Pillow would read wrongly.
    """
    raw = _camera_raw(tags)
    if raw is not None:
        raise ImageError(
            "unsupported_format", f"{raw} is not supported: develop it to JPEG, PNG or TIFF; the rest is a thumbnail"
        )
    if tags.number(_SUBFILE, 0) & 1 and tags.has_next:
        raise ImageError("unsupported_format", "the first image of the TIFF is only a thumbnail of another one in it")
    _check_parts(tags)
    bits = _bits(tags)
    uncompressed = tags.number(_COMPRESSION, 1) == 1
    photometric = tags.number(_PHOTOMETRIC, 0)
    wrong = (
        tags.number(_SAMPLES, 1) > _MOST_SAMPLES
        or photometric not in _DECODED_PHOTOMETRICS
        or (uncompressed and tags.is_planar and max(bits) > 8)
        or (tags.is_planar and tags.number(_EXTRA_SAMPLES, 0) == 1)  # premultiplied by opacity, and never divided
        or (uncompressed and photometric == 6 and tuple(tags.values.get(_SUBSAMPLING, (2, 2))) != (1, 1))
    )
    if wrong:
        raise ImageError("unsupported_format", f"a {describe(tags)} is not supported")


def _check_parts(tags: TiffTags) -> None:
    """Refuse a TIFF that lists fewer strips or tiles than it has rows for: Pillow would leave the rest black."""
    width, height = tags.number(_WIDTH, 0), tags.number(_HEIGHT, 0)
    planes = tags.number(_SAMPLES, 1) if tags.is_planar else 1
    across, down = tags.tile
    if _STRIPS in tags.counts:
        listed, across, down = tags.counts[_STRIPS], width, min(tags.number(_ROWS_PER_STRIP, height), height)
    else:
        listed = tags.counts.get(_TILES, 0)
    if width < 1 or height < 1 or across < 1 or down < 1:
        return  # Pillow will say so
    needed = -(-width // across) * -(-height // down) * planes
    if listed < needed:
        raise ImageError("truncated", f"the TIFF has {listed} of the {needed} parts of its image")


def _camera_raw(tags: TiffTags) -> str | None:
    """The name of the format where a TIFF is camera raw: its image is a sub-directory's, or no image yet."""
    every = (tags.values, *tags.sub_directories)
    maker = _maker(tags)
    area = _area(tags.values)
    is_raw = (
        _DNG in tags.values
        or any(_number(values, _PHOTOMETRIC, 0) in _RAW_PHOTOMETRICS for values in every)
        or any(_number(values, _COMPRESSION, 1) in _RAW_COMPRESSIONS for values in every)
        or any(_area(values) > area for values in tags.sub_directories)
        or (_SUB_DIRECTORIES in tags.values and tags.number(_SUBFILE, 0) & 1)
        # Sub-directories that cannot be read, of a camera; other software keeps smaller copies of the image there.
        or (_SUB_DIRECTORIES in tags.values and not tags.sub_directories and maker is not None)
        or (tags.number(_SUBFILE, 0) & 1 and tags.has_next and maker is not None)
    )
    if not is_raw:
        return None
    return "camera raw (Adobe DNG)" if _DNG in tags.values else f"camera raw ({maker})" if maker else "camera raw"


def _maker(tags: TiffTags) -> str | None:
    words = str(tags.values.get(_MAKE, ("",))[0]).split()
    first = words[0].lower() if words else ""
    return _MAKER_NAMES.get(first) or next((name for name in _MAKERS if name.lower() == first), None)


def _area(values: Mapping[int, tuple[int | float | str, ...]]) -> int:
    return _number(values, _WIDTH, 0) * _number(values, _HEIGHT, 0)


def _bits(tags: TiffTags) -> Sequence[int]:
    return [int(value) for value in tags.values.get(_BITS, (1,)) if not isinstance(value, str)] or [1]


def describe(tags: TiffTags) -> str:
    """What kind of TIFF it is, in words.

    Example:
        >>> describe(TiffTags({258: (32, 32, 32), 259: (5,), 262: (2,), 277: (3,), 339: (3, 3, 3)}, (), False))
        'TIFF of RGB (3 samples of 32 bits, float) with LZW compression'
    """
    samples, bits = tags.number(_SAMPLES, 1), _bits(tags)
    photometric, compression = tags.number(_PHOTOMETRIC, 0), tags.number(_COMPRESSION, 1)
    form = tags.number(_SAMPLE_FORMAT, 1)
    details = [
        f"{samples} sample{'s' if samples != 1 else ''} of {'/'.join(str(value) for value in sorted(set(bits)))} bits",
        _SAMPLE_FORMATS.get(form, f"sample format {form}"),
    ]
    if tags.is_planar:
        details.append("each in a plane of its own")
    if photometric == 6:
        details.append(f"subsampled {'x'.join(str(value) for value in tags.values.get(_SUBSAMPLING, (2, 2)))}")
    kind = _PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
    packed = _COMPRESSIONS.get(compression, f"an unknown ({compression})")
    tiled = "tiled " if _TILE_WIDTH in tags.values else ""
    return f"{tiled}TIFF of {kind} ({', '.join(details)}) with {packed} compression"


def mend_opened(image: Image.Image) -> None:
    """Mend what Pillow (13.0) gets wrong of a TIFF that it has just opened.

    - What libtiff decodes is in the machine's byte order; signed integers and floats of a big-endian file would be
      taken apart by that of the file.
    - Palettes of 8 bits, as careless writers leave them, would be black.
    """
    tiles = getattr(image, "tile", [])
    if tiles and tiles[0].codec_name == "libtiff" and tiles[0].args[0] in _NATIVE:
        image.tile = [tiles[0]._replace(args=(_NATIVE[tiles[0].args[0]], *tiles[0].args[1:]))]  # type: ignore[attr-defined]
    if image.mode == "P":
        colours = image.tag_v2[_COLOUR_MAP]  # type: ignore[attr-defined]
        if max(colours) < 256:
            image.palette = ImagePalette.raw("RGB;L", bytes(colours))


_NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}


def tones_of(tags: TiffTags) -> Tones:
    """How the samples of a TIFF are to be understood where Pillow gives them as they are."""
    bits, form = max(_bits(tags)), tags.number(_SAMPLE_FORMAT, 1)
    stated = tags.number(_MAX_SAMPLE, tags.number(_MAX_VALUE, 0))
    return Tones(
        white=2**bits - 1 if 8 < bits < 16 else stated if 255 <= stated < 65535 else None,
        nodata=_nodata(tags),
        # Pillow inverts these itself up to 8 bits.
        is_inverted=tags.number(_PHOTOMETRIC, 1) == 0 and bits > 8,
        is_signed_byte=form == 2 and bits == 8,
        is_unsigned_32=form == 1 and bits == 32,
        signed_bits=bits if form == 2 else 0,
    )


def _nodata(tags: TiffTags) -> float | None:
    """The value that GDAL writes for "no data"; it is text, mostly of one number."""
    found = re.match(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)", str(tags.values.get(_NODATA, ("",))[0]))
    return float(found[0]) if found else None
