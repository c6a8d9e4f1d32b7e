"""A set in parts, each of which is done, written and gone on with as a whole."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from colocalization.hints import ImageHints
from colocalization.listing import ImageFile

__all__ = ["PART_FOLDER", "SetPart", "cut_set", "is_part_name"]

PART_FOLDER = "predictions"
"""Folder, below the results, of the parts."""


@dataclass(frozen=True, slots=True)
class SetPart:
    """Images that are worked on together.

    Attributes:
        name: Name of the file with their predictions. It changes with whatever changes these: the images' names, sizes
            and times of change, the hints, the settings. So a file that is there need not be made again.
        files: The images, in order.
        hints: What was said of some of them, by name.
    """

    name: str
    files: tuple[ImageFile, ...]
    hints: Mapping[str, ImageHints]

    def to_json(self) -> str:
        """The part as text, for a worker; see `from_json`."""
        files = [[file.name, file.path, file.size, file.mtime_ns] for file in self.files]
        return json.dumps([self.name, files, {name: hint.boxes for name, hint in self.hints.items()}])

    @classmethod
    def from_json(cls, text: str) -> "SetPart":
        """The part that `to_json` has made a text of."""
        name, files, hints = json.loads(text)
        return cls(
            name,
            tuple(ImageFile(*file) for file in files),
            {name: ImageHints(tuple(tuple(box) for box in boxes)) for name, boxes in hints.items()},
        )


def cut_set(
    files: Iterable[ImageFile], hints: Mapping[str, ImageHints], settings: str, *, images: int
) -> Iterator[SetPart]:
    """Cut a set into parts.

    Where one ends is told by the names alone, so that a new image changes the part that it comes into and no other.

    Args:
        files: The images, in order.
        hints: What was said of some of them, by name.
        settings: Whatever else the predictions depend on.
        images: How many a part has on average; it has at most four times as many.

    Yields:
        The parts, in order.
    """
    held: list[ImageFile] = []
    for file in files:
        held.append(file)
        mark = hashlib.blake2b(file.name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        if int.from_bytes(mark, "big") % images == 0 or len(held) == 4 * images:
            yield _part(held, hints, settings)
            held = []
    if held:
        yield _part(held, hints, settings)


def is_part_name(name: str) -> bool:
    """Whether a file is called as a part is.

    Example:
        >>> is_part_name("part-0123456789abcdef.parquet"), is_part_name("part-1.parquet")
        (True, False)
    """
    middle = name.removeprefix("part-").removesuffix(".parquet")
    return name == f"part-{middle}.parquet" and len(middle) == 16 and not set(middle) - set("0123456789abcdef")


def _part(files: Sequence[ImageFile], hints: Mapping[str, ImageHints], settings: str) -> SetPart:
    said = {file.name: hints[file.name] for file in files if file.name in hints}
    told = [
        settings,
        [[file.name, file.path, file.size, file.mtime_ns] for file in files],
        {name: hint.boxes for name, hint in said.items()},
    ]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    return SetPart(f"part-{digest}.parquet", tuple(files), said)
