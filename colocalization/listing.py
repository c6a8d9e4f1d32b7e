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
from pathlib import Path

from colocalization.suffixes import has_image_suffix

__all__ = [
    "STATE_FOLDER",
    "ImageFile",
    "LeftOut",
    "Listing",
    "holds_results",
    "identity",
    "list_images",
    "looks_like_an_image",
    "natural_key",
    "walk",
]

STATE_FOLDER = ".colocalize"
"""Folder in the results of a run that holds what the run knows about itself; also what results are told by."""

_OTHER_SOFTWARE = frozenset(("@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "__MACOSX"))
"""Folders that storage boxes, Windows and macOS put beside images: thumbnails and what was thrown away."""

_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF.{4}WEBP|BM.{4}\0{4}|II\*\0|MM\0\*|II\+\0|MM\0\+",
    re.DOTALL,
)
_DIGITS = re.compile(r"([0-9]+)")


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

    @classmethod
    def at(cls, name: str, path: str) -> "ImageFile":
        """The file at a path, as it is now."""
        try:
            status = os.stat(path)  # noqa: PTH116 - one call a file, no Path object
        except (OSError, ValueError):  # ValueError: a name that no file can have
            return cls(name, path, None, None)
        return cls(name, path, status.st_size, status.st_mtime_ns)


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
    found: list[tuple[str, str]] = []
    for name, path in walk(str(folder), left_out, exclude=exclude):
        if looks_like_an_image(path):
            found.append((name, path))
        else:
            left_out.no_images.add(os.path.realpath(path))
    found.sort(key=lambda pair: natural_key(pair[0]))
    return Listing(tuple(ImageFile.at(*pair) for pair in found), left_out)


def walk(folder: str, left_out: LeftOut, *, exclude: Path | None = None) -> Iterator[tuple[str, str]]:
    """All files below a folder that are neither hidden nor results, whatever they are.

    Args:
        folder: The folder.
        left_out: Takes up what is not descended into.
        exclude: A folder that is never descended into; it need not exist.

    Yields:
        Name, relative to the folder and with forward slashes, and path, in no particular order.
    """
    excluded = identity(exclude) if exclude is not None and exclude.exists() else None
    pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(folder, "", frozenset())]
    while pending:
        folder, prefix, above = pending.pop()
        try:
            own = identity(folder)
            if own in above:
                left_out.loops += 1
                continue
            if own == excluded:
                continue
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            left_out.unreadable.append(f"{folder!r}: {error.strerror}")
            continue
        if any(entry.name == STATE_FOLDER for entry in entries):
            left_out.results.append(folder)
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _OTHER_SOFTWARE:
                continue
            if _is_folder(entry):
                pending.append((entry.path, f"{prefix}{entry.name}/", above | {own}))
            else:
                yield prefix + entry.name, entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: no folder, and reading it as a file says why it fails
        return False


def holds_results(folder: str | Path) -> bool:
    """Whether a run has written its results into a folder."""
    return os.path.lexists(Path(folder, STATE_FOLDER))


def identity(folder: str | Path) -> tuple[int, int]:
    """What tells a folder from all others, whatever it is called.

    Raises:
        OSError: It is missing or cannot be reached.
    """
    status = os.stat(folder)  # noqa: PTH116 - of strings too
    return status.st_dev, status.st_ino


def looks_like_an_image(path: str) -> bool:
    """Whether a file is one, by its ending or else by its first bytes.

    What cannot be read counts as one, so that the reason is reported.
    """
    if has_image_suffix(path):
        return True
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - opening a pipe would wait for ever
            return False
        with open(path, "rb") as stream:  # noqa: PTH123 - one call a file, no Path object
            return _MAGIC.match(stream.read(16)) is not None
    except OSError:
        return True


def natural_key(name: str) -> tuple[object, ...]:
    """Sorting key under which numbers in names count by value, folder by folder.

    Names that differ only in case or in leading zeros are told apart by their characters, so the order is total.

    Example:
        >>> sorted(["b/1.jpg", "a10.jpg", "A9.jpg", "a/2.jpg"], key=natural_key)
        ['a/2.jpg', 'A9.jpg', 'a10.jpg', 'b/1.jpg']
    """
    parts = tuple(
        tuple((0, int(run), "") if run[0] in "0123456789" else (1, 0, run.casefold()) for run in _runs(part))
        for part in name.split("/")
    )
    return parts, name


def _runs(part: str) -> Iterator[str]:
    return (run for run in _DIGITS.split(part) if run)
