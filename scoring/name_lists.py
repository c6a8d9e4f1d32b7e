"""Lists of file names as tools write them: `ls`, `find -print0`, PowerShell, spreadsheets."""

import codecs
import os
from pathlib import Path

from scoring.errors import InputError
from scoring.stores.given_files import read_given

__all__ = ["parse_names", "read_names"]

_MARKS = (  # the longer mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_names(path: str | Path) -> list[str]:
    """The names in a list: a file, a URL, or `-` for standard input. See `parse_names`.

    Raises:
        InputError: The file cannot be read, or is no list of names.
    """
    try:
        return parse_names(read_given(path))
    except ValueError as error:
        raise InputError(f"{str(path)!r} is no list of file names: {error}") from error


def parse_names(content: bytes) -> list[str]:
    r"""File names out of a list, one a line, or each ended by a NUL byte; empty ones are left out.

    UTF-8, or UTF-16 and UTF-32 with their byte order mark. Bytes that are not UTF-8 are kept the way Python keeps them
    in file names, so that any file can be named. Lines end with LF, CR LF or CR.

    Raises:
        ValueError: The list is neither.

    Example:
        >>> parse_names(b"a.jpg\r\n\nb c.jpg"), parse_names(b"./a.jpg\0./b\nc.jpg\0")
        (['a.jpg', 'b c.jpg'], ['./a.jpg', './b\nc.jpg'])
    """
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    content = content.removeprefix(mark)
    if not mark and b"\0" in content:
        encoding = _without_mark(content)
    if encoding == "utf-8":
        names = [os.fsdecode(name) for name in _split(content)]
    else:
        text = content.decode(encoding, "surrogatepass")
        if "\0" in text:
            raise ValueError(f"a NUL character in {encoding.upper()} text")
        names = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [name for name in names if name.strip()]


def _without_mark(content: bytes) -> str:
    """Tell UTF-16 without its mark, in which every second byte of Latin text is NUL, from names ended by NUL."""
    if b"\n\0" in content and not content[1::2].strip(b"\0"):
        return "utf-16-le"
    if b"\0\n" in content and not content[::2].strip(b"\0"):
        return "utf-16-be"
    return "utf-8"


def _split(content: bytes) -> list[bytes]:
    if b"\0" in content:
        return content.split(b"\0")
    if b"\n" not in content:
        return content.split(b"\r")
    return [line.rstrip(b"\r") for line in content.split(b"\n")]
