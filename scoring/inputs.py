"""Which files to score, what they are called in the results, and in which order they come."""

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from colocalization.errors import ColocalizeError

__all__ = ["InputError", "InputFile", "Inputs", "discover", "natural_key", "read_names", "reading"]

_DECODABLE = ".apng .bmp .dib .gif .jfif .jpe .jpeg .jpg .mpo .png .tif .tiff .webp"
# Photographs in formats that the decoder does not allow. They get an error line each rather than being counted among
# the files that are no images: someone with a folder of HEIC must hear about it.
_UNDECODABLE = ".arw .avif .cr2 .cr3 .dng .heic .heif .j2k .jp2 .jxl .nef .orf .raf .rw2"
_IMAGE_SUFFIXES = frozenset(f"{_DECODABLE} {_UNDECODABLE}".split())
_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF.{4}WEBP|BM.{4}\0{4}|II\*\0|MM\0\*|II\+\0|MM\0\+",
    re.DOTALL,
)
_DIGITS = re.compile(r"([0-9]+)")


class InputError(ColocalizeError):
    """What was given to score cannot be scored as given."""

    def __init__(self, message: str) -> None:
        super().__init__("input_error", message)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Around the reading of a file that the user named: one that is missing or unreadable is a mistake in the inputs.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to score.

    Attributes:
        name: Its `path` in the results: relative, forward slashes, never leaving the folder (`..`).
        path: Where it lies.
        size: Its size in bytes, or None where the file system does not say (a broken link, no permission).
        mtime_ns: When it was last changed, in nanoseconds since the epoch, or None likewise.
    """

    name: str
    path: str
    size: int | None
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was found.

    Attributes:
        files: The files to score, in order.
        skipped: Number of files left out because they are no images.
        loops: Links left out because they lead back to a folder that they lie in.
        unreadable_folders: Folders that could not be listed, each with the reason.
    """

    files: tuple[InputFile, ...]
    skipped: int
    loops: int
    unreadable_folders: tuple[str, ...]


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


def read_names(lines: Iterable[bytes]) -> list[str]:
    r"""File names out of the lines of a list: UTF-8, one a line, blank lines ignored.

    Bytes that are not UTF-8 are kept the way Python keeps them in file names, so that any file can be named.

    Example:
        >>> read_names([b"a.jpg\r\n", b"\n", b"b c.jpg"])
        ['a.jpg', 'b c.jpg']
    """
    content = b"".join(lines).removeprefix(b"\xef\xbb\xbf")
    names = (line.rstrip(b"\r") for line in content.split(b"\n"))
    return [os.fsdecode(name) for name in names if name.strip()]


def discover(
    inputs: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    strict: bool = False,
    exclude: Path | None = None,
) -> Inputs:
    """Find the files to score.

    A folder gives every image below it, named relative to the folder, in natural order; hidden files and folders
    (their name starts with a dot) are left out. A pattern gives the images that match, and those below the folders
    that match, named relative to the folder before the first wildcard. A file gives itself, named by its last part.
    Links to folders are followed, except where that leads in a circle.

    Args:
        inputs: Folders, files and patterns (`*`, `?`, `[...]`, `**`), in the order in which they are to come.
        names: Names out of a list, in order. They are relative to the one folder in `inputs`, or to the working
            folder where `inputs` is empty, and are called what they are called in the list; a name that leaves the
            folder is called by its last part.
        strict: Keep files that are no images, so that they become errors, in place of leaving them out.
        exclude: A folder that is never descended into: the results', which may lie among the images.

    Returns:
        The files, with counts of what was left out. The same file under the same name counts once.

    Raises:
        InputError: An input does not exist, nothing was found, or two different files have the same name.
    """
    finder = _Finder(strict, exclude)
    if names is None:
        for text in inputs:
            finder.add_input(text)
    else:
        finder.add_names(names, _base_of_names(inputs))
    if not finder.files:
        raise InputError(_nothing_found(inputs, names, finder))
    return Inputs(tuple(finder.files.values()), len(finder.skipped), finder.loops, tuple(finder.unreadable))


def _base_of_names(inputs: Sequence[str]) -> str:
    if not inputs:
        return "."
    if len(inputs) > 1 or not Path(inputs[0]).is_dir():
        raise InputError(
            "with a file of names, give one folder that the names are relative to, or none; "
            f"got {', '.join(map(repr, inputs))}"
        )
    return inputs[0]


def _nothing_found(inputs: Sequence[str], names: Sequence[str] | None, finder: "_Finder") -> str:
    where = ", ".join(map(repr, inputs)) if names is None else f"the {len(names)} names given"
    reasons = [f"{len(finder.skipped)} files are not images"] if finder.skipped else []
    reasons += [f"cannot read the folder {folder}" for folder in finder.unreadable]
    return f"no image found in {where}" + (f" ({'; '.join(reasons)})" if reasons else "")


