"""What a PNG holds beside its pixels: how its samples are to be understood, and what of it can be damaged."""

import struct
import zlib
from collections.abc import Iterator

from colocalization.tones import Tones

__all__ = ["png_chunks", "png_tones", "png_without_damage"]

_KEPT_CHUNKS = (b"eXIf", b"sBIT", b"tRNS")
"""What is kept beside pixels and palette, where its checksum is right: nothing else changes what is decoded."""


def png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Name, data and whether the checksum is right of each chunk of a PNG, up to the first that is cut off."""
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if at + 12 + length > len(content):
            return
        name, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, at + 8 + length)
        yield name, data, checksum == zlib.crc32(data, zlib.crc32(name))
        at += 12 + length


def png_without_damage(content: bytes) -> tuple[bytes, list[str]]:
    """A PNG without what can be damaged beside its pixels, as libpng leaves out chunks with a wrong checksum.

    Args:
        content: The file.

    Returns:
        The file with pixels, palette, and of the rest only what changes what is decoded and is whole; and the names of
        the chunks that were left out.
    """
    kept, left_out = [content[:8]], []
    for name, data, is_whole in png_chunks(content):
        if name[:1].isupper() or (name in _KEPT_CHUNKS and is_whole):
            checksum = zlib.crc32(data, zlib.crc32(name)) ^ (0 if is_whole else 1)  # damage to pixels stays
            kept.append(struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum))
        else:
            left_out.append(name.decode("latin-1"))
    return b"".join(kept), left_out


def png_tones(content: bytes) -> Tones:
    """What a PNG says beside its samples: their significant bits, and the grey that is transparent.

    Args:
        content: The file, at least up to its pixels.
    """
    depth, colour = (content[24], content[25]) if len(content) > 25 else (8, 0)
    if depth == 8 or (depth < 8 and colour != 0):
        return Tones()
    before_pixels: dict[bytes, bytes] = {}
    for name, data, is_whole in png_chunks(content):
        if name == b"IDAT":
            break
        if is_whole:
            before_pixels[name] = data
    bits = max(before_pixels.get(b"sBIT", b"")[: 3 if colour == 2 else 1], default=0)
    transparent = before_pixels.get(b"tRNS", b"") if colour == 0 else b""
    # Pillow spreads samples of less than 8 bits over all of them, but not the transparent value.
    spread = 1 if depth == 16 else 255 // (2**depth - 1)
    return Tones(
        white=2**bits - 1 if depth == 16 and 8 <= bits < 16 else None,
        transparent=int.from_bytes(transparent[:2], "big") * spread if len(transparent) >= 2 else None,
    )
