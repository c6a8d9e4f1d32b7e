"""CSV: a row a box."""

import csv
import io
from collections.abc import Iterable
from typing import BinaryIO

from scoring.formats.base import Record

__all__ = ["write_csv"]

_HEADER = (
    *("file", "x0", "y0", "x1", "y1", "score", "confidence", "contains_common_object", "width", "height", "error"),
)


def write_csv(stream: BinaryIO, records: Iterable[Record]) -> None:
    """One row a box; an image without one has a row with empty corners, so that none is lost.

    The flag is empty where the mode cannot tell.
    """
    # surrogateescape: file names that are not UTF-8 keep their bytes.
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    rows = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows.writerow(_HEADER)
    for record in records:
        image = record.prediction
        boxes: list[tuple[float | str, ...]] = [
            (box["x0"], box["y0"], box["x1"], box["y1"], box["score"]) for box in image["boxes"]
        ]
        error = "" if image["error"] is None else image["error"]["code"]
        flag = {True: "true", False: "false", None: ""}[image["contains_common_object"]]
        # Before Python 3.13 a carriage return is left without quotes, and readers take it for the end of the row.
        writer = quoted if "\r" in image["path"] else rows
        for box in boxes or [("",) * 5]:
            writer.writerow([image["path"], *box, image["confidence"], flag, image["width"], image["height"], error])
    text.flush()
    text.detach()
