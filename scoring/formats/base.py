"""What all formats share: their names, what one can choose, and the records that they are written from."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Literal

from colocalization.errors import ColocalizeError
from colocalization.listing import ImageFile
from scoring.predictions import Prediction, PredictionBox

__all__ = [
    "DEFAULT_LABEL",
    "ExportOptions",
    "Format",
    "FormatError",
    "Read",
    "Record",
    "YoloImages",
    "box_size",
    "records",
    "write_list",
]

DEFAULT_LABEL = "object"
"""Name of the one class, in the formats that have classes."""

YoloImages = Literal["link", "copy", "none"]
"""How the images come beside YOLO's labels: as symbolic links, as copies, or not at all."""


class Format(StrEnum):
    """A format; an enumeration, since Typer takes no list of a `Literal`."""

    JSONL = "jsonl"
    CSV = "csv"
    COCO = "coco"
    YOLO = "yolo"
    LABELSTUDIO = "labelstudio"
    PARQUET = "parquet"


class FormatError(ColocalizeError):
    """The images' names cannot be expressed in a format."""

    def __init__(self, message: str) -> None:
        super().__init__("format_error", message)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What one can choose.

    Attributes:
        label: Name of the one class, in the formats that have classes.
        keep_unflagged: Whether boxes stay where the image is taken not to show the common object.
        yolo_images: How the images come beside YOLO's labels.
        label_studio_root: Label Studio's document root, which the images must lie below; None takes the folder above
            the one that holds them all.
        model: Name and version of the model, for the formats that state it.
    """

    label: str = DEFAULT_LABEL
    keep_unflagged: bool = False
    yolo_images: YoloImages = "link"
    label_studio_root: Path | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One image with what was predicted for it."""

    file: ImageFile
    prediction: Prediction

    @property
    def is_readable(self) -> bool:
        """Whether the image could be read; otherwise not even its size is known."""
        return self.prediction["width"] > 0


Read = Callable[[], Iterable[Record]]
"""Reads the records from the beginning; called as often as a format needs to pass over them, so that none has to hold
them all."""


def records(files: Iterable[ImageFile], predictions: Iterable[Prediction], *, keep_unflagged: bool) -> Iterator[Record]:
    """Images beside their predictions, without the boxes that no export should have.

    Args:
        files: The images.
        predictions: Their predictions, in the same order.
        keep_unflagged: Whether boxes stay where the flag is false. Without it the image is a negative: labels that
            are trained on must not hold a box of something else.
    """
    for file, prediction in zip(files, predictions, strict=True):
        if prediction["contains_common_object"] is False and not keep_unflagged:
            yield Record(file, {**prediction, "boxes": []})
        else:
            yield Record(file, prediction)


def box_size(box: PredictionBox) -> tuple[float, float]:
    """Width and height, rounded like the corners."""
    return round(box["x1"] - box["x0"], 2), round(box["y1"] - box["y0"], 2)


def write_list(stream: BinaryIO, items: Iterable[object]) -> None:
    """Write a JSON list, one item a line, without holding the items."""
    separator = b"[\n"
    for item in items:
        stream.write(separator + json.dumps(item).encode("ascii"))
        separator = b",\n"
    stream.write(b"[]" if separator == b"[\n" else b"\n]")
