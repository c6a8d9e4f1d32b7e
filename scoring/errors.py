"""What is wrong with what was given to score."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colocalization.errors import ColocalizeError

__all__ = ["InputError", "reading"]


class InputError(ColocalizeError):
    """What was given to score cannot be scored as given."""

    def __init__(self, message: str) -> None:
        super().__init__("input_error", message)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Around the reading of a file that the user named: one that is missing or unreadable is a mistake in the inputs.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
