"""Writing files so that a reader sees the old content or the new, never a part.

Some file systems (NFS, CIFS, FUSE) know no locks, or cannot be told to put a folder on the disk. What they cannot do is
said once, and the work goes on without.
"""

import errno
import functools
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone_in", "atomic_writer", "link_atomically", "naming", "write_atomically"]

_logger = logging.getLogger(__name__)

_NOT_OFFERED = frozenset(
    (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOTTY, errno.EBADF)
)
"""What file systems answer when they are asked for something that they do not have."""


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Around the writing of a file: an error that names none, such as that of a full disk, is made to name this one.

    Args:
        path: The file.
        temporary: A name that it has until it is whole, which would tell nobody anything.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None or str(error.filename) == str(temporary):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def alone_in(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes that ask for the same out of a folder, which is made; the end of the process lets them in.

    Where the file system has no locks, nobody is kept out, and a warning says so.

    Args:
        folder: The folder.
        wait: Wait for one that is in it, in place of failing.

    Raises:
        OSError: Another one is in it, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(error.errno, "another run is writing into", str(folder)) from error
            except OSError as error:
                if error.errno not in _NOT_OFFERED:
                    raise
                _warn_once("the file system has no locks: no second run may write into the same folder")
        yield


@contextmanager
def atomic_writer(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; it takes the name when the block ends, and is removed when it fails.

    Args:
        path: The file to write; its folder is made.
        durable: Wait until the content is on the disk before the name changes, so that a power cut leaves the old
            file or the new one. Left out for the many small files that the next run can make again.

    Raises:
        OSError: The file cannot be written; `path` is as it was.
    """
    with _temporary_beside(path) as temporary:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            if durable:
                _sync(stream.fileno())
        temporary.replace(path)
    if durable:
        _sync_folder(path.parent)


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file atomically, making its folder; see `atomic_writer`."""
    with atomic_writer(path, durable=durable) as stream:
        stream.write(content)


def link_atomically(path: Path, target: Path) -> None:
    """Make `path` a symbolic link, in place of what is there; its folder is made.

    Raises:
        OSError: The file system has no links, or the link cannot be written; `path` is as it was.
    """
    with _temporary_beside(path) as temporary:
        temporary.symlink_to(target)
        temporary.replace(path)


@contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the same folder, which is free again when the block fails."""
    # The temporary name has a fixed length: one made from a long name would be too long for the file system.
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with naming(path, temporary):
            with suppress(FileExistsError):  # a file, of which opening what lies below says more
                path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
    except BaseException:
        with suppress(OSError):  # it is the first error that tells
            temporary.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows cannot open a folder, and orders the rename itself
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # a folder that may be written and not read
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
        _warn_once("the file system cannot be told to write to the disk: a power cut may cost the newest files")


@functools.cache
def _warn_once(message: str) -> None:
    _logger.warning("%s", message)
