"""From a format's name to its writer."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from colocalization.files import atomic_writer
from colocalization.listing import ImageFile
from scoring.formats.base import ExportOptions, Format, Read
from scoring.formats.coco import write_coco
from scoring.formats.label_studio import document_root, write_label_studio
from scoring.formats.parquet import need_pyarrow, write_parquet
from scoring.formats.table import write_csv
from scoring.formats.yolo import check_yolo_names, write_yolo

__all__ = ["FILE_NAMES", "WrittenFormat", "check_names", "write_file", "write_format"]

FILE_NAMES = {
    Format.CSV: "predictions.csv",
    Format.COCO: "coco.json",
    Format.LABELSTUDIO: "labelstudio.json",
    Format.PARQUET: "predictions.parquet",
}
"""The formats that are one file, and its name."""


def check_names(formats: Iterable[str], files: Iterable[ImageFile], options: ExportOptions) -> None:
    """Check, before any work is done, that the images can be expressed in the formats.

    Raises:
        FormatError: Two images would have the same YOLO label file, or one lies outside Label Studio's document root.
        OSError: A package that a format needs is missing.
    """
    files = tuple(files)
    if Format.PARQUET in formats:
        need_pyarrow()
    if Format.YOLO in formats:
        check_yolo_names(file.name for file in files)
    if Format.LABELSTUDIO in formats:
        document_root(files, options.label_studio_root)


@dataclass(frozen=True, slots=True)
class WrittenFormat:
    """What was written.

    Attributes:
        path: The file or folder to look at.
        files: All files; strings, since a large set has many.
        note: What people need to know to use it, or empty.
    """

    path: Path
    files: tuple[str, ...]
    note: str = ""


def write_format(kind: str, read: Read, out: Path, options: ExportOptions) -> WrittenFormat:
    """Write predictions in one format.

    Args:
        kind: The format. `jsonl` is what predictions are kept in, and not written by this function.
        read: Reads the records from the beginning.
        out: Folder of the results.
        options: What one can choose.

    Raises:
        ValueError: The format is not one of `Format`, or is `jsonl`.
        OSError: The file cannot be written.
    """
    if kind == Format.YOLO:
        return WrittenFormat(out / "yolo", tuple(map(str, write_yolo(out / "yolo", read(), options))))
    if kind not in FILE_NAMES:
        raise ValueError(f"format must be one of csv, coco, yolo, labelstudio, parquet, got {kind!r}")
    path = out / FILE_NAMES[Format(kind)]
    with atomic_writer(path) as stream:
        note = write_file(Format(kind), stream, read, options)
    return WrittenFormat(path, (str(path),), note)


def write_file(kind: Format, stream: BinaryIO, read: Read, options: ExportOptions) -> str:
    """Write predictions in one of the formats that are one file.

    Args:
        kind: One of `FILE_NAMES`.
        stream: Takes the file's bytes.
        read: Reads the records from the beginning.
        options: What one can choose.

    Returns:
        What people need to know to use it, or nothing.

    Raises:
        FormatError: An image does not lie below Label Studio's document root.
    """
    match kind:
        case Format.CSV:
            write_csv(stream, read())
        case Format.COCO:
            write_coco(stream, read, options.label)
        case Format.PARQUET:
            write_parquet(stream, (record.prediction for record in read()))
        case Format.LABELSTUDIO:
            return f"Label Studio: {write_label_studio(stream, read, options)}"
    return ""
