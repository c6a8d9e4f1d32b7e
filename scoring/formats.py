"""Predictions in the formats of other tools: CSV, COCO, YOLO and Label Studio."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal
from urllib.parse import quote

from colocalization.errors import ColocalizeError
from colocalization.files import atomic_writer, write_atomically
from scoring.predictions import Prediction, PredictionBox

__all__ = ["DEFAULT_LABEL", "Format", "FormatError", "check_names", "format_files", "write_format"]

Format = Literal["jsonl", "csv", "coco", "yolo", "labelstudio"]

DEFAULT_LABEL = "object"
"""Name of the one class, in the formats that have classes."""

Read = Callable[[], Iterable[Prediction]]
"""Reads the predictions from the beginning; called as often as a format needs to pass over them, so that none has to
hold them all."""

_FILES: dict[Format, str] = {"csv": "predictions.csv", "coco": "coco.json", "labelstudio": "labelstudio.json"}
"""The formats that are one file, and its name."""

_CSV_HEADER = (
    *("file", "x0", "y0", "x1", "y1", "score", "confidence", "contains_common_object", "width", "height", "error"),
)


class FormatError(ColocalizeError):
    """The images' names cannot be expressed in a format."""

    def __init__(self, message: str) -> None:
        super().__init__("format_error", message)


def check_names(formats: Iterable[Format], names: Iterable[str]) -> None:
    """Check, before any work is done, that the images' names can be expressed in the formats.

    Raises:
        FormatError: Two images would have the same YOLO label file, since YOLO names it without the ending.
    """
    if "yolo" not in formats:
        return
    seen: dict[PurePosixPath, str] = {}
    for name in names:
        if (other := seen.setdefault(_yolo_name(name), name)) != name:
            raise FormatError(
                f"YOLO would call the labels of {other!r} and {name!r} both {str(_yolo_name(name))!r}; rename one"
            )


def write_format(kind: Format, read: Read, out: Path, *, label: str = DEFAULT_LABEL, model: str = "") -> Path:
    """Write predictions in one format.

    Args:
        kind: The format. `jsonl` is what predictions are kept in, and not written by this function.
        read: Reads the predictions from the beginning.
        out: Folder of the results.
        label: Name of the one class.
        model: Name and version of the model, for the formats that state it.

    Returns:
        The file or folder that was written.

    Raises:
        ValueError: The format is not one of `Format`, or is `jsonl`.
        OSError: The file cannot be written.
    """
    match kind:
        case "csv":
            path = out / _FILES[kind]
            with atomic_writer(path) as stream:
                _write_csv(stream, read())
        case "coco":
            path = out / _FILES[kind]
            with atomic_writer(path) as stream:
                _write_coco(stream, read, label)
        case "labelstudio":
            path = out / _FILES[kind]
            with atomic_writer(path) as stream:
                _write_list(stream, (_label_studio_task(one, label, model) for one in read() if one["width"] > 0))
        case "yolo":
            path = out / "yolo"
            _write_yolo(path, read(), label)
        case _:
            raise ValueError(f"format must be one of csv, coco, yolo, labelstudio, got {kind!r}")
    return path


def format_files(kind: Format, predictions: Iterable[Prediction], out: Path) -> Iterator[Path]:
    """All files that `write_format` writes for these predictions."""
    if kind == "yolo":
        yield out / "yolo" / "classes.txt"
        yield from (_labels(out / "yolo", one) for one in predictions if one["width"] > 0)
    else:
        yield out / _FILES[kind]


def _write_csv(stream: BinaryIO, predictions: Iterable[Prediction]) -> None:
    """One row a box; an image without one has a row with empty corners, so that none is lost."""
    # surrogateescape: file names that are not UTF-8 keep their bytes.
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_CSV_HEADER)
    for one in predictions:
        rows_of_boxes: list[tuple[float | str, ...]] = [
            (box["x0"], box["y0"], box["x1"], box["y1"], box["score"]) for box in one["boxes"]
        ]
        error = "" if one["error"] is None else one["error"]["code"]
        shows = str(one["contains_common_object"]).lower()
        for box in rows_of_boxes or [("",) * 5]:
            rows.writerow([one["path"], *box, one["confidence"], shows, one["width"], one["height"], error])
    text.flush()
    text.detach()


