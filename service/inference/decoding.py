"""What an image will cost to decode, from its header."""

import io

from PIL import Image

from colocalization.image_formats import DECODED_FORMATS

__all__ = ["LARGE_PIXELS", "header_pixels"]

LARGE_PIXELS = 16_000_000
"""Images above this are decoded one at a time, so that a pool of threads cannot multiply their memory."""


def header_pixels(source: bytes) -> int:
    """Width times height as the header states it, without decoding; 0 where the header cannot be read.

    Args:
        source: Encoded bytes.
    """
    try:
        with Image.open(io.BytesIO(source), formats=DECODED_FORMATS) as image:
            return image.width * image.height
    except Exception:  # Pillow raises many kinds on damaged data; the decoder will say which
        return 0
