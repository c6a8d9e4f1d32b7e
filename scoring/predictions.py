"""One line of `predictions.jsonl`: from a result to its record and back, with a check that names what is wrong."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict, cast

from colocalization.errors import ColocalizeError
from colocalization.results import ImageResult

__all__ = [
    "DamagedFileError",
    "Prediction",
    "PredictionBox",
    "PredictionError",
    "encode_prediction",
    "read_predictions",
    "to_prediction",
]

COORDINATE_DECIMALS = 2
"""Decimals of coordinates in the file. A hundredth of a pixel is far below what any map resolves, and coarse enough
that the last bits of a float, which may differ between batch sizes and processors, do not reach the file."""

SCORE_DECIMALS = 4
"""Decimals of scores and confidences, for the same reason."""


class PredictionBox(TypedDict):
    """One box: half-open corners in pixels of the original, x to the right, y down; score in [0, 1]."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float


class PredictionError(TypedDict):
    """Why an image could not be read."""

    code: str
    message: str


class PredictionWarning(TypedDict):
    """What is wrong with an image that was read all the same."""

    code: str
    message: str


class Prediction(TypedDict):
    """One line of `predictions.jsonl`."""

    path: str
    width: int
    height: int
    boxes: list[PredictionBox]
    confidence: float
    contains_common_object: bool | None
    error: PredictionError | None
    warning: PredictionWarning | None


class DamagedFileError(ColocalizeError):
    """A line of a file is not what it has to be."""

    def __init__(self, path: Path | str, line: int, problem: str) -> None:
        super().__init__("damaged_file", f"{path}, line {line}: {problem}")


def to_prediction(name: str, result: ImageResult) -> Prediction:
    """The record of one image, rounded as it is written."""
    shown = result.contains_common_object
    return {
        "path": name,
        "width": result.width,
        "height": result.height,
        "boxes": [
            {
                "x0": _rounded(box.x0, COORDINATE_DECIMALS),
                "y0": _rounded(box.y0, COORDINATE_DECIMALS),
                "x1": _rounded(box.x1, COORDINATE_DECIMALS),
                "y1": _rounded(box.y1, COORDINATE_DECIMALS),
                "score": _rounded(box.score, SCORE_DECIMALS),
            }
            for box in result.boxes
        ],
        "confidence": _rounded(result.confidence, SCORE_DECIMALS),
        "contains_common_object": None if shown is None else bool(shown),
        "error": None if result.error is None else {"code": result.error.code, "message": result.error.message},
        "warning": None if result.warning is None else {"code": result.warning.code, "message": result.warning.message},
    }


def _rounded(value: float, decimals: int) -> float:
    return round(float(value), decimals) + 0.0  # + 0.0: no "-0.0" in the file


def encode_prediction(prediction: Prediction) -> bytes:
    """One line of the file, ASCII, with its line end.

    Non-ASCII characters are escaped, so that file names that are no valid Unicode survive too.
    """
    return json.dumps(prediction, allow_nan=False).encode("ascii") + b"\n"


def read_predictions(path: Path) -> Iterator[Prediction]:
    """Read a `predictions.jsonl`, checking every line.

    Raises:
        DamagedFileError: A line is not JSON, lacks an entry, or holds a box that is none.
        OSError: The file cannot be read.
    """
    seen: dict[str, int] = {}
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                prediction = _checked(json.loads(line))
            except ValueError as error:  # also what is not JSON, and bytes that are not UTF-8
                raise DamagedFileError(path, number, str(error)) from error
            name = prediction["path"]
            if (first := seen.setdefault(name, number)) != number:
                raise DamagedFileError(path, number, f"{name!r} stands in line {first} already")
            yield prediction


def _checked(record: Any) -> Prediction:
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, got {type(record).__name__}")
    if not isinstance(record.get("path"), str):
        raise ValueError(f"expected 'path' to be a string, got {record.get('path')!r}")
    if not isinstance(record.get("boxes"), list):
        raise ValueError(f"expected 'boxes' to be a list, got {record.get('boxes')!r}")
    for box in record["boxes"]:
        corners = [box.get(key) for key in ("x0", "y0", "x1", "y1")] if isinstance(box, dict) else [None]
        if not all(map(_is_finite, corners)):
            raise ValueError(f"expected a box with finite numbers x0, y0, x1, y1, got {box!r}")
        if not _is_finite(box.get("score", 0)):
            raise ValueError(f"expected the score of a box to be a finite number, got {box!r}")
    if not _is_finite(record.get("confidence", 0)):
        raise ValueError(f"expected 'confidence' to be a finite number, got {record['confidence']!r}")
    return cast(Prediction, record)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
