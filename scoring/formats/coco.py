"""COCO: one data set."""

import json
from collections.abc import Iterator
from typing import BinaryIO

from scoring.formats.base import Read, Record, box_size, write_list
from scoring.predictions import Prediction, PredictionBox

__all__ = ["write_coco"]


def write_coco(stream: BinaryIO, read: Read, label: str) -> None:
    """A COCO data set; an image that could not be read is left out, since its size is not known.

    Images carry `confidence` and `contains_common_object` beside what COCO asks for, annotations `score` and the flag.
    They have no `confidence`: FiftyOne calls `score` so, and stops at an annotation with both.
    """
    stream.write(b'{"info": {"description": "Predicted by Colocalize"},\n"categories": ')
    stream.write(json.dumps([{"id": 1, "name": label, "supercategory": ""}]).encode())
    stream.write(b',\n"images": ')
    write_list(stream, (_image(number, record.prediction) for number, record in _numbered(read)))
    stream.write(b',\n"annotations": ')
    boxes = (
        (number, record.prediction, box) for number, record in _numbered(read) for box in record.prediction["boxes"]
    )
    write_list(stream, (_annotation(index, *of_image) for index, of_image in enumerate(boxes, start=1)))
    stream.write(b"}\n")


def _numbered(read: Read) -> Iterator[tuple[int, Record]]:
    return enumerate((record for record in read() if record.is_readable), start=1)


def _image(number: int, image: Prediction) -> dict[str, object]:
    size = {"width": image["width"], "height": image["height"]}
    of_the_set = {"confidence": image["confidence"], "contains_common_object": image["contains_common_object"]}
    return {"id": number, "file_name": image["path"], **size, **of_the_set}


def _annotation(number: int, image_number: int, image: Prediction, box: PredictionBox) -> dict[str, object]:
    width, height = box_size(box)
    return {
        "id": number,
        "image_id": image_number,
        "category_id": 1,
        "bbox": [box["x0"], box["y0"], width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "segmentation": [],
        "score": box["score"],
        "contains_common_object": image["contains_common_object"],
    }
