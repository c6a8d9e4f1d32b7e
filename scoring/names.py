"""Names of files that are made from the names of images, no longer than file systems take."""

import hashlib
import os
from pathlib import PurePosixPath

__all__ = ["MOST_BYTES", "fitting"]

MOST_BYTES = 255
"""Longest name of a file, in bytes: that of ext4, XFS, APFS and most others."""


def fitting(name: str, ending: str = "") -> str:
    """A name with an ending put behind it; shortened in its last part where it would be too long.

    Args:
        name: Relative name, with forward slashes; its folders fit, since they are folders already.
        ending: What to put behind, such as `.png`.

    Returns:
        The name and the ending as they are where they fit. Otherwise the last part keeps its beginning and its own
        ending, and gets the beginning of a digest between them, so that two names stay two.

    Example:
        >>> fitting("a/b.jpg", ".png"), len(fitting("x" * 251 + ".jpg", ".png"))
        ('a/b.jpg.png', 255)
    """
    whole = PurePosixPath(name + ending)
    if len(os.fsencode(whole.name)) <= MOST_BYTES:
        return name + ending
    suffix = PurePosixPath(name).suffix
    suffix = (suffix if len(os.fsencode(suffix)) <= 16 else "") + ending
    mark = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
    kept = os.fsencode(whole.name)[: MOST_BYTES - len(os.fsencode(mark + suffix))]
    # A character may be cut in two: UTF-8 is cut before it, so that the name stays valid where it was.
    while kept and (kept[-1] & 0xC0) == 0x80:
        kept = kept[:-1]
    kept = kept[:-1] if kept and kept[-1] >= 0xC0 else kept
    return str(whole.with_name(os.fsdecode(kept) + mark + suffix))
