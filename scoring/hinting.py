"""Hints of the command line: a file of them, single ones, and what they are for."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from colocalization.errors import ImageError
from colocalization.hints import Hint, ImageHints, gather_hints, parse_hint, read_hints
from colocalization.listing import ImageFile
from colocalization.sources import hint_text
from scoring.stores.given_files import read_given

__all__ = ["digest_hints", "given_hints", "hints_for", "with_hint"]


def given_hints(file: str | Path | None, texts: Sequence[str]) -> list[Hint]:
    """Read hints, before any other work is done.

    Args:
        file: CSV with the header `file,x0,y0,x1,y1`, or its URL, or None.
        texts: Single ones, `NAME:x0,y0,x1,y1` or `NAME:none`.

    Raises:
        HintError: One is of another form.
        InputError: The file cannot be read.
    """
    hints = [parse_hint(text) for text in texts]
    if file is not None:
        # Bytes that are not UTF-8 are kept the way Python keeps them in file names.
        text = read_given(file).decode("utf-8-sig", "surrogateescape")
        hints = read_hints(io.StringIO(text, newline=""), str(file)) + hints
    return hints


def hints_for(files: Sequence[ImageFile], hints: Sequence[Hint]) -> dict[str, ImageHints]:
    """What was said of each image, by its name in the results.

    Raises:
        HintError: A hint is for no image of the set, or contradicts another one.
    """
    return gather_hints(hints, (file.name for file in files))


def digest_hints(hints: Mapping[str, ImageHints]) -> str | None:
    """Hexadecimal SHA-256 over all that was said, in whatever order; None where nothing was."""
    if not hints:
        return None
    said = sorted((name, sorted(hint.boxes)) for name, hint in hints.items())
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def with_hint(error: ImageError, name: str, hint: ImageHints | None) -> ImageError:
    """The error of an image; of a hinted one it says so too, since what was to be learnt from it is not."""
    if hint is None:
        return error
    return ImageError(error.code, f"{error.message}; the hint {hint_text(name, hint)!r} is not used")
