"""Where API keys come from."""

from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["MIN_KEY_LENGTH", "check_read_only", "read_keys"]

MIN_KEY_LENGTH = 16


def check_read_only(names: Iterable[str], keys: Mapping[str, str]) -> None:
    """Refuse names of no key: a misspelt one would leave its key free to change everything.

    Raises:
        ValueError: There is no key of a name.
    """
    for name in names:
        if name not in keys:
            raise ValueError(f"there is no API key of the name {name!r} that could be read-only")


def read_keys(inline: str, file: Path | None) -> dict[str, str]:
    """Keys by name, from the settings and from a file.

    Args:
        inline: `name=key`, comma-separated.
        file: One `name=key` a line; empty lines and lines that start with `#` are skipped.

    Raises:
        ValueError: An entry has no name, a name is given twice, or a key is too short to be safe. The key itself is
            never part of the message.
        OSError: The file cannot be read.

    Example:
        >>> read_keys("alice=0123456789abcdef", None)
        {'alice': '0123456789abcdef'}
    """
    entries = [entry.strip() for entry in inline.split(",")]
    if file is not None:
        entries += [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    keys: dict[str, str] = {}
    for number, entry in enumerate((e for e in entries if e and not e.startswith("#")), start=1):
        name, separator, key = (part.strip() for part in entry.partition("="))
        if not separator or not name:
            raise ValueError(f"API key number {number} is not of the form name=key")
        if name in keys:
            raise ValueError(f"there are two API keys of the name {name!r}")
        if len(key) < MIN_KEY_LENGTH:
            raise ValueError(f"the API key {name!r} has {len(key)} characters, at least {MIN_KEY_LENGTH} are needed")
        keys[name] = key
    return keys
