"""Predictions in the formats of other tools: CSV, COCO, YOLO and Label Studio.

What lies in here is for all who have predictions, folders and the service alike; nothing else of `scoring` is.
"""

from scoring.formats.base import DEFAULT_LABEL, ExportOptions, Format, FormatError, Record, YoloImages, records
from scoring.formats.write import FILE_NAMES, WrittenFormat, check_names, write_file, write_format
from scoring.formats.yolo import yolo_files
from scoring.predictions import Prediction, encode_prediction, to_prediction

__all__ = [
    "DEFAULT_LABEL",
    "FILE_NAMES",
    "ExportOptions",
    "Format",
    "FormatError",
    "Prediction",
    "Record",
    "WrittenFormat",
    "YoloImages",
    "check_names",
    "encode_prediction",
    "records",
    "to_prediction",
    "write_file",
    "write_format",
    "yolo_files",
]
