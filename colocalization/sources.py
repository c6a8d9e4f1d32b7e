"""What is given as images, and as hints for them, checked before any work: a mistake is told with its place."""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colocalization.hints import Corners, Hint, HintError, ImageHints, gather_hints, hints_of
from colocalization.images import ImageSource

__all__ = ["Given", "HintsGiven", "check_source", "hint_text", "hints_by_index", "listed", "source_name"]

Given = Iterable[ImageSource] | NDArray[Any]
"""Images of a set: a list or another iterable of sources, or an (N, H, W, 3) uint8 array."""

HintsGiven = Mapping[int | str | Path, Corners | Sequence[Corners] | None]
"""What was said of images: by index, or by the path that is the source, a box, several, or None where the image does
not show the object. Boxes are half-open `x0, y0, x1, y1` in pixels of the original."""

ONE_SOURCE = (
    "the encoded bytes of an image, its path (str or Path), a binary stream that can seek, a PIL image or an array"
)


def listed(sources: Given) -> list[ImageSource]:
    """The sources in a list.

    Raises:
        TypeError: It is no collection of sources, or a single source that could be taken for one, such as a string.
    """
    single = (
        isinstance(sources, bytes | bytearray | str | os.PathLike | Image.Image)
        or (isinstance(sources, np.ndarray) and sources.ndim != 4)
        or _is_binary_stream(sources)
    )
    if single or not isinstance(sources, Iterable):
        raise TypeError(f"sources must be a list, each {ONE_SOURCE}, got a single {type(sources).__name__}")
    return list(sources)


def check_source(index: int, source: object) -> None:
    """Refuse what is no source of an image.

    Raises:
        TypeError: It is of another type.
    """
    if not (isinstance(source, bytes | str | Path | Image.Image | np.ndarray) or _is_binary_stream(source)):
        raise TypeError(f"sources[{index}] must be {ONE_SOURCE}, got {type(source).__name__}")


def source_name(index: int, source: object) -> str:
    """What a source is called: its path, or its place in the list.

    Example:
        >>> source_name(0, "./birds/a.jpg"), source_name(1, b"...")
        ('birds/a.jpg', 'sources[1]')
    """
    return str(Path(source)) if isinstance(source, str | Path) else f"sources[{index}]"


def hints_by_index(given: HintsGiven, sources: Sequence[ImageSource]) -> dict[int, ImageHints]:
    """What was said of each image, by its index. The same file given twice is hinted twice.

    Raises:
        HintError: A hint is for no image of the set, is no box, or contradicts another one.

    Example:
        >>> hints_by_index({"a.jpg": (0, 0, 5, 5), 1: None}, ["a.jpg", b"..."])
        {0: ImageHints(boxes=((0.0, 0.0, 5.0, 5.0),), are_shares=False), 1: ImageHints(boxes=(), are_shares=False)}
    """
    if not isinstance(given, Mapping):
        raise HintError(f"hints must be a mapping from an image to a box, several, or None, got {type(given).__name__}")
    names = [source_name(index, source) for index, source in enumerate(sources)]
    hints: list[Hint] = []
    for key, said in given.items():
        if isinstance(key, str | Path):
            name = str(Path(key))
        elif isinstance(key, int | np.integer) and not isinstance(key, bool) and 0 <= key < len(names):
            name = names[key]
        else:
            raise HintError(
                f"the hint for {key!r} is for no image of the set: give the path that is its source, "
                f"or an index from 0 to {len(names) - 1}"
            )
        hints += hints_of({name: said})
    gathered = gather_hints(hints, names)
    return {index: gathered[name] for index, name in enumerate(names) if name in gathered}


def hint_text(name: str, hint: ImageHints) -> str:
    """What was said of an image, in the form of the command line.

    Example:
        >>> hint_text("a.jpg", ImageHints(((1, 2, 3, 4), (5, 6, 7, 8)))), hint_text("b.jpg", ImageHints(()))
        ('a.jpg:1,2,3,4 and a.jpg:5,6,7,8', 'b.jpg:none')
    """
    return " and ".join(str(Hint(name, box)) for box in hint.boxes or (None,))


def _is_binary_stream(source: object) -> bool:
    return hasattr(source, "read") and hasattr(source, "seek") and not isinstance(source, io.TextIOBase)
