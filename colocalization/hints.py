"""Hints: what a user has shown of the object, as boxes in some images of a set, or by saying which do not show it."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from colocalization.errors import ColocalizeError

__all__ = [
    "HINTS_HEADER",
    "Corners",
    "Hint",
    "HintError",
    "ImageHints",
    "gather_hints",
    "hints_of",
    "parse_hint",
    "read_hints",
]

HINTS_HEADER = ("file", "x0", "y0", "x1", "y1")
"""First line of a file of hints."""

Corners = tuple[float, float, float, float]
"""A half-open box `x0, y0, x1, y1`, in pixels or as shares of the sides of what it lies in."""


class HintError(ColocalizeError):
    """A hint cannot be used; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__("hint_error", message)


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing said of one image.

    Attributes:
        image: Name of the image.
        box: Half-open `x0, y0, x1, y1` of one instance, in pixels of the original; None: the image does not show the
            object.
    """

    image: str
    box: Corners | None

    def __str__(self) -> str:
        return f"{self.image}:" + ("none" if self.box is None else ",".join(f"{value:g}" for value in self.box))


@dataclass(frozen=True, slots=True)
class ImageHints:
    """All that was said of one image.

    Attributes:
        boxes: Its instances, each half-open `x0, y0, x1, y1` in pixels of the original; empty: it shows none.
        are_shares: Whether the boxes are shares of the image's sides, in [0, 1], in place of pixels: said by one who
            does not know its size.
    """

    boxes: tuple[Corners, ...]
    are_shares: bool = False

    def shares(self, name: str, width: int, height: int) -> tuple[Corners, ...]:
        """The boxes as shares of the image's sides, in [0, 1].

        Args:
            name: What the image is called, for the message.
            width: Width of the original, in pixels.
            height: Height of the original, in pixels.

        Raises:
            HintError: A box does not lie in the image.
        """
        across, down = (1, 1) if self.are_shares else (width, height)
        for x0, y0, x1, y1 in self.boxes:
            if not (0 <= x0 < x1 <= across and 0 <= y0 < y1 <= down):
                box = ",".join(f"{value:g}" for value in (x0, y0, x1, y1))
                size = "whose sides are 1" if self.are_shares else f"which is {width} x {height} pixels"
                raise HintError(f"the hint {box} does not lie in {name!r}, {size}")
        return tuple((x0 / across, y0 / down, x1 / across, y1 / down) for x0, y0, x1, y1 in self.boxes)

    def pixels(self, width: int, height: int) -> tuple[Corners, ...]:
        """The boxes in pixels of an image of this size."""
        if not self.are_shares:
            return self.boxes
        return tuple((x0 * width, y0 * height, x1 * width, y1 * height) for x0, y0, x1, y1 in self.boxes)


def _box(corners: Sequence[str | float], given: str) -> Corners:
    try:
        x0, y0, x1, y1 = (float(value) for value in corners)
    except (TypeError, ValueError):
        raise HintError(f"{given} must have four numbers x0,y0,x1,y1 in pixels") from None
    if not (0 <= x0 < x1 < float("inf") and 0 <= y0 < y1 < float("inf")):
        raise HintError(f"{given} must be x0,y0,x1,y1 with 0 <= x0 < x1 and 0 <= y0 < y1, in pixels")
    return x0, y0, x1, y1


def parse_hint(text: str) -> Hint:
    """Read a hint from the command line, `NAME:x0,y0,x1,y1` or `NAME:none`.

    Raises:
        HintError: The text is of another form.

    Example:
        >>> parse_hint("birds/a.jpg:12,30,400,410").box
        (12.0, 30.0, 400.0, 410.0)
        >>> parse_hint("b.jpg:none")
        Hint(image='b.jpg', box=None)
    """
    name, colon, said = text.rpartition(":")
    if not colon or not name:
        raise HintError(f"a hint must be NAME:x0,y0,x1,y1 or NAME:none, got {text!r}")
    if said.strip().lower() == "none":
        return Hint(name, None)
    return Hint(name, _box(said.split(","), f"the hint {text!r}"))


def read_hints(stream: TextIO, source: str) -> list[Hint]:
    """Read a file of hints: `file,x0,y0,x1,y1`, a row a box; empty corners say that the image does not show it.

    Args:
        stream: The text; a byte order mark is allowed.
        source: What the file is called, for messages.

    Raises:
        HintError: The header or a row is of another form, or there is no row.
    """
    rows = csv.reader(stream)
    try:
        header = [cell.strip().lstrip("\ufeff") for cell in next(rows, [])]
        if header != list(HINTS_HEADER):
            raise HintError(f"{source!r} must begin with the line {','.join(HINTS_HEADER)}, got {','.join(header)!r}")
        hints = [_row(row, f"{source!r}, line {rows.line_num}") for row in rows if any(cell.strip() for cell in row)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise HintError(f"{source!r} cannot be read as a CSV file in UTF-8: {error}") from error
    if not hints:
        raise HintError(f"{source!r} holds no hint: one box in one image is enough")
    return hints


def _row(row: Sequence[str], where: str) -> Hint:
    if len(row) != len(HINTS_HEADER) or not row[0].strip():
        raise HintError(f"{where} must have a file and four corners, got {','.join(row)!r}")
    name, corners = row[0], [cell.strip() for cell in row[1:]]
    return Hint(name, _box(corners, f"{where}, the hint {','.join(row)!r}") if any(corners) else None)


def gather_hints(hints: Iterable[Hint], names: Iterable[str]) -> dict[str, ImageHints]:
    """What was said of each image.

    Args:
        hints: The hints.
        names: Names of all images of the set.

    Returns:
        By the image's name, in the order in which the images were first named.

    Raises:
        HintError: A hint is for an image that is not in the set, or contradicts another one.

    Example:
        >>> gather_hints([Hint("a", (0, 0, 1, 1)), Hint("b", None)], ["a", "b", "c"])["b"]
        ImageHints(boxes=(), are_shares=False)
    """
    known = set(names)
    boxes: dict[str, list[Corners]] = {}
    absent: set[str] = set()
    for hint in hints:
        if hint.image not in known:
            raise HintError(f"the hint {str(hint)!r} is for an image that is not in the set")
        said = boxes.setdefault(hint.image, [])
        if hint.box is None:
            absent.add(hint.image)
        elif hint.box not in said:
            said.append(hint.box)
        if said and hint.image in absent:
            raise HintError(f"the hint {str(hint)!r} contradicts another, which says the opposite of {hint.image!r}")
    return {name: ImageHints(tuple(said)) for name, said in boxes.items()}


def hints_of(given: Mapping[str, object]) -> list[Hint]:
    """Hints as Python gives them: by name, a box, several boxes, or None where the image does not show the object.

    Raises:
        HintError: A value is none of these.

    Example:
        >>> hints_of({"a.jpg": (0, 0, 5, 5), "b.jpg": [(0, 0, 5, 5), (6, 6, 9, 9)], "c.jpg": None})[-1]
        Hint(image='c.jpg', box=None)
    """
    hints: list[Hint] = []
    for name, value in given.items():
        where = f"the hint for {name!r}"
        if value is None:
            hints.append(Hint(name, None))
        elif isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise HintError(f"{where} must be a box x0,y0,x1,y1, several boxes, or None, got {value!r}")
        else:
            rows = list(value)
            several = bool(rows) and all(isinstance(row, Iterable) for row in rows)
            hints += [Hint(name, _box(list(row), where)) for row in (rows if several else [rows])]
    return hints
