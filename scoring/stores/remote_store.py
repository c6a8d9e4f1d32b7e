"""One way to read, write and list whatever fsspec knows, with tries that go on where a store is slow or busy."""

import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from scoring.errors import InputError
from scoring.stores.urls import check_url, redacted, without_secrets

__all__ = ["SIDE_BY_SIDE", "RemoteStore", "StoredFile", "read_url", "store_of", "upload_all"]

SIDE_BY_SIDE = 16
"""Requests at the same time: a request to a store takes about 0.1 s, whatever the machine."""

_TRIES, _PATIENT_TRIES = 5, 2
_FIRST_WAIT = 0.5
"""Seconds before the second try; each further wait is twice as long, and anything from half to all of it."""

_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError)
"""What another try would not change."""

_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), ("s3", "s3fs")),
    **dict.fromkeys(("gs", "gcs"), ("gcs", "gcsfs")),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), ("azure", "adlfs")),
}
"""Schemes of URLs: the extra that brings what they need, and its package."""

_OPTIONS = {scheme: {"max_concurrency": 1} for scheme in ("s3", "s3a")}
"""Of s3fs: to read a file in one piece, for which it need not ask first how large it is."""

_PATIENT = frozenset(_OPTIONS)
"""Stores whose library tries again and again by itself: one more round is enough."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What a store says of one file.

    Attributes:
        url: Where it lies.
        size: Its size in bytes, or None where the store does not say.
        mtime_ns: When it was last changed, in nanoseconds since the epoch, or None likewise.
        is_folder: Whether it is no file but what files lie below.
    """

    url: str
    size: int | None
    mtime_ns: int | None
    is_folder: bool = False


class RemoteStore:
    """A store. Safe to use from several threads; whom it may be used by is told to the store's own library."""

    def __init__(self, url: str) -> None:
        """Open the store that a URL lies in.

        Raises:
            InputError: The URL has a password in it, names no bucket, or is of no store that fsspec knows.
            OSError: A package is missing, or the store's library cannot be set up.
        """
        check_url(url)
        self.scheme = url.partition("://")[0].lower()
        self._system = _file_system(self.scheme, url)

    def read(self, url: str, start: int | None = None, end: int | None = None) -> bytes:
        """The content of a file, or the bytes of it from `start` to before `end`.

        Raises:
            OSError: It is missing or cannot be read; the error names the URL.
        """
        return bytes(self._tried(url, lambda path: self._system.cat_file(path, start=start, end=end)))

    def write(self, url: str, content: bytes) -> None:
        """Write a file whole: others see the old one or the new one.

        Raises:
            OSError: It cannot be written.
        """
        self._tried(url, lambda path: self._system.pipe_file(path, content))

    def upload(self, source: Path, url: str) -> None:
        """Write a file, whole, from one on this machine.

        Raises:
            OSError: It cannot be written.
        """
        self._tried(url, lambda path: self._system.put_file(str(source), path))

    def remove(self, url: str) -> None:
        """Remove a file; nothing happens where there is none.

        Raises:
            OSError: It cannot be removed.
        """
        try:
            self._tried(url, lambda path: self._system.rm_file(path))
        except FileNotFoundError:
            return

    def find(self, url: str) -> StoredFile | None:
        """What lies at a URL; None where nothing does.

        Raises:
            OSError: The store does not say.
        """
        try:
            return self._stored(self._tried(url, self._system.info))
        except FileNotFoundError:
            return None

    def list(self, url: str) -> list[StoredFile]:
        """What lies in a folder, in no particular order; nothing where there is none.

        Raises:
            OSError: The store does not say.
        """
        try:
            found = self._tried(url, lambda path: self._system.ls(path, detail=True))
        except FileNotFoundError:
            return []
        own = self._path(url).strip("/")
        # A store without folders may hold an empty file that marks one, called as the folder with a slash.
        return [self._stored(one) for one in found if one["name"].strip("/") != own and not one["name"].endswith("/")]

    def _path(self, url: str) -> str:
        return str(self._system._strip_protocol(url))

    def _stored(self, info: dict[str, Any]) -> StoredFile:
        size = info.get("size")
        return StoredFile(
            self._system.unstrip_protocol(info["name"]),
            None if size is None else int(size),
            _changed_ns(info),
            info["type"] == "directory",
        )

    def _tried(self, url: str, call: Callable[[str], Result]) -> Result:
        wait = _FIRST_WAIT
        tries = _PATIENT_TRIES if self.scheme in _PATIENT else _TRIES
        for left in range(tries - 1, -1, -1):
            try:
                return call(self._path(url))
            except _FINAL as error:
                reason = (
                    "there is no such file" if isinstance(error, FileNotFoundError) else without_secrets(str(error))
                )
                raise type(error)(getattr(error, "errno", None) or 0, reason, redacted(url)) from None
            except Exception as error:  # each store has classes of its own
                if not left:
                    reason = without_secrets(str(error)) or type(error).__name__
                    raise OSError(
                        getattr(error, "errno", None) or 0,
                        f"the store has failed {tries} times: {reason}",
                        redacted(url),
                    ) from None
            time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - no secret
            wait *= 2
        raise AssertionError("unreachable")


@cache
def _opened(bucket: str) -> RemoteStore:
    return RemoteStore(bucket)


def store_of(url: str) -> RemoteStore:
    """The store that a URL lies in.

    Raises:
        InputError: See `RemoteStore`.
        OSError: Likewise.
    """
    check_url(url)
    scheme, _, rest = url.partition("://")
    return _opened(f"{scheme}://{rest.partition('/')[0]}")


def read_url(url: str) -> bytes:
    """The content of a file behind a URL.

    Raises:
        InputError: See `RemoteStore`.
        OSError: It is missing or cannot be read.
    """
    return store_of(url).read(url)


def upload_all(store: RemoteStore, files: Iterable[tuple[Path, str]]) -> int:
    """Write files, several at the same time; gives how many.

    Raises:
        OSError: One cannot be written.
    """
    with ThreadPoolExecutor(SIDE_BY_SIDE, "store") as pool:
        return sum(1 for _ in pool.map(lambda pair: store.upload(*pair), files))


def _file_system(scheme: str, url: str) -> Any:
    extra, package = _EXTRAS.get(scheme, ("s3", "fsspec"))
    try:
        import fsspec

        # What others write is to be seen, and a listing of millions is not to be kept.
        return fsspec.core.url_to_fs(url, use_listings_cache=False, **_OPTIONS.get(scheme, {}))[0]
    except ImportError as error:
        missing = (error.name or package) if scheme in _EXTRAS else (error.name or "fsspec")
        install = f"pip install 'colocalize[{extra}]'" if scheme in _EXTRAS else f"pip install {missing}"
        raise OSError(f"{scheme}:// needs the package {missing!r}; install it with: {install}") from None
    except ValueError as error:
        raise InputError(f"{redacted(url)!r} is of no store that is known: {without_secrets(str(error))}") from None


def _changed_ns(info: dict[str, Any]) -> int | None:
    """When a file was changed, by whichever name a store calls it."""
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        value = info.get(key)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                continue
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float):
            return round(value * 1e9)
    return None
