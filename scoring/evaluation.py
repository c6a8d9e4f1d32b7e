"""CorLoc, average precision and recall of a file of predictions against a file of boxes."""

import csv
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from colocalization.average_precision import AveragePrecision, AveragePrecisionScores
from colocalization.corloc import CorLoc, CorLocScores
from scoring.errors import InputError, reading
from scoring.name_lists import read_names
from scoring.predictions import DamagedFileError, read_predictions

__all__ = ["Evaluation", "evaluate", "read_boxes"]

_COLUMNS = ("file", "x0", "y0", "x1", "y1")

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores, and what they were taken from.

    Attributes:
        scores: CorLoc over every file that has boxes.
        boxes: Average precision and recall over all boxes of these files, at IoU 0.5.
        unpredicted: Files that have boxes and no prediction, in order; each counts as a miss.
        unboxed: Number of predictions of files that have no boxes; they do not count.
        unknown: Names asked for that have no boxes; they do not count.
    """

    scores: CorLocScores
    boxes: AveragePrecisionScores
    unpredicted: tuple[str, ...]
    unboxed: int
    unknown: tuple[str, ...]


def evaluate(predictions: Path, boxes: Path, names: Path | None = None) -> Evaluation:
    """Score predictions against the boxes of the same name: the first box of each, and all of them.

    What orders boxes over the set is their score times the confidence of their image, 1 for what is not there.

    Args:
        predictions: A `predictions.jsonl`.
        boxes: CSV with the header `file,x0,y0,x1,y1`, half-open pixels; several rows a file allowed.
        names: Score only the files named in this file, one a line.

    Returns:
        The scores. Every file with boxes counts; one without a prediction, or without a predicted box, is a miss.

    Raises:
        DamagedFileError: A line of a file is not what it has to be.
        InputError: A file cannot be read, no file is left to score, or none of the files was predicted.
    """
    with reading(boxes):
        truth = read_boxes(boxes)
    unknown: tuple[str, ...] = ()
    if names is not None:
        wanted = list(dict.fromkeys(read_names(names)))
        unknown = tuple(name for name in wanted if name not in truth)
        truth = {name: truth[name] for name in wanted if name in truth}
    if not truth:
        raise InputError(f"{boxes} has no boxes" + (f" of the files named in {names}" if names else ""))
    found: dict[str, tuple[list[Corners], list[float]]] = {}
    unboxed: list[str] = []
    with reading(predictions):
        for one in read_predictions(predictions):
            if one["path"] in truth:
                corners = [(box["x0"], box["y0"], box["x1"], box["y1"]) for box in one["boxes"]]
                found[one["path"]] = corners, [box.get("score", 1) * one.get("confidence", 1) for box in one["boxes"]]
            else:
                unboxed.append(one["path"])
    if not found:
        raise InputError(_no_match(predictions, unboxed, boxes, truth))
    corloc, precision = CorLoc(), AveragePrecision()
    for name, corners in truth.items():
        boxes_found, ranks = found.get(name, ([], []))
        corloc.add(boxes_found[:1], corners)
        precision.add(boxes_found, ranks, corners)
    unpredicted = tuple(name for name in truth if name not in found)
    return Evaluation(corloc.compute(), precision.compute(), unpredicted, len(unboxed), unknown)


def _no_match(predictions: Path, predicted: list[str], boxes: Path, truth: Collection[str]) -> str:
    if not predicted:
        return f"{predictions} holds no prediction"
    return (
        f"no path of {predictions} (such as {predicted[0]!r}) is a file of {boxes} (such as {next(iter(truth))!r}); "
        "score the folder that the names of the boxes are relative to"
    )


def read_boxes(path: Path) -> dict[str, list[Corners]]:
    """Read a CSV of boxes.

    Returns:
        The boxes of each file, in the order of the rows.

    Raises:
        DamagedFileError: The header is another, or a row is no box.
        OSError: The file cannot be read.
    """
    boxes: dict[str, list[Corners]] = {}
    # utf-8-sig: spreadsheets begin the file with a byte order mark.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = csv.DictReader(stream)
        if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
            raise DamagedFileError(path, 1, f"the header lacks {', '.join(missing)}; expected {','.join(_COLUMNS)}")
        try:
            for row in rows:
                boxes.setdefault(row["file"], []).append(_corners(row))
        except (ValueError, csv.Error) as error:
            raise DamagedFileError(path, rows.line_num, str(error)) from error
    return boxes


def _corners(row: dict[str, str | None]) -> Corners:
    values = [row[key] for key in _COLUMNS[1:]]
    try:
        x0, y0, x1, y1 = (float(value or "") for value in values)
    except ValueError as error:
        raise ValueError(f"expected numbers x0,y0,x1,y1, got {values}") from error
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise ValueError(f"expected a box with x0 < x1 and y0 < y1, got {values}")
    return x0, y0, x1, y1
