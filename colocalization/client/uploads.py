"""What is sent: images as parts of a form, opened once, streamed from the disk, and called by names that differ."""

import io
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np
from PIL import Image

from colocalization.client.answers import ServedSet
from colocalization.errors import ImageError
from colocalization.hints import ImageHints
from colocalization.images import ImageSource, from_array
from colocalization.results import ImageResult
from colocalization.sources import check_source

__all__ = ["OpenedSet", "hints_field", "open_set", "upload_names"]

_MAX_NAME = 200
"""Characters of a name that are sent; the service takes 255."""

Part = tuple[str, tuple[str, BinaryIO, str]]
"""A part of a form, as httpx takes it."""


@dataclass(frozen=True, slots=True)
class OpenedSet:
    """The images of a request.

    Attributes:
        names: What each is called, by its index.
        parts: Those that can be sent, in order; each is read anew from its beginning for each try.
        errors: Why the others cannot, by their index.
    """

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    errors: Mapping[int, ImageError]

    @property
    def sent_names(self) -> tuple[str, ...]:
        """The names of those that can be sent."""
        return tuple(name for index, name in enumerate(self.names) if index not in self.errors)

    def answered(self, answer: ServedSet | None) -> ServedSet:
        """The results of all images, from those of the ones that were sent.

        Args:
            answer: What the service said of them; None where there was nothing to send.
        """
        answer = answer or ServedSet("attention", ())
        found = iter(answer.images)
        results = (
            ImageResult.failed(self.errors[index]) if index in self.errors else next(found)
            for index in range(len(self.names))
        )
        return replace(answer, images=tuple(results), names=self.names)


def upload_names(sources: Sequence[ImageSource]) -> tuple[str, ...]:
    """What each image is called in a request: the file's name, cut and told apart where it has to be.

    Example:
        >>> upload_names(["x/a.jpg", "y/a.jpg", b"...", "b.jpg"])
        ('a.jpg', '1/a.jpg', 'image-2', 'b.jpg')
    """
    names: dict[str, None] = {}
    for index, source in enumerate(sources):
        name = PurePath(source).name if isinstance(source, str | Path) else f"image-{index}"
        name = name.encode("utf-8", "replace").decode()[-_MAX_NAME:]  # names of files need not be text
        names[name if name not in names else f"{index}/{name}"] = None
    return tuple(names)


@contextmanager
def open_set(sources: Sequence[ImageSource], names: Sequence[str]) -> Iterator[OpenedSet]:
    """Open the images of a request; one that cannot be opened has an error and is not sent.

    Args:
        sources: The images.
        names: What each is called.

    Raises:
        TypeError: A source is of another type.
        ValueError: An array is no image.
    """
    parts: list[Part] = []
    errors: dict[int, ImageError] = {}
    with ExitStack() as files:
        for index, source in enumerate(sources):
            check_source(index, source)
            try:
                content = _opened(source, files)
            except ImageError as error:
                errors[index] = error
            else:
                parts.append(("images", (names[index], content, "application/octet-stream")))
        yield OpenedSet(tuple(names), tuple(parts), errors)


def _opened(source: ImageSource, files: ExitStack) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, np.ndarray):
        source = from_array(source)
    if isinstance(source, Image.Image):
        stream = io.BytesIO()
        # Without loss; EXIF data go along, since the orientation is in them.
        source.save(stream, "PNG", compress_level=1, exif=source.getexif().tobytes())
        return stream
    if not isinstance(source, str | Path):
        return source
    path = Path(source)
    try:
        file = files.enter_context(path.open("rb"))
    except FileNotFoundError as error:
        raise ImageError("not_found", f"there is no file {path.name!r}") from error
    except (OSError, ValueError) as error:
        raise ImageError("not_readable", f"cannot read {path.name!r}: {error}") from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not_readable", f"{path.name!r} is no file")
    if status.st_size == 0:
        raise ImageError("empty_file", "the file has 0 bytes")
    return file


def hints_field(hints: Mapping[int, ImageHints], names: Sequence[str]) -> str:
    """Hints as the service takes them.

    Args:
        hints: What was said of images, by index.
        names: What the images are called.

    Example:
        >>> hints_field({0: ImageHints(((1, 2, 3, 4),)), 1: ImageHints(())}, ["a", "b"])
        '[{"image": "a", "x0": 1, "y0": 2, "x1": 3, "y1": 4}, {"image": "b"}]'
    """
    said: list[dict[str, object]] = []
    for index, hint in hints.items():
        corners = [dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)) for box in hint.boxes] or [{}]
        said += [{"image": names[index], **box} for box in corners]
    return json.dumps(said)
