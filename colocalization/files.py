"""Writing files so that a reader sees the old content or the new, never a part."""

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

__all__ = ["alone_in", "atomic_writer", "naming", "write_atomically"]


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
            error.filename = str(path)
        raise


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same out of a folder, which is made; the end of the process lets them in.

    Raises:
        OSError: Another one is in it, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(error.errno, "another run is writing into", str(folder)) from error
        yield


@contextmanager
def atomic_writer(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; it takes the name when the block ends, and is removed when it fails.

    Args:
        path: The file to write; its folder must exist.
        durable: Wait until the content is on the disk before the name changes, so that a power cut leaves the old
            file or the new one. Left out for the many small files that the next run can make again.

    Raises:
        OSError: The file cannot be written; `path` is as it was.
    """
    # The temporary name has a fixed length: one made from a long name would be too long for the file system.
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with naming(path, temporary):
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # it is the first error that tells
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file atomically, making its folder; see `atomic_writer`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path, durable=durable) as stream:
        stream.write(content)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows cannot open a folder, and orders the rename itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
