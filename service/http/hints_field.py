"""The parameter `hints`: what a client says of some of its images, read and checked before any of them is decoded."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from colocalization.hints import Hint, HintError, ImageHints, gather_hints, hints_of
from service.http.problems import Problem

__all__ = ["MAX_HINTS", "MAX_HINTS_BYTES", "hint_problem", "read_hints"]

MAX_HINTS = 64
"""Most hints in a request: each box is a size that is looked for in every image."""

MAX_HINTS_BYTES = 64 * 2**10
"""Largest form field `hints`."""

_CORNERS = ("x0", "y0", "x1", "y1")
_MEMBERS = frozenset({"image", *_CORNERS})
_MAX_TOLD = 200


def read_hints(text: str, names: Sequence[str]) -> dict[int, ImageHints]:
    """Read hints, a JSON list of `{"image": NAME, "x0": .., "y0": .., "x1": .., "y1": ..}`.

    The corners are pixels of the original as displayed; left out, or null, they say that the image does not show the
    object. Whether a box lies in its image is known only once that is decoded.

    Args:
        text: The JSON.
        names: File names of the request's images.

    Returns:
        What was said of each image, by its place in the request.

    Raises:
        Problem: The JSON is malformed, or a hint is of another form, for no image or for several of one name, or
            against another hint (`invalid_hint`, 422).
    """
    hints = [_hint(index, entry) for index, entry in enumerate(_entries(text))]
    times = Counter(names)
    for index, hint in enumerate(hints):
        if times[hint.image] > 1:
            raise _refused(f"is for one of {times[hint.image]} images of one name; give each its own", index, hint)
        if not times[hint.image]:
            raise _refused("is for an image that is not in the request", index, hint)
    try:
        gathered = gather_hints(hints, names)
    except HintError as error:
        raise hint_problem(error) from error
    return {names.index(name): said for name, said in gathered.items()}


def hint_problem(error: HintError) -> Problem:
    """The problem of a hint that cannot be used."""
    return Problem("invalid_hint", f"{error.message[:1].upper()}{error.message[1:]}.")


def _entries(text: str) -> list[Any]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem("invalid_hint", f"hints must be a JSON list, got {text[:_MAX_TOLD]!r}.") from error
    if not isinstance(entries, list):
        raise Problem("invalid_hint", f"hints must be a JSON list, got {text[:_MAX_TOLD]!r}.")
    if len(entries) > MAX_HINTS:
        raise Problem(
            "invalid_hint",
            f"The request has {len(entries)} hints; at most {MAX_HINTS} are allowed.",
            {"limit": {"name": "hints", "value": MAX_HINTS}},
        )
    return entries


def _hint(index: int, entry: Any) -> Hint:
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str):
        raise _refused('must be an object with the name of an "image" and "x0", "y0", "x1", "y1"', index, entry)
    if unknown := sorted(entry.keys() - _MEMBERS):
        told = unknown[0][:_MAX_TOLD]
        raise _refused(f"has {told!r}; its members are image, x0, y0, x1, y1", index, entry)
    name = entry["image"]
    corners = [entry.get(corner) for corner in _CORNERS]
    if all(corner is None for corner in corners):
        return Hint(name, None)
    if not all(isinstance(corner, int | float) and not isinstance(corner, bool) for corner in corners):
        raise _refused("must have four numbers x0, y0, x1, y1, or none of them", index, entry)
    try:
        (hint,) = hints_of({name: corners})
    except (HintError, OverflowError) as error:  # an integer of 400 digits is no float
        raise _refused("must have 0 <= x0 < x1 and 0 <= y0 < y1, in pixels", index, entry) from error
    return hint


def _refused(why: str, index: int, given: object) -> Problem:
    told = str(given) if isinstance(given, Hint) else json.dumps(given, ensure_ascii=False)
    told = told if len(told) <= _MAX_TOLD else f"{told[:_MAX_TOLD]}…"
    # JSON can name halves of characters, which no answer can carry.
    told, why = (text.encode("utf-8", "backslashreplace").decode() for text in (told, why))
    return Problem("invalid_hint", f"Hint {index + 1}, {told}, {why}.", {"errors": [{"hint": index, "message": why}]})
