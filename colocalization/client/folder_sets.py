"""A folder in sets that one request can carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from colocalization.client.answers import NamedResult, ServedSet, ServiceDetails
from colocalization.errors import ImageError
from colocalization.hints import HintError, ImageHints, gather_hints, hints_of
from colocalization.image_limits import ImageLimits
from colocalization.listing import ImageFile, list_images
from colocalization.results import ImageResult, Mode
from colocalization.sources import HintsGiven

__all__ = ["FolderPlan", "FolderSet", "plan_folder"]

_PART_BYTES = 1024
"""Bytes of a request that an image takes besides its own: its name and the lines around it."""

_FIELDS_BYTES = 128 * 1024
"""Bytes of a request for all that is no image."""

_SET_BY_ITSELF = 16
"""Images in a request where each stands for itself: small requests take turns with those of others."""


@dataclass(frozen=True, slots=True)
class FolderSet:
    """Images that are sent together.

    Attributes:
        files: The files; those with an error are not sent.
        errors: Why a file is not sent, by its index.
        hints: What was said of images, by the index among those that are sent.
    """

    files: tuple[ImageFile, ...]
    errors: Mapping[int, ImageError]
    hints: Mapping[int, ImageHints]

    @property
    def paths(self) -> list[str]:
        """The files that are sent."""
        return [file.path for index, file in enumerate(self.files) if index not in self.errors]

    @property
    def names(self) -> list[str]:
        """What the files that are sent are called."""
        return [file.name for index, file in enumerate(self.files) if index not in self.errors]

    def named(self, answer: ServedSet | None) -> list[NamedResult]:
        """The results with their names.

        Args:
            answer: What was found in those that were sent; None where there were none.
        """
        found = iter(answer.images if answer is not None else ())
        mode: Mode = "attention" if answer is None else answer.mode
        return [
            NamedResult(
                file.name, mode, ImageResult.failed(self.errors[index]) if index in self.errors else next(found)
            )
            for index, file in enumerate(self.files)
        ]


FolderPlan = tuple[FolderSet, ...]
"""The sets of a folder, in the order in which its images are listed."""


def plan_folder(
    folder: str | Path, details: ServiceDetails, *, is_set: bool, set_size: int | None, hints: HintsGiven | None
) -> FolderPlan:
    """Lay the images of a folder out in sets of about one size.

    Args:
        folder: The folder; its images are found on all levels, as `colocalize score` finds them.
        details: What the service takes.
        is_set: Whether the images of a request are to have something in common; a set of a single image has not.
        set_size: Most images in a set; None takes what suits.
        hints: What was said of images, by their name in the folder.

    Raises:
        NotADirectoryError: There is no such folder.
        ValueError: `set_size` is below 1, or the hints are for a folder that takes several sets.
        HintError: A hint is for no image of the folder, or cannot be used.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(f"there is no folder {str(folder)!r}")
    if set_size is not None and set_size < 1:
        raise ValueError(f"set_size must be at least 1, got {set_size}")
    most = int(details.limits["max_images"])
    if set_size is not None or not is_set:
        most = min(most, set_size or _SET_BY_ITSELF)
    room = int(details.limits["max_request_bytes"]) - _FIELDS_BYTES
    files = list_images(folder).files
    said = _hints(hints, files)
    groups = _grouped(files, most, room)
    if said and len(groups) > 1:
        raise ValueError(
            f"hints teach the set that they are sent with, and these {len(files)} images take {len(groups)} requests: "
            "fit an object on some of them with the hints, and give its name as `object`"
        )
    limits = ImageLimits(max_bytes=int(details.limits["max_bytes"]))
    return tuple(_set(group, limits, room, said) for group in groups)


def _hints(given: HintsGiven | None, files: Sequence[ImageFile]) -> dict[str, ImageHints]:
    hints = hints_of({str(name): said for name, said in (given or {}).items()})
    return gather_hints(hints, [file.name for file in files])


def _set(files: Sequence[ImageFile], limits: ImageLimits, room: int, said: Mapping[str, ImageHints]) -> FolderSet:
    errors: dict[int, ImageError] = {}
    for index, file in enumerate(files):
        try:
            limits.check_bytes(1 if file.size is None else file.size)  # of what has no size, opening says why
            if _cost(file) > room:
                raise ImageError("file_too_large", f"{file.size} bytes, more than a request may have")
        except ImageError as error:
            errors[index] = error
    sent = [file.name for index, file in enumerate(files) if index not in errors]
    if missing := said.keys() - set(sent):
        name = min(missing)
        raise HintError(f"the hint is for {name!r}, which cannot be sent")
    return FolderSet(tuple(files), errors, {sent.index(name): hint for name, hint in said.items()})


def _grouped(files: Sequence[ImageFile], most: int, room: int) -> list[list[ImageFile]]:
    """Sets of consecutive files, of equal sizes as far as their bytes allow.

    65 images are 33 and 32, and not 64 and a single one, which has nothing in common with anything.

    Example:
        >>> files = [ImageFile(str(i), str(i), 10, 0) for i in range(5)]
        >>> [len(group) for group in _grouped(files, 4, 10**6)], [len(group) for group in _grouped(files, 5, 3000)]
        ([3, 2], [2, 2, 1])
    """
    even = ceil(len(files) / max(1, ceil(len(files) / most)))
    groups: list[list[ImageFile]] = []
    taken = 0
    for file in files:
        cost = min(_cost(file), room)  # what is larger than a request is not sent
        if not groups or len(groups[-1]) == even or taken + cost > room:
            groups.append([])
            taken = 0
        groups[-1].append(file)
        taken += cost
    return groups


def _cost(file: ImageFile) -> int:
    return (file.size or 0) + _PART_BYTES
