"""What the directories of a TIFF would cost: counted before Pillow reads them.

A directory lists tags, and each tag says how many values it has. Nothing keeps strips from being listed by the million,
or hundreds of directories from lying inside each other, so that a small file could cost gigabytes and minutes. (That
tags share their bytes, Pillow itself prevents from 13.0 on.)
"""

import io
import struct
from typing import BinaryIO

from colocalization.errors import ImageError, ImageErrorCode

__all__ = ["MAX_VALUES", "check_directories"]

MAX_VALUES = 2**18
"""Most entries of all directories, and numbers in them, together: an object of Python each, and several for a strip."""

_HEADERS = (b"MM\0*", b"II*\0", b"MM*\0", b"II\0*", b"MM\0+", b"II+\0")  # what Pillow takes for TIFF

_SIZES = {3: 2, 4: 4, 5: 8, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a number of each type; the types left out are bytes and text, which stay that in Python."""


def check_directories(stream: BinaryIO, max_frames: int) -> None:
    """Refuse a TIFF whose directories would cost too much; anything else passes, damage too, which Pillow finds.

    Args:
        stream: The encoded image.
        max_frames: Most directories, which are frames or pages.

    Raises:
        ImageError: There are too many directories or values.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    header = stream.read(16)
    if header[:4] not in _HEADERS:
        return
    order = "<" if header[:2] == b"II" else ">"
    big = header[2] == 43  # as Pillow sees it, which takes a BigTIFF of the other byte order for a plain one
    count, entry, offset = (
        struct.Struct(order + form) for form in (("Q", "HHQ8x", "Q") if big else ("H", "HHI4x", "I"))
    )
    seen: set[int] = set()
    values = 0
    try:
        (at,) = offset.unpack_from(header, 8 if big else 4)
        while at and at < size and at not in seen:
            seen.add(at)
            _check("frames", len(seen), max_frames, "too_many_frames")
            stream.seek(at)
            (entries,) = count.unpack(stream.read(count.size))
            values += entries
            _check("values in its directories", values, MAX_VALUES, "image_too_large")
            listed = stream.read(entries * entry.size)
            for _, kind, number in entry.iter_unpack(listed[: len(listed) // entry.size * entry.size]):
                if number * _SIZES.get(kind, 0) <= size:  # Pillow leaves out what is longer than the file
                    values += number if kind in _SIZES else 0
            _check("values in its directories", values, MAX_VALUES, "image_too_large")
            (at,) = offset.unpack(stream.read(offset.size))
    except struct.error:
        return  # the file ends early


def _check(what: str, found: int, allowed: int, code: ImageErrorCode) -> None:
    if found > allowed:
        raise ImageError(code, f"at least {found} {what}, at most {allowed} are allowed")
