"""Common objects in files, on this machine or in a store."""

from pathlib import Path

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.object_file import MOST_BYTES
from scoring.stores.remote_store import store_of
from scoring.stores.urls import is_url, redacted

__all__ = ["load_object", "save_object"]


def load_object(place: str) -> CommonObject:
    """Read a common object from a file or a URL.

    Raises:
        InputError: The URL cannot be used.
        ObjectError: It is missing, damaged, or none.
        OSError: The store cannot be used.
    """
    if not is_url(place):
        return CommonObject.load(place)
    store = store_of(place)
    found = store.find(place)
    if found is None or found.is_folder:
        raise ObjectError(f"there is no file {redacted(place)!r}")
    end = None if found.size is not None and found.size <= MOST_BYTES else MOST_BYTES + 1
    return CommonObject.from_bytes(store.read(place, None if end is None else 0, end), redacted(place))


def save_object(common: CommonObject, place: str) -> None:
    """Write a common object to a file or a URL, whole.

    Raises:
        InputError: The URL cannot be used.
        ObjectError: It could not be read again.
        OSError: It cannot be written.
    """
    if is_url(place):
        store_of(place).write(place, common.to_bytes())
    else:
        common.save(Path(place))
