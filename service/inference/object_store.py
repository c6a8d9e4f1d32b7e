"""Kept objects: fitted once, and looked for in whatever comes later, by all workers and after a restart.

Each is a file of `CommonObject.save` in one folder, under its name, written whole; files that `colocalize fit` wrote
may be laid there too. The folder is all there is: a worker sees at once what another has kept.
"""

import logging
import re
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.files import alone_in, naming, write_atomically
from colocalization.object_file import MOST_BYTES
from colocalization.object_members import Origin

__all__ = ["NAME_PATTERN", "KeptObject", "ObjectMissing", "ObjectStore", "StoreFull"]

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"
"""What a name may be: a file's name on every system, and nothing that leads out of the folder."""

_SUFFIX = ".npz"
_CACHE_BYTES = 32 * 2**20
_STALE_SECONDS = 60.0
"""Age from which on a temporary file is what a process that was killed has left."""

_logger = logging.getLogger(__name__)


class ObjectMissing(Exception):  # noqa: N818 -- a state, not a fault
    """There is no object of this name."""


class StoreFull(Exception):  # noqa: N818 -- a state, not a fault
    """The object does not fit in.

    Attributes:
        setting: Name of the limit that was hit.
        limit: Its value.
    """

    def __init__(self, message: str, setting: str, limit: int) -> None:
        super().__init__(message)
        self.setting = setting
        self.limit = limit


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An object as it was read.

    Attributes:
        name: Its name.
        common: The object.
        origin: What it was fitted with and on.
        digest: Hexadecimal SHA-256 of all that it holds.
        size: Bytes of its file.
        kept_at: When it was kept, in seconds since 1970.
    """

    name: str
    common: CommonObject
    origin: Origin
    digest: str
    size: int
    kept_at: float


class ObjectStore:
    """The objects in a folder. Every method may be called from any thread; all of them may wait for the disk."""

    def __init__(self, folder: Path, max_objects: int, max_bytes: int) -> None:
        """Make the folder where it is missing, and see whether it can be written.

        Args:
            folder: The folder.
            max_objects: Most objects in it.
            max_bytes: Most bytes of all objects together.

        Raises:
            OSError: The folder cannot be made or written.
        """
        self._folder = folder
        self._max_objects, self._max_bytes = max_objects, max_bytes
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, tuple[bytes, KeptObject]] = OrderedDict()
        with naming(folder), alone_in(folder, wait=True):
            self._remove_stale()

    def names(self) -> list[str]:
        """The names of all objects, sorted.

        Raises:
            OSError: The folder cannot be read.
        """
        return sorted(self._sizes())

    def get(self, name: str) -> KeptObject:
        """Read an object.

        Args:
            name: Its name, of the form `NAME_PATTERN`.

        Raises:
            ObjectMissing: There is none of this name.
            ObjectError: Its file is damaged.
            OSError: Its file cannot be read.
        """
        path = self._path(name)
        try:
            with path.open("rb") as file:
                content, kept_at = file.read(MOST_BYTES + 1), path.stat().st_mtime
        except FileNotFoundError:
            with self._lock:
                self._cache.pop(name, None)
            raise ObjectMissing(name) from None
        return self._read(name, content, kept_at)

    def check_room(self, name: str) -> None:
        """Raise `StoreFull` where one more object would be one too many; one that is replaced needs no room."""
        self._check_room(name, 0)

    def put(self, name: str, common: CommonObject) -> tuple[KeptObject, bool]:
        """Keep an object, in place of one of the same name; when this returns it is on the disk.

        Args:
            name: Its name, of the form `NAME_PATTERN`.
            common: The object, which knows its origin.

        Returns:
            The object, and whether there was none of the name.

        Raises:
            StoreFull: There is no room for it.
            ObjectError: It could not be read again.
            OSError: It cannot be written; what was kept under the name still is.
        """
        path = self._path(name)
        content = common.to_bytes()
        kept = self._read(name, content, time.time())
        with alone_in(self._folder, wait=True):  # of all workers, so that together they stay within the limits
            self._remove_stale()
            self._check_room(name, len(content))
            new = not path.exists()
            write_atomically(path, content)
        return kept, new

    def delete(self, name: str) -> None:
        """Remove an object.

        Raises:
            ObjectMissing: There is none of this name.
            OSError: It cannot be removed.
        """
        path = self._path(name)
        try:
            with alone_in(self._folder, wait=True):
                path.unlink()
        except FileNotFoundError:
            raise ObjectMissing(name) from None
        finally:
            with self._lock:
                self._cache.pop(name, None)

    def _path(self, name: str) -> Path:
        if not re.fullmatch(NAME_PATTERN, name):
            raise ValueError(f"the name of an object must be of the form {NAME_PATTERN}, got {name!r}")
        return self._folder / f"{name}{_SUFFIX}"

    def _read(self, name: str, content: bytes, kept_at: float) -> KeptObject:
        """The object in the content of a file, or the one that was read from the same content before.

        Compared are the bytes and not the file's time: two of a name may be kept within one tick of a file system's
        clock, and an object has 50 kB.
        """
        with self._lock:
            if (known := self._cache.get(name)) is not None and known[0] == content:
                self._cache.move_to_end(name)
                return replace(known[1], kept_at=kept_at)
        common = CommonObject.from_bytes(content, name)
        if common.origin is None:
            raise ObjectError(f"{name!r} does not say with which model it was fitted")
        kept = KeptObject(name, common, common.origin, common.digest, len(content), kept_at)
        with self._lock:
            self._cache[name] = content, kept
            self._cache.move_to_end(name)
            while len(self._cache) > 1 and sum(len(held) for held, _ in self._cache.values()) > _CACHE_BYTES:
                self._cache.popitem(last=False)
        return kept

    def _sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for path in self._folder.iterdir():
            name = path.name.removesuffix(_SUFFIX)
            if name != path.name and re.fullmatch(NAME_PATTERN, name):
                with suppress(FileNotFoundError):  # removed meanwhile
                    sizes[name] = path.stat().st_size
        return sizes

    def _check_room(self, name: str, size: int) -> None:
        sizes = self._sizes()
        sizes.pop(name, None)
        if len(sizes) + 1 > self._max_objects:
            message = f"{len(sizes)} objects are kept; at most {self._max_objects} may be"
            raise StoreFull(message, "max_objects", self._max_objects)
        if (together := sum(sizes.values()) + size) > self._max_bytes:
            message = f"with this one the objects have {together} bytes; at most {self._max_bytes} are allowed"
            raise StoreFull(message, "max_objects_bytes", self._max_bytes)

    def _remove_stale(self) -> None:
        for path in self._folder.glob(".*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
                    _logger.warning("removed what a process that was killed left of an object: %s", path.name)
