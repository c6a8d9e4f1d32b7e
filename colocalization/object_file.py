"""The file of a common object: an `.npz` of small arrays without pickle, which nobody's content can make dangerous.

`numpy.load` reads it too. It is written whole, and the same object always gives the same bytes. What is read may come
from anywhere: sizes are checked before anything is allocated, nothing is ever unpacked, and a digest over all members
tells a damaged file from a whole one.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from colocalization.errors import ObjectError
from colocalization.files import write_atomically

__all__ = ["FORMAT", "Members", "digest_of", "from_bytes", "read_members", "to_bytes", "write_members"]

FORMAT = "colocalize-object/1"
"""What the member `format` says; the number rises when older versions could no longer read what is written."""

Members = Mapping[str, NDArray[Any]]
"""Arrays by name, each of one of the types in `TYPES`."""

TYPES = ("|u1", "<i8", "<f4", "<f8")
"""Types of arrays in a file, as numpy writes them: bytes of text, whole numbers, descriptors, other numbers."""

MOST_BYTES = 4 * 2**20
"""Largest file that is read: an object takes 50 kB, with ten thousand hinted boxes 200 kB, with what it needs to grow
2 to 3 MB."""

_MOST_MEMBERS = 200
_MOST_HEADER_BYTES = 1000
_FORMAT, _DIGEST = "format", "digest"


def write_members(path: Path, members: Members) -> None:
    """Write a file whole, making its folder.

    Raises:
        OSError: The file cannot be written; `path` is as it was.
    """
    write_atomically(path, to_bytes(members))


def read_members(path: Path) -> dict[str, NDArray[Any]]:
    """Read a file.

    Raises:
        ObjectError: The file is missing or cannot be read, or is none that `write_members` has written.
    """
    try:
        if not path.is_file():  # reading a pipe may never end
            raise ObjectError(f"there is no file {str(path)!r}")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise ObjectError(f"cannot read the common object {str(path)!r}: {reason}") from error
    return from_bytes(content, str(path))


def digest_of(members: Members) -> str:
    """Hexadecimal SHA-256 over the names, types, shapes and values of all members."""
    digest = hashlib.sha256()
    for name in sorted(members):
        array = members[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def to_bytes(members: Members) -> bytes:
    """The content of a file.

    Args:
        members: Arrays of the types in `TYPES`.

    Raises:
        ValueError: An array is of another type.
    """
    arrays = {
        _FORMAT: np.frombuffer(FORMAT.encode(), np.uint8),
        _DIGEST: np.frombuffer(bytes.fromhex(digest_of(members)), np.uint8),
        **members,
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            if array.dtype.str not in TYPES:
                raise ValueError(f"{name} must be of one of {', '.join(TYPES)}, got {array.dtype.str}")
            data = io.BytesIO()
            npy.write_array(data, array, version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy")  # always of the same date
            member.create_system = 3  # on every system the same bytes
            archive.writestr(member, data.getvalue())
    return content.getvalue()


def from_bytes(content: bytes, source: str) -> dict[str, NDArray[Any]]:
    """The members in the content of a file.

    Args:
        content: The content.
        source: What the file is called, for messages.

    Returns:
        The arrays, read-only, in views of no more memory than the content.

    Raises:
        ObjectError: It is damaged, too large, or not the content of such a file.
    """
    if len(content) > MOST_BYTES:
        raise ObjectError(f"{source!r} is no common object: it is larger than {MOST_BYTES // 2**20} MiB")
    try:
        members = _unzipped(content)
    except Exception as error:  # zipfile and numpy raise nearly anything over damaged content
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ObjectError(f"{source!r} is no common object, or is damaged: {reason:.200}") from error
    told, digest = members.pop(_FORMAT, None), members.pop(_DIGEST, None)
    if told is None or digest is None:
        raise ObjectError(f"{source!r} is no common object: it does not say of which format it is")
    if told.tobytes() != FORMAT.encode():
        raise ObjectError(
            f"{source!r} is of the format {told.tobytes()[:40].decode(errors='replace')!r}, "
            f"and this version of Colocalize reads {FORMAT!r}"
        )
    if digest.tobytes().hex() != digest_of(members):
        raise ObjectError(f"{source!r} is damaged: its content is not what was written")
    return members


def _unzipped(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays in a zip archive that is not compressed; any exception means that it is none of ours."""
    members: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_MEMBERS:
            raise ValueError(f"it has {len(entries)} members, and at most {_MOST_MEMBERS} are allowed")
        # Members may lie over each other: what they claim together is held against what there is.
        if sum(entry.file_size for entry in entries) > len(content):
            raise ValueError("its members claim to be larger than the file")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise ValueError(f"its member {entry.filename!r:.60} is compressed")
            name = entry.filename.removesuffix(".npy")
            if name in members or name == entry.filename:
                raise ValueError(f"its member {entry.filename!r:.60} is there twice, or is no array")
            members[name] = _array(archive.read(entry), name)
    return members


def _array(data: bytes, name: str) -> NDArray[Any]:
    stream = io.BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError(f"{name!r:.60} is an array of another version")
    shape, by_columns, kind = npy.read_array_header_1_0(stream, max_header_size=_MOST_HEADER_BYTES)
    values = data[stream.tell() :]
    if kind.str not in TYPES or by_columns or len(shape) > 2:
        raise ValueError(f"{name!r:.60} must be at most 2-dimensional of one of {', '.join(TYPES)}, got {kind.str:.20}")
    if min(shape, default=0) < 0 or prod(shape) * kind.itemsize != len(values):
        raise ValueError(f"{name!r:.60} claims the shape {shape} and has {len(values)} bytes")
    return np.frombuffer(values, kind).reshape(shape)
