"""How the command line reads the values of its options: what is refused is named, together with what is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import typer

__all__ = ["label", "one_of", "out_folder", "true_or_false", "whole_number"]

_TRUE, _FALSE = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off", "")


def whole_number(least: int, most: int | None = None) -> Callable[[str | int], int]:
    """A reader of whole numbers.

    Args:
        least: The smallest that is allowed.
        most: The largest, or None where there is none.

    Example:
        >>> whole_number(0)("4")
        4
    """
    allowed = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"

    def read(value: str | int) -> int:
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or number < least or (most is not None and number > most):
            raise typer.BadParameter(f"must be {allowed}, got {str(value)!r}")
        return number

    return read


def one_of(literal: Any) -> Callable[[str], str]:
    """A reader of one of the strings of a `Literal`.

    Example:
        >>> from typing import Literal
        >>> one_of(Literal["auto", "cpu"])("cpu")
        'cpu'
    """
    allowed = get_args(literal)

    def read(value: str) -> str:
        if value not in allowed:
            raise typer.BadParameter(f"must be one of {', '.join(allowed)}, got {value!r}")
        return value

    return read


def true_or_false(value: str | bool) -> bool:
    """The value of a flag, which a variable may spell in the usual ways; an empty one counts as not set.

    Example:
        >>> true_or_false("Yes"), true_or_false("off"), true_or_false("")
        (True, False, False)
    """
    word = str(value).strip().lower()
    if word not in _TRUE + _FALSE:
        raise typer.BadParameter(f"must be true or false, got {str(value)!r}")
    return word in _TRUE


def out_folder(value: str | Path) -> Path:
    """A folder for results. An empty name, mostly a shell variable that is not set, would be the working folder."""
    if not str(value):
        raise typer.BadParameter("must be the name of a folder ('.' is the working folder), got ''")
    return Path(value)


def label(value: str) -> str:
    """The name of a class, which files of one class a line must be able to hold."""
    if not value.strip() or value.splitlines() != [value]:
        raise typer.BadParameter(f"must be a name on one line, got {value!r}")
    return value
