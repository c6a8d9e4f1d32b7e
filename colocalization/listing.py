"""Which images lie below a folder: the one listing that every command goes by.

What is left out, and why, is counted, so that a command can say it (`LeftOut.warnings`):

- hidden files and folders (their name starts with a dot), and the waste and thumbnails of other software: not told;
- files that are no images, by their ending or else by their first bytes;
- the results of an earlier run: folders that hold `.colocalize`. Overlays and heat maps are no images of the set;
- links that lead back to a folder that they lie in; other links to folders are followed;
- folders that cannot be read.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from colocalization.image_formats import DECODED_SUFFIXES, HEAD_BYTES, UNDECODED_FORMATS, format_of

__all__ = [
    "STATE_FOLDER",
    "ImageFile",
    "LeftOut",
    "Listing",
    "holds_results",
    "image_at",
    "is_called_an_image",
    "is_hidden",
    "list_images",
    "natural_key",
    "walk",
]

STATE_FOLDER = ".colocalize"
"""Folder in the results of a run that holds what the run knows about itself; also what results are told by."""

_OTHER_SOFTWARE = frozenset(("@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "__MACOSX"))
"""Folders that storage boxes, Windows and macOS put beside images: thumbnails and what was thrown away."""

_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One file that is taken for an image.

    Attributes:
        name: What it is called in results: relative, forward slashes, never leaving the folder (`..`).
        path: Where it lies.
        size: Its size in bytes, or None where the file system does not say (a broken link, no permission).
        mtime_ns: When it was last changed, in nanoseconds since the epoch, or None likewise.
    """

    name: str
    path: str
    size: int | None
    mtime_ns: int | None


@dataclass(slots=True)
class LeftOut:
    """What was not listed, and why.

    Attributes:
        no_images: Real paths of files that are no images; a set, since a file may be met twice.
        results: Folders that hold the results of a run.
        loops: Links that lead back to a folder that they lie in.
        unreadable: Folders that could not be listed, each with the reason.
    """

    no_images: set[str] = field(default_factory=set)
    results: list[str] = field(default_factory=list)
    loops: int = 0
    unreadable: list[str] = field(default_factory=list)

    def warnings(self) -> Iterator[str]:
        """What people should hear of, a line each; files that are no images are no reason to warn."""
        for folder in self.unreadable:
            yield f"cannot read the folder {folder}"
        for folder in self.results:
            yield f"left out {folder!r}, which holds the results of a run ({STATE_FOLDER})"
        if self.loops:
            yield f"left out {self.loops} links that lead back to a folder that they lie in"


@dataclass(frozen=True, slots=True)
class Listing:
    """The images below a folder.

    Attributes:
        files: The images, in natural order.
        left_out: What was not listed.
    """

    files: tuple[ImageFile, ...]
    left_out: LeftOut


def list_images(folder: str | Path, *, exclude: Path | None = None) -> Listing:
    """List the images below a folder, on all levels, in natural order, named relative to the folder.

    Args:
        folder: The folder.
        exclude: A folder that is never descended into, such as that of the command's own results; it need not exist.

    Returns:
        The images and what was left out. Nothing is decoded: files that are damaged or in a format that is not
        decoded (HEIC, camera raw) are among them. A folder that is missing or cannot be read is among what was left
        out.

    Example:
        >>> [file.name for file in list_images("examples/images").files][:2]
        ['chinstrap_penguin.jpg', 'collared_aracari.jpg']
    """
    left_out = LeftOut()
    files = (image_at(name, path, left_out) for name, path in walk(str(folder), left_out, exclude=exclude))
    return Listing(tuple(file for file in files if file is not None), left_out)


def walk(folder: str, left_out: LeftOut, *, exclude: Path | None = None) -> Iterator[tuple[str, str]]:
    """All files below a folder that are neither hidden nor results, whatever they are, as they are come upon.

    Only what one folder holds is ordered at a time, so that the first file comes at once, and memory does not grow with
    the files below.

    Args:
        folder: The folder.
        left_out: Takes up what is not descended into.
        exclude: A folder that is never descended into; it need not exist.

    Yields:
        Name, relative to the folder and with forward slashes, and path, in natural order.
    """
    excluded = _identity(exclude) if exclude is not None and exclude.exists() else None
    yield from _Walker(left_out, excluded).below(_Folder(folder, "", frozenset()))


class _Folder(NamedTuple):
    """A folder to descend into.

    Attributes:
        path: Where it lies.
        prefix: What the names of its files begin with.
        above: What tells the folders that it lies in.
    """

    path: str
    prefix: str
    above: frozenset[tuple[int, int]]


