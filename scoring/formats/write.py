"""From a format's name to its writer."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from colocalization.files import atomic_writer
from colocalization.listing import ImageFile
from scoring.formats.base import ExportOptions, Format, Read
from scoring.formats.coco import write_coco
from scoring.formats.label_studio import document_root, write_label_studio
from scoring.formats.table import write_csv
from scoring.formats.yolo import check_yolo_names, write_yolo, yolo_files

__all__ = ["check_names", "format_files", "write_format"]

_FILES = {Format.CSV: "predictions.csv", Format.COCO: "coco.json", Format.LABELSTUDIO: "labelstudio.json"}
"""The formats that are one file, and its name."""


def check_names(formats: Iterable[str], files: Iterable[ImageFile], options: ExportOptions) -> None:
    """Check, before any work is done, that the images can be expressed in the formats.

    Raises:
        FormatError: Two images would have the same YOLO label file, or one lies outside Label Studio's document root.
    """
    files = tuple(files)
    if Format.YOLO in formats:
        check_yolo_names(file.name for file in files)
    if Format.LABELSTUDIO in formats:
        document_root(files, options.label_studio_root)


def write_format(kind: str, read: Read, out: Path, options: ExportOptions) -> Path:
    """Write predictions in one format.

    Args:
        kind: The format. `jsonl` is what predictions are kept in, and not written by this function.
        read: Reads the records from the beginning.
        out: Folder of the results.
        options: What one can choose.

    Returns:
        The file or folder that was written.

    Raises:
        ValueError: The format is not one of `Format`, or is `jsonl`.
        OSError: The file cannot be written.
    """
    if kind == Format.YOLO:
        write_yolo(out / "yolo", read(), options)
        return out / "yolo"
    if kind not in _FILES:
        raise ValueError(f"format must be one of csv, coco, yolo, labelstudio, got {kind!r}")
    path = out / _FILES[Format(kind)]
    with atomic_writer(path) as stream:
        match kind:
            case Format.CSV:
                write_csv(stream, read())
            case Format.COCO:
                write_coco(stream, read, options.label)
            case Format.LABELSTUDIO:
                write_label_studio(stream, read, options)
    return path


def format_files(kind: str, read: Read, out: Path, options: ExportOptions) -> Iterator[Path]:
    """All files that `write_format` writes for these records."""
    if kind == Format.YOLO:
        yield from yolo_files(out / "yolo", read(), options.yolo_images)
    else:
        yield out / _FILES[Format(kind)]
