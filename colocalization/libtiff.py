"""libtiff inside Pillow, which prints its errors to the process's standard error unless it is told not to."""

import ctypes
from functools import cache
from pathlib import Path

import PIL

__all__ = ["silence_libtiff"]


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