class _Walker:
    """Goes through folders in natural order."""

    def __init__(self, left_out: LeftOut, excluded: tuple[int, int] | None) -> None:
        self._left_out = left_out
        self._excluded = excluded

    def below(self, folder: _Folder) -> Iterator[tuple[str, str]]:
        """The files below a folder."""
        pending = [self._within(folder)]
        while pending:
            found = next(pending[-1], None)
            if found is None:
                pending.pop()
            elif isinstance(found, _Folder):
                pending.append(self._within(found))
            else:
                yield found

    def _within(self, folder: _Folder) -> Iterator[tuple[str, str] | _Folder]:
        path, prefix, above = folder
        try:
            own = _identity(path)
            if own in above:
                self._left_out.loops += 1
                return
            if own == self._excluded:
                return
            with os.scandir(path) as listing:
                entries = list(listing)
        except OSError as error:
            self._left_out.unreadable.append(f"{path!r}: {error.strerror}")
            return
        if any(entry.name == STATE_FOLDER for entry in entries):
            self._left_out.results.append(path)
            return
        keyed = [(_part_key(entry.name), entry.name, entry) for entry in entries if not is_hidden(entry.name)]
        keyed.sort(key=itemgetter(0, 1))
        for _, group in groupby(keyed, key=itemgetter(0)):
            alike = [self._at(entry, prefix, above | {own}) for _, _, entry in group]
            if len(alike) == 1:
                yield alike[0]
            else:  # names that differ in case or leading zeros alone count as one: what lies below them goes together
                files = (self.below(one) if isinstance(one, _Folder) else (one,) for one in alike)
                yield from sorted(chain.from_iterable(files), key=lambda pair: natural_key(pair[0]))

    def _at(self, entry: os.DirEntry[str], prefix: str, above: frozenset[tuple[int, int]]) -> tuple[str, str] | _Folder:
        if _is_folder(entry):
            return _Folder(entry.path, f"{prefix}{entry.name}/", above)
        return prefix + entry.name, entry.path


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or the waste or thumbnails of other software."""
    return name.startswith(".") or name in _OTHER_SOFTWARE


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: no folder, and reading it as a file says why it fails
        return False


def holds_results(folder: str | Path) -> bool:
    """Whether a run has written its results into a folder."""
    return os.path.lexists(Path(folder, STATE_FOLDER))


def _identity(folder: str | Path) -> tuple[int, int]:
    """What tells a folder from all others, whatever it is called.

    Raises:
        OSError: It is missing or cannot be reached.
    """
    status = os.stat(folder)  # noqa: PTH116 - of strings too
    return status.st_dev, status.st_ino


def image_at(name: str, path: str, left_out: LeftOut, *, any_file: bool = False) -> ImageFile | None:
    """The image at a path, as it is now.

    Args:
        name: What it is called.
        path: Where it lies.
        left_out: Takes up a file that is no image.
        any_file: Whether to take what is no image too.

    Returns:
        The image; None where the file is none.
    """
    if not (any_file or _looks_like_an_image(path)):
        left_out.no_images.add(os.path.realpath(path))
        return None
    try:
        status = os.stat(path)  # noqa: PTH116 - one call a file, no Path object
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return ImageFile(name, path, None, None)
    return ImageFile(name, path, status.st_size, status.st_mtime_ns)


def is_called_an_image(name: str) -> bool:
    """Whether a name has the ending of an image, also of one that is not decoded.

    Example:
        >>> is_called_an_image("a.JPG"), is_called_an_image("a.heic"), is_called_an_image("a")
        (True, True, False)
    """
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - one call a file, no Path object
    return suffix in DECODED_SUFFIXES or suffix in UNDECODED_FORMATS


def _looks_like_an_image(path: str) -> bool:
    """Whether a file is one, by its ending or else by its first bytes.

    What cannot be read counts as one, so that the reason is reported.
    """
    if is_called_an_image(path):
        return True
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - opening a pipe would wait for ever
            return False
        with open(path, "rb") as stream:  # noqa: PTH123 - one call a file, no Path object
            return format_of(stream.read(HEAD_BYTES)) is not None
    except OSError:
        return True


def natural_key(name: str) -> tuple[object, ...]:
    """Sorting key under which numbers in names count by value, folder by folder.

    Names that differ only in case or in leading zeros are told apart by their characters, so the order is total.

    Example:
        >>> sorted(["b/1.jpg", "a10.jpg", "A9.jpg", "a/2.jpg"], key=natural_key)
        ['a/2.jpg', 'A9.jpg', 'a10.jpg', 'b/1.jpg']
    """
    return tuple(map(_part_key, name.split("/"))), name


def _part_key(part: str) -> str:
    """Sorting key of one part of a name: numbers by their value, and before letters; letters whatever their case."""
    return _DIGITS.sub(_number_key, part.casefold())


def _number_key(number: re.Match[str]) -> str:
    # Told by a NUL, which no name holds; then by how many digits it has, then by the digits.
    digits = number[0].lstrip("0")
    return f"\0{chr(len(digits))}{digits}"
