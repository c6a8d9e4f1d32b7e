"""Small files that the user names: on this machine, behind a URL, or standard input."""

import sys
from pathlib import Path

from scoring.errors import InputError, reading
from scoring.stores.remote_store import store_of
from scoring.stores.urls import is_url, redacted

__all__ = ["read_given"]


def read_given(place: str | Path) -> bytes:
    """The content of a file or URL; `-` is standard input.

    Raises:
        InputError: It is missing or cannot be read.
        OSError: A package that its store needs is missing.
    """
    if str(place) == "-":
        return sys.stdin.buffer.read()
    if is_url(place):
        store = store_of(str(place))
        try:
            return store.read(str(place))
        except OSError as error:
            raise InputError(f"cannot read {redacted(str(place))!r}: {error.strerror or error}") from error
    with reading(place):
        return Path(place).read_bytes()
