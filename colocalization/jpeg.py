"""JPEG files that end early: closed, so that a decoder takes what is there, and how many rows that is."""

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_ROWS", "closed_jpeg", "decoded_rows"]

LEAST_ROWS = 0.7
"""Least share of a JPEG's rows that must be there. Measured on 60 photographs of five sets (birds, cats, horses, cars,
elephants), each cut at nine places: the box keeps a mean IoU of 0.92 with that of the whole image at 90 % of the rows,
0.83 at 80 %, 0.73 at 70 % and 0.56 at 60 %, where the flag of every fifth image changes too."""

_END_OF_IMAGE = b"\xff\xd9"
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
"""A marker, also among entropy-coded data, where 0xFF is followed by zero or a restart."""

_WITHOUT_LENGTH = (0x01, 0xD8, 0xD9)


def closed_jpeg(content: bytes) -> bytes:
    """A JPEG that ends early, closed so that a decoder takes what is there and leaves the rest grey.

    Args:
        content: The file, which may end anywhere.
    """
    at = 0
    while (found := _MARKER.search(content, at)) is not None:
        at = found.end()
        if content[at - 1] in _WITHOUT_LENGTH:
            continue
        at += int.from_bytes(content[at : at + 2], "big")
        if at > len(content) or len(content) - found.end() < 2:
            # The segment goes on beyond the end and would swallow the mark.
            return content[: found.start()] + _END_OF_IMAGE
    return content + _END_OF_IMAGE


def decoded_rows(pixels: NDArray[np.uint8]) -> int:
    """How many rows of a closed JPEG came from its data: all above the grey that the decoder leaves at the end.

    Args:
        pixels: (H, W) or (H, W, C) uint8, as decoded.
    """
    # 128 is what no data gives; where an inverted CMYK was turned round, 127.
    rows = pixels.reshape(len(pixels), -1)
    decoded = np.flatnonzero((rows.min(axis=1) < 127) | (rows.max(axis=1) > 128))
    return int(decoded[-1]) + 1 if decoded.size else 0
