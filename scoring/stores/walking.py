"""Which images lie behind a URL: the rules of `colocalization.listing`, where a look at a file is a request."""

import fnmatch
import glob
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from colocalization.image_formats import HEAD_BYTES, format_of
from colocalization.listing import (
    STATE_FOLDER,
    ImageFile,
    LeftOut,
    is_called_an_image,
    is_hidden,
    natural_key,
)
from scoring.errors import InputError
from scoring.pipeline import ordered_map
from scoring.stores.remote_store import SIDE_BY_SIDE, RemoteStore, StoredFile, store_of
from scoring.stores.urls import joined, redacted

__all__ = ["listed_images", "matches", "stored_images"]


class _Found(NamedTuple):
    name: str
    file: StoredFile


def stored_images(
    url: str, left_out: LeftOut, *, any_file: bool = False, exclude: str | None = None
) -> Iterator[ImageFile]:
    """The images that a URL gives, in natural order: those below it, those that match it, or itself.

    Args:
        url: A folder, a file, or a pattern (`*`, `?`, `[...]`, `**`).
        left_out: Takes up what is not taken.
        any_file: Whether to take what is no image too.
        exclude: URL of a folder that is never descended into.

    Yields:
        The images, folder by folder.

    Raises:
        InputError: Nothing lies there, or it is the very folder that is excluded.
        OSError: The store cannot be used.
    """
    if glob.has_magic(url.partition("://")[2].partition("/")[0]):
        raise InputError(f"{redacted(url)!r} has a wildcard in its bucket; name one bucket")
    store = store_of(url)
    if exclude is not None and url.rstrip("/") == exclude.rstrip("/"):
        raise InputError(f"the results cannot go into the very folder that is scored, {redacted(url)!r}")
    found = store.find(url)
    if found is None and glob.has_magic(url):
        return _matching(store, url, left_out, any_file, exclude)
    if found is None:
        raise InputError(f"there is no file or folder {redacted(url)!r}")
    if not found.is_folder:
        return iter(_images(store, [_Found(url.rsplit("/", 1)[-1], found)], left_out, any_file))
    return _below(store, url, "", left_out, any_file, exclude)


def listed_images(urls: Sequence[tuple[str, str]], left_out: LeftOut, *, any_file: bool) -> Iterator[ImageFile]:
    """The images among files that were named one by one.

    Args:
        urls: Name in the results and URL of each.
        left_out: Takes up a file that is no image.
        any_file: Whether to take what is no image too.

    Yields:
        The images, in order. One that is not there is among them: reading it says so.
    """

    def looked_up(named: tuple[str, str]) -> _Found | None:
        name, url = named
        found = store_of(url).find(url)
        if found is not None and found.is_folder:
            return None
        return _Found(name, found or StoredFile(url, None, None))

    with ThreadPoolExecutor(SIDE_BY_SIDE, "store") as pool:
        for found in ordered_map(pool, looked_up, urls, ahead=4 * SIDE_BY_SIDE):
            if found is not None:
                yield from _images(store_of(found.file.url), [found], left_out, any_file)


def matches(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Whether the parts of a pattern match the parts of a name, or those of a folder above it.

    Example:
        >>> matches(["**", "images", "*.jpg"], ["a", "b", "images", "1.jpg"]), matches(["**", "b"], ["b", "c", "1"])
        (True, True)
    """
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(matches(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return bool(name) and fnmatch.fnmatch(name[0], pattern[0]) and matches(pattern[1:], name[1:])


def _matching(
    store: RemoteStore, url: str, left_out: LeftOut, any_file: bool, exclude: str | None
) -> Iterator[ImageFile]:
    scheme, _, rest = url.partition("://")
    parts = rest.split("/")
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    root = f"{scheme}://{'/'.join(parts[:fixed])}"
    for image in _below(store, root, "", left_out, any_file, exclude):
        if matches(parts[fixed:], image.name.split("/")):
            yield image


def _below(
    store: RemoteStore, url: str, prefix: str, left_out: LeftOut, any_file: bool, exclude: str | None
) -> Iterator[ImageFile]:
    if exclude is not None and url.rstrip("/") == exclude.rstrip("/"):
        return
    try:
        listed = store.list(url)
    except PermissionError as error:
        left_out.unreadable.append(f"{redacted(url)!r}: {error.strerror}")
        return
    named = [_Found(one.url.rstrip("/").rsplit("/", 1)[-1], one) for one in listed]
    if any(one.name == STATE_FOLDER for one in named):
        left_out.results.append(redacted(url))
        return
    shown = sorted((one for one in named if not is_hidden(one.name)), key=lambda one: natural_key(one.name))
    del listed, named
    run: list[_Found] = []  # of files side by side, which are looked at together
    for one in shown:
        if not one.file.is_folder:
            run.append(_Found(prefix + one.name, one.file))
            continue
        yield from _images(store, run, left_out, any_file)
        run = []
        yield from _below(store, joined(url, one.name), f"{prefix}{one.name}/", left_out, any_file, exclude)
    yield from _images(store, run, left_out, any_file)


def _images(store: RemoteStore, files: Sequence[_Found], left_out: LeftOut, any_file: bool) -> Iterator[ImageFile]:
    doubtful = [] if any_file else [one for one in files if not is_called_an_image(one.name)]
    no_images: set[str] = set()
    if doubtful:
        with ThreadPoolExecutor(SIDE_BY_SIDE, "store") as pool:
            looked = pool.map(lambda one: _begins_like_one(store, one.file), doubtful)
            no_images = {one.file.url for one, is_image in zip(doubtful, looked, strict=True) if not is_image}
    left_out.no_images |= no_images
    for name, file in files:
        if file.url not in no_images:
            yield ImageFile(name, file.url, file.size, file.mtime_ns)


def _begins_like_one(store: RemoteStore, file: StoredFile) -> bool:
    if file.size == 0:
        return False
    try:
        return format_of(store.read(file.url, 0, HEAD_BYTES)) is not None
    except OSError:
        return True  # so that the reason is reported