class _Finder:
    """Collects files under unique names."""

    def __init__(self, strict: bool, exclude: Path | None) -> None:
        self.files: dict[str, InputFile] = {}
        self.skipped: set[str] = set()  # real paths, since a file may be given twice
        self.loops = 0
        self.unreadable: list[str] = []
        self._strict = strict
        self._excluded = _identity(exclude) if exclude is not None and exclude.exists() else None

    def add_input(self, text: str) -> None:
        if not text:
            raise InputError("an INPUT is empty; give a folder, a file or a pattern ('.' is the working folder)")
        path = Path(text)
        if path.is_dir():
            if _identity(path) == self._excluded:
                raise InputError(
                    f"the results cannot go into the very folder that is scored, {text!r}; "
                    "give them a folder of their own, which may lie in it"
                )
            self._add_sorted(self._walk(text))
        elif os.path.lexists(text):
            self._add(path.name, text)
        elif glob.has_magic(text):
            self._add_matches(text)
        else:
            raise InputError(f"there is no file or folder {text!r}")

    def add_names(self, names: Sequence[str], base: str) -> None:
        for name in names:
            path = str(Path(base, name))
            relative = os.path.relpath(path, base)  # of the names as written: links are not resolved
            leaves = PurePath(relative).parts[0] == os.pardir
            self._add(PurePath(path).name if leaves else PurePath(relative).as_posix(), path)

    def _add_matches(self, pattern: str) -> None:
        # `**` is expanded by the walk that knows about links in a circle; glob follows them forty levels deep.
        parts = PurePath(pattern).parts
        cut = parts.index("**") if "**" in parts else len(parts)
        head, tail = str(PurePath(*parts[:cut])), parts[cut:]
        root = _fixed_part(pattern)
        found: dict[str, str] = {}
        for match in glob.glob(head) if glob.has_magic(head) else [head]:  # noqa: PTH207 - takes absolute patterns too
            prefix = PurePath(os.path.relpath(match, root)).as_posix()
            if not Path(match).is_dir():
                found[prefix] = match
                continue
            for name, path in self._walk(match):
                if _matches(tail, name.split("/")):
                    found[name if prefix == "." else f"{prefix}/{name}"] = path
        if not found:
            raise InputError(f"nothing matches {pattern!r}")
        self._add_sorted(found.items())

    def _add_sorted(self, found: Iterable[tuple[str, str]]) -> None:
        for name, path in sorted(found, key=lambda pair: natural_key(pair[0])):
            self._add(name, path)

    def _add(self, name: str, path: str) -> None:
        if not (self._strict or _looks_like_an_image(path)):
            self.skipped.add(os.path.realpath(path))
            return
        if (other := self.files.get(name)) is not None:
            if os.path.realpath(other.path) != os.path.realpath(path):
                raise InputError(
                    f"{other.path!r} and {path!r} would both be called {name!r} in the results; "
                    "score them into two --out folders, or give the folder above both"
                )
            return
        try:
            status = os.stat(path)  # noqa: PTH116 - one call a file, no Path object
        except OSError:
            self.files[name] = InputFile(name, path, None, None)
        else:
            self.files[name] = InputFile(name, path, status.st_size, status.st_mtime_ns)

    def _walk(self, root: str) -> Iterator[tuple[str, str]]:
        """Names and paths of all files below a folder, in no particular order."""
        pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(root, "", frozenset())]
        while pending:
            folder, prefix, above = pending.pop()
            try:
                identity = _identity(Path(folder))
                if identity in above:
                    self.loops += 1
                    continue
                if identity == self._excluded:
                    continue
                with os.scandir(folder) as listing:
                    entries = [entry for entry in listing if not entry.name.startswith(".")]
            except OSError as error:
                self.unreadable.append(f"{folder!r}: {error.strerror}")
                continue
            for entry in entries:
                if _is_folder(entry):
                    pending.append((entry.path, f"{prefix}{entry.name}/", above | {identity}))
                else:
                    yield prefix + entry.name, entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: no folder, and reading it as a file says why it fails
        return False


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _fixed_part(pattern: str) -> str:
    """The folder before the first wildcard of a pattern.

    Example:
        >>> _fixed_part("sets/*/images/a?.jpg"), _fixed_part("*.jpg")
        ('sets', '.')
    """
    parts = PurePath(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return str(PurePath(*parts[:fixed]))


def _matches(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Whether the parts of a pattern match the parts of a name, or those of a folder above it.

    Example:
        >>> _matches(["**", "images", "*.jpg"], ["a", "b", "images", "1.jpg"]), _matches(["**", "b"], ["b", "c", "1"])
        (True, True)
    """
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return bool(name) and fnmatch.fnmatch(name[0], pattern[0]) and _matches(pattern[1:], name[1:])


def _looks_like_an_image(path: str) -> bool:
    """By its ending, or else by its first bytes; what cannot be read is kept, so that the reason is reported."""
    if PurePath(path).suffix.lower() in _IMAGE_SUFFIXES:
        return True
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - opening a pipe would wait for ever
            return False
        with open(path, "rb") as stream:  # noqa: PTH123 - one call a file, no Path object
            return _MAGIC.match(stream.read(16)) is not None
    except OSError:
        return True