def _write_coco(stream: BinaryIO, read: Read, label: str) -> None:
    """A COCO data set; an image that could not be read is left out, since its size is not known."""
    stream.write(b'{"info": {"description": "Predicted by Colocalize"},\n"categories": ')
    stream.write(json.dumps([{"id": 1, "name": label, "supercategory": ""}]).encode())
    stream.write(b',\n"images": ')
    _write_list(stream, (_coco_image(number, one) for number, one in _numbered(read())))
    stream.write(b',\n"annotations": ')
    boxes = ((number, box) for number, one in _numbered(read()) for box in one["boxes"])
    _write_list(stream, (_coco_annotation(index, *pair) for index, pair in enumerate(boxes, start=1)))
    stream.write(b"}\n")


def _numbered(predictions: Iterable[Prediction]) -> Iterator[tuple[int, Prediction]]:
    return enumerate((one for one in predictions if one["width"] > 0), start=1)


def _coco_image(number: int, one: Prediction) -> dict[str, object]:
    return {"id": number, "file_name": one["path"], "width": one["width"], "height": one["height"]}


def _coco_annotation(number: int, image: int, box: PredictionBox) -> dict[str, object]:
    width, height = _size(box)
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [box["x0"], box["y0"], width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "segmentation": [],
        "score": box["score"],
    }


def _label_studio_task(one: Prediction, label: str, model: str) -> dict[str, object]:
    """A task with a pre-annotation, for the labelling interface of docs/cli.md; sizes are in percent."""
    width, height = one["width"], one["height"]
    regions = []
    for number, box in enumerate(one["boxes"], start=1):
        across, down = _size(box)
        regions.append(
            {
                "id": f"box{number}",
                "type": "rectanglelabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "score": box["score"],
                "value": {
                    "x": 100 * box["x0"] / width,
                    "y": 100 * box["y0"] / height,
                    "width": 100 * across / width,
                    "height": 100 * down / height,
                    "rotation": 0,
                    "rectanglelabels": [label],
                },
            }
        )
    return {
        "data": {"image": f"/data/local-files/?d={quote(one['path'], errors='surrogateescape')}"},
        "predictions": [{"model_version": model, "score": one["confidence"], "result": regions}],
    }


def _write_yolo(folder: Path, predictions: Iterable[Prediction], label: str) -> None:
    """One text file an image, empty where there is no box; five columns, which is what training on them expects."""
    write_atomically(folder / "classes.txt", f"{label}\n".encode())
    for one in predictions:
        if one["width"] > 0:
            lines = "".join(_yolo_line(box, one["width"], one["height"]) for box in one["boxes"])
            write_atomically(_labels(folder, one), lines.encode(), durable=False)


def _labels(folder: Path, one: Prediction) -> Path:
    return folder / "labels" / _yolo_name(one["path"])


def _yolo_line(box: PredictionBox, width: int, height: int) -> str:
    across, down = _size(box)
    centre = (box["x0"] + across / 2) / width, (box["y0"] + down / 2) / height
    return f"0 {centre[0]:.6f} {centre[1]:.6f} {across / width:.6f} {down / height:.6f}\n"


def _yolo_name(name: str) -> PurePosixPath:
    return PurePosixPath(name).with_suffix(".txt")


def _size(box: PredictionBox) -> tuple[float, float]:
    """Width and height, rounded like the corners."""
    return round(box["x1"] - box["x0"], 2), round(box["y1"] - box["y0"], 2)


def _write_list(stream: BinaryIO, items: Iterable[object]) -> None:
    """A JSON list, one item a line, without holding the items."""
    separator = b"[\n"
    for item in items:
        stream.write(separator + json.dumps(item).encode("ascii"))
        separator = b",\n"
    stream.write(b"[]" if separator == b"[\n" else b"\n]")
