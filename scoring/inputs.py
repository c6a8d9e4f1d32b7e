"""Which files to score, what they are called in the results, and in which order they come."""

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePath

from colocalization.listing import (
    ImageFile,
    LeftOut,
    holds_results,
    image_at,
    natural_key,
    walk,
)
from scoring.errors import InputError
from scoring.stores.urls import check_url, is_url, joined, redacted
from scoring.stores.walking import listed_images, matches, stored_images

__all__ = ["Inputs", "discover"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was found.

    Attributes:
        files: The files to score, in order, at least one; each has a name of its own.
        left_out: What was not taken, and why.
    """

    files: tuple[ImageFile, ...]
    left_out: LeftOut


def discover(
    inputs: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    strict: bool = False,
    exclude: Path | str | None = None,
    found: Callable[[], None] = lambda: None,
) -> Inputs:
    """Find the files to score.

    A folder gives every image below it (`colocalization.listing`), named relative to the folder, in natural order. A
    pattern gives the images that match, and those below the folders that match, named relative to the folder before
    the first wildcard. A file gives itself, named by its last part. A URL gives what lies in its store likewise.

    Args:
        inputs: Folders, files and patterns (`*`, `?`, `[...]`, `**`), also as URLs, in the order in which they are to
            come.
        names: Names out of a list, in order. They are relative to the one folder in `inputs`, or to the working
            folder where `inputs` is empty, and are called what they are called in the list; a name that leaves the
            folder is called by its last part. Folders in the list are left out, as `find` lists them beside files.
        strict: Keep files that are no images, so that they become errors, in place of leaving them out.
        exclude: A folder, or its URL, that is never descended into: the results', which may lie among the images.
        found: Called for every image, as it is found.

    Returns:
        The files, with what was left out. The same file under the same name counts once.

    Raises:
        InputError: An input does not exist, nothing was found, or two different files have the same name.
        OSError: A store cannot be used.
    """
    finder = _Finder(exclude, strict)
    if names is None:
        for text in inputs:
            finder.add_input(text)
    else:
        finder.add_names(names, _base_of_names(inputs))
    files = _images(chain.from_iterable(finder.found), finder.left_out, strict, found)
    if not files:
        raise InputError(_nothing_found(inputs, names, finder.left_out))
    return Inputs(files, finder.left_out)


def _images(
    candidates: Iterable[ImageFile | tuple[str, str]], left_out: LeftOut, strict: bool, found: Callable[[], None]
) -> tuple[ImageFile, ...]:
    """The images among files, each once."""
    files: dict[str, ImageFile] = {}
    for one in candidates:
        image = one if isinstance(one, ImageFile) else image_at(*one, left_out, any_file=strict)
        if image is None:
            continue
        if (other := files.setdefault(image.name, image)) is image:
            found()
            continue
        if _place(other) != _place(image):
            raise InputError(
                f"{redacted(other.path)!r} and {redacted(image.path)!r} would both be called {image.name!r} in the "
                "results; score them into two --out folders, or give the folder above both"
            )
    return tuple(files.values())


def _place(file: ImageFile) -> str:
    return file.path if is_url(file.path) else os.path.realpath(file.path)


def _base_of_names(inputs: Sequence[str]) -> str:
    if not inputs:
        return "."
    if len(inputs) == 1 and is_url(inputs[0]):
        check_url(inputs[0])
        return inputs[0].rstrip("/")
    if len(inputs) > 1 or not os.path.isdir(inputs[0]):  # noqa: PTH112 - also for names that no file can have
        raise InputError(
            "with a file of names, give one folder that the names are relative to, or none; "
            f"got {', '.join(map(repr, inputs))}"
        )
    return inputs[0]


def _nothing_found(inputs: Sequence[str], names: Sequence[str] | None, left_out: LeftOut) -> str:
    where = ", ".join(repr(redacted(text)) for text in inputs) if names is None else f"the {len(names)} names given"
    reasons = [f"{len(left_out.no_images)} files are not images"] if left_out.no_images else []
    reasons += left_out.warnings()
    return f"no image found in {where}" + (f" ({'; '.join(reasons)})" if reasons else "")


class _Finder:
    """Collects files, name and path, in the order in which they are to come; they are not looked into yet.

    Attributes:
        found: The files that each input gives. Folders are not listed before they are asked for.
        left_out: What was not taken; complete once all files were asked for.
    """

    def __init__(self, exclude: Path | str | None, strict: bool) -> None:
        self.found: list[Iterable[ImageFile | tuple[str, str]]] = []
        self.left_out = LeftOut()
        self._exclude = exclude if isinstance(exclude, Path) else None
        self._exclude_url = exclude if isinstance(exclude, str) else None
        self._strict = strict

    def add_input(self, text: str) -> None:
        if not text:
            raise InputError("an INPUT is empty; give a folder, a file or a pattern ('.' is the working folder)")
        if is_url(text):
            self.found.append(stored_images(text, self.left_out, any_file=self._strict, exclude=self._exclude_url))
        elif os.path.isdir(text):  # noqa: PTH112 - also for names that no file can have
            if self._exclude is not None and self._exclude.exists() and self._exclude.samefile(text):
                raise InputError(
                    f"the results cannot go into the very folder that is scored, {text!r}; "
                    "give them a folder of their own, which may lie in it"
                )
            self.found.append(walk(text, self.left_out, exclude=self._exclude))
        elif os.path.lexists(text):
            self.found.append([(PurePath(text).name, text)])
        elif glob.has_magic(text):
            self._add_matches(text)
        else:
            raise InputError(f"there is no file or folder {text!r}")

    def add_names(self, names: Sequence[str], base: str) -> None:
        if is_url(base) or any(map(is_url, names)):
            stored = [_stored_name(name, base) for name in names]
            self.found.append(listed_images(stored, self.left_out, any_file=self._strict))
            return
        present, missing = False, ""
        found: list[tuple[str, str]] = []
        for listed in names:
            name = _as_it_is_called(listed, base)
            path = str(Path(base, name))
            if os.path.isdir(path):  # noqa: PTH112 - one call a file, no Path object
                continue
            if os.path.lexists(path):
                present = True
            else:
                missing = missing or listed
            found.append((_name_below(path, base), path))
        self.found.append(found)
        if missing and not present:
            raise InputError(
                f"none of the {len(names)} names given is a file below {base!r}, such as {missing!r}; "
                "give one file name a line, without header or columns"
            )

    def _add_matches(self, pattern: str) -> None:
        # `**` is expanded by the walk that knows about links in a circle; glob follows them forty levels deep.
        parts = PurePath(pattern).parts
        cut = parts.index("**") if "**" in parts else len(parts)
        head, tail = str(PurePath(*parts[:cut])), parts[cut:]
        root = _fixed_part(pattern)
        found: dict[str, str] = {}
        for match in glob.glob(head) if glob.has_magic(head) else [head]:  # noqa: PTH207 - takes absolute patterns too
            prefix = PurePath(os.path.relpath(match, root)).as_posix()
            if self._lies_in_results(root, prefix):
                continue
            if not os.path.isdir(match):  # noqa: PTH112 - one call a match, no Path object
                found[prefix] = match
                continue
            for name, path in walk(match, self.left_out, exclude=self._exclude):
                if matches(tail, name.split("/")):
                    found[name if prefix == "." else f"{prefix}/{name}"] = path
        if not found:
            reasons = "; ".join(self.left_out.warnings())
            raise InputError(f"nothing matches {pattern!r}" + (f" ({reasons})" if reasons else ""))
        ordered: list[tuple[str, str]] = sorted(found.items(), key=lambda pair: natural_key(pair[0]))
        self.found.append(ordered)

    def _lies_in_results(self, root: str, name: str) -> bool:
        """Whether a wildcard has led into the results of a run."""
        for folder in PurePath(name).parents:
            path = str(Path(root, folder))
            if folder != PurePath() and holds_results(path):
                if path not in self.left_out.results:
                    self.left_out.results.append(path)
                return True
        return False


def _stored_name(listed: str, base: str) -> tuple[str, str]:
    """What a file that is named in a list is called in the results, and its URL."""
    if not is_url(base):
        base = ""
    url = listed if is_url(listed) else joined(base, listed.removeprefix("./"))
    if not is_url(url):
        raise InputError(f"the list has URLs, and {listed!r} is none; give one INPUT, a URL, that it is relative to")
    check_url(url)
    below = url.removeprefix(f"{base}/") if base else url
    return (url.rsplit("/", 1)[-1] if is_url(below) or ".." in below.split("/") else below), url


def _as_it_is_called(listed: str, base: str) -> str:
    """A name without the quotes that spreadsheets put around one with a comma, unless a file is called so."""
    quoted = len(listed) > 2 and listed[0] == listed[-1] == '"'
    return listed[1:-1].replace('""', '"') if quoted and not os.path.lexists(Path(base, listed)) else listed


def _name_below(path: str, base: str) -> str:
    """What a listed file is called: relative to the folder as written, links not resolved, or its last part."""
    try:
        relative = PurePath(os.path.relpath(path, base))
    except ValueError:  # on another drive of Windows
        return PurePath(path).name
    return PurePath(path).name if relative.parts[:1] == (os.pardir,) else relative.as_posix()


def _fixed_part(pattern: str) -> str:
    """The folder before the first wildcard of a pattern.

    Example:
        >>> _fixed_part("sets/*/images/a?.jpg"), _fixed_part("*.jpg")
        ('sets', '.')
    """
    parts = PurePath(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return str(PurePath(*parts[:fixed]))
