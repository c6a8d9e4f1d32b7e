"""Predictions in the formats of other tools: CSV, COCO, YOLO and Label Studio."""

from scoring.formats.base import DEFAULT_LABEL, ExportOptions, Format, FormatError, YoloImages
from scoring.formats.write import WrittenFormat, check_names, write_format

__all__ = [
    "DEFAULT_LABEL",
    "ExportOptions",
    "Format",
    "FormatError",
    "WrittenFormat",
    "YoloImages",
    "check_names",
    "write_format",
]
