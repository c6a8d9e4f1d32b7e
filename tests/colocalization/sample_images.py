"""Encoded images for the tests of the core."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Bytes of an image."""
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An array as PNG."""
    return encoded(Image.fromarray(pixels))


def blank(width: int, height: int, colour: int = 0) -> NDArray[np.uint8]:
    """(height, width, 3) of one grey."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


def square(width: int, height: int, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.uint8]:
    """A white box on black."""
    pixels = blank(width, height)
    pixels[y0:y1, x0:x1] = 255
    return pixels


def corners(width: int = 48, height: int = 32) -> NDArray[np.uint8]:
    """Four quarters: red and green above, blue and white below."""
    pixels = blank(width, height)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def corner_colours(rgb: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """Colours of the four corners, row by row, each channel rounded to 0 or 255."""
    found = rgb[[1, 1, -2, -2], [1, -2, 1, -2]]
    return [tuple(255 * int(value > 127) for value in colour) for colour in found]  # type: ignore[misc]


def png_header(width: int, height: int, *, data: bytes = b"") -> bytes:
    """A PNG that claims a size; no more pixels than `data` are in it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def tiff(*directories: list[tuple[int, int, int, int]], tail: bytes = b"") -> bytes:
    """A TIFF of 8 x 8 black pixels in each directory, with more entries (tag, type, count, value) as given."""
    base = [
        *[(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)],
        *[(277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64)],
    ]
    content = b"II*\0" + struct.pack("<I", 8 + 64) + bytes(64)
    for index, more in enumerate(directories):
        entries = sorted([entry for entry in base if entry[0] not in {tag for tag, *_ in more}] + more)
        end = len(content) + 2 + 12 * len(entries) + 4
        content += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        content += struct.pack("<I", end if index + 1 < len(directories) else 0)
    return content + tail
