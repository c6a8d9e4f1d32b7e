"""Damaged images: valid files of every allowed kind, and random changes to their bytes."""

import io
import random
from collections.abc import Iterator

import numpy as np
from PIL import Image

__all__ = ["mutated", "seeds"]

_INTERESTING = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\xea\x60", b"\x80\x00")


def seeds(side: int = 48) -> list[tuple[str, bytes]]:
    """Small valid images, by name: every format, and the modes in which they are met."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 4), dtype=np.uint8)
    rgba = Image.fromarray(noise)
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    made: list[tuple[str, Image.Image, str, dict[str, object]]] = [
        ("jpeg", rgb, "JPEG", {}),
        ("jpeg-progressive", rgb, "JPEG", {"progressive": True}),
        ("jpeg-grey", grey, "JPEG", {}),
        ("jpeg-cmyk", rgb.convert("CMYK"), "JPEG", {}),
        ("png-rgb", rgb, "PNG", {}),
        ("png-rgba", rgba, "PNG", {}),
        ("png-palette", rgb.quantize(16), "PNG", {"transparency": 3}),
        ("png-1bit", grey.convert("1"), "PNG", {}),
        ("png-16bit", Image.fromarray(noise[..., 0].astype(np.uint16) * 257), "PNG", {}),
        ("webp-lossy", rgb, "WEBP", {}),
        ("webp-lossless", rgba, "WEBP", {"lossless": True}),
        ("gif", rgb.quantize(64), "GIF", {}),
        ("gif-animated", rgb.quantize(64), "GIF", {"save_all": True, "append_images": [grey.quantize(8)] * 3}),
        ("bmp", rgb, "BMP", {}),
        ("tiff", rgb, "TIFF", {}),
        ("tiff-lzw", rgb, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff-float", Image.fromarray(noise[..., 0].astype(np.float32)), "TIFF", {}),
    ]
    found = []
    for name, image, kind, options in made:
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        extra: dict[str, object] = {"exif": exif.tobytes()} if kind in ("JPEG", "PNG", "WEBP") else {}
        image.save(stream, format=kind, **options, **extra)
        found.append((name, stream.getvalue()))
    return found


def mutated(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Damaged images, always the same ones for a seed.

    Args:
        count: How many.
        seed: Of the random numbers.

    Yields:
        Name and bytes.
    """
    chance = random.Random(seed)  # noqa: S311 -- for repeatable tests
    valid = seeds()
    for index in range(count):
        name, content = valid[index % len(valid)]
        yield f"{name}-{index}", _mutate(content, chance, [other for _, other in valid])


def _mutate(content: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not data:
            break
        # Headers are where a change does most, so half of the changes go there.
        at = chance.randrange(min(len(data), 80) if chance.random() < 0.5 else len(data))
        kind = chance.randrange(6)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.randrange(256)
        elif kind == 2:
            value = chance.choice(_INTERESTING)
            data[at : at + len(value)] = value
        elif kind == 3:
            del data[at : at + chance.randrange(1, 64)]
        elif kind == 4:
            del data[max(at, 4) :]
        else:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            data[at:at] = other[start : start + chance.randrange(1, 256)]
    return bytes(data)
