"""Records in parts: each part is measured on its own, replaces its namesake alone, and says which run it is from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.records import write_json

__all__ = ["Part", "keep_part", "read_parts"]

Part = dict[str, Any]


def read_parts(path: Path) -> list[Part]:
    """The parts of a record, each with the `run` that measured it; none if there is no such file.

    Raises:
        ValueError: The file is no record in parts.
    """
    if not path.is_file():
        return []
    record = json.loads(path.read_text("utf-8"))
    if not isinstance(record, dict) or "parts" not in record:
        raise ValueError(f"{path} is no record in parts: measure it anew")
    return list(record["parts"])


def keep_part(path: Path, name: str, part: Part, keys: Sequence[str]) -> None:
    """Put a part into a record, in place of the one of the same keys; all others stay.

    The parts are sorted by their keys: numbers by size, names as they first came.

    Args:
        path: The record; it is made where there is none.
        name: Of the benchmark.
        part: What was measured, with its `run`.
        keys: Which of its values tell it from the other parts.
    """
    kept = read_parts(path)
    same = [index for index, kept_part in enumerate(kept) if all(kept_part[key] == part[key] for key in keys)]
    if same:
        kept[same[0]] = part
    else:
        kept.append(part)
    first = {key: list(dict.fromkeys(kept_part[key] for kept_part in kept)) for key in keys}

    def place(kept_part: Part) -> list[int]:
        return [kept_part[key] if isinstance(kept_part[key], int) else first[key].index(kept_part[key]) for key in keys]

    write_json(path, {"experiment": name, "parts": sorted(kept, key=place)})
