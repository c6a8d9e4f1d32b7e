"""Pillow made fit for images from strangers: its limits, its warnings, and what the libtiff inside it prints."""

import ctypes
import logging
import warnings
from functools import cache
from pathlib import Path

import PIL
from PIL import Image, PngImagePlugin

__all__ = ["MAX_PNG_TEXT_BYTES", "harden_pillow", "silence_libtiff"]

MAX_PNG_TEXT_BYTES = 4 * 2**20
"""Most bytes of a PNG's texts once decompressed, where `harden_pillow` was called; Pillow by itself allows 64 MiB."""


def harden_pillow() -> None:
    """Make Pillow fit for images from strangers, in the whole process: for programs to call once, not for libraries.

    Filters of warnings belong to the process; setting them around each decoding would not be safe among threads.

    - Pillow's own limit of pixels goes: the one of `ImageLimits` counts, which is checked before anything is decoded.
    - What Pillow logs of damage goes to the program's log; where it has none, Python would print it.
    - What else Pillow warns of, such as damaged EXIF data, it can live with, and so can we. None of it is printed: one
      file could bring a hundred thousand warnings, each of which Python would print and remember.
    - Texts in a PNG, which nobody reads here, may not be decompressed without end.
    """
    Image.MAX_IMAGE_PIXELS = None
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    PngImagePlugin.MAX_TEXT_MEMORY = MAX_PNG_TEXT_BYTES


@cache
def silence_libtiff() -> None:
    """Keep the libtiff that Pillow's wheels bring from printing; what it finds becomes an error of the image anyway.

    Only Pillow uses that copy. A libtiff of the system, which others may use too, is left alone, and so is one that is
    built into Pillow's own module, as on Windows.
    """
    package = Path(PIL.__file__).parent
    for folder in (package.parent / "pillow.libs", package / ".dylibs"):  # Linux, macOS
        for path in sorted(folder.glob("libtiff*")):
            try:
                library = ctypes.CDLL(str(path))  # the copy that is loaded already
                for setter in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                    setter.restype, setter.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
                    setter(None)
            except (OSError, AttributeError):
                continue
