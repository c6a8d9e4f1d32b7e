"""Label Studio: tasks with pre-annotations."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from colocalization.listing import ImageFile
from scoring.formats.base import ExportOptions, FormatError, Read, Record, box_size, write_list
from scoring.stores.urls import is_url, redacted

__all__ = ["document_root", "write_label_studio"]


def write_label_studio(stream: BinaryIO, read: Read, options: ExportOptions) -> str:
    """A list of tasks, for the labelling interface of docs/cli.md; an image that could not be read has none.

    Returns:
        What Label Studio must be told to show the images, in words.

    Raises:
        FormatError: An image does not lie below the document root.
    """
    root = document_root((record.file for record in read()), options.label_studio_root)
    write_list(stream, (_task(record, root, options) for record in read() if record.is_readable))
    stored = next((record.file.path for record in read() if is_url(record.file.path)), None)
    if stored is not None:
        return f"connect the cloud storage of {redacted(stored)} as a source"
    return f"document root {root}, local storage {_common_folder(record.file for record in read())}"


def document_root(files: Iterable[ImageFile], given: Path | None) -> Path:
    """The folder that Label Studio is told to serve from.

    Label Studio serves a file only below a storage, which must itself lie below the document root: so this is a folder
    above the one that holds all images.

    Args:
        files: The images.
        given: A document root that was asked for.

    Raises:
        FormatError: An image does not lie below the one that was asked for, or not in a folder below it.
    """
    if given is None:
        return Path(_common_folder(files)).parent
    root = Path(os.path.abspath(given))  # noqa: PTH100 - links are not resolved, nor does Label Studio resolve them
    for file in files:
        if is_url(file.path):
            continue  # it is fetched from its store
        if root not in Path(os.path.abspath(file.path)).parent.parents:  # noqa: PTH100
            raise FormatError(
                f"Label Studio serves only what lies in a folder below its document root {str(root)!r}, "
                f"and {file.path!r} does not"
            )
    return root


def _common_folder(files: Iterable[ImageFile]) -> str:
    common: str | None = None
    for file in files:
        if is_url(file.path):
            continue
        folder = os.path.dirname(os.path.abspath(file.path))  # noqa: PTH100, PTH120 - one call a file, no Path object
        if common is None:
            common = folder
        elif folder != common:
            try:
                common = os.path.commonpath((common, folder))
            except ValueError as error:  # drives of Windows
                raise FormatError("the images lie on several drives, of which Label Studio serves only one") from error
    return common or os.curdir


def _task(record: Record, root: Path, options: ExportOptions) -> dict[str, object]:
    image = record.prediction
    return {
        "data": {
            "image": _address(record.file.path, root),
            "path": image["path"],
            "confidence": image["confidence"],
            "contains_common_object": image["contains_common_object"],
        },
        "predictions": [
            {"model_version": options.model, "score": image["confidence"], "result": _regions(record, options.label)}
        ],
    }


def _address(path: str, root: Path) -> str:
    """Where Label Studio finds an image: it reads the URLs of stores that are connected to it."""
    if is_url(path):
        return path
    below = Path(os.path.abspath(path)).relative_to(root).as_posix()  # noqa: PTH100
    return f"/data/local-files/?d={quote(below, errors='surrogateescape')}"


def _regions(record: Record, label: str) -> list[dict[str, object]]:
    """One rectangle a box; sizes are in percent of the image."""
    width, height = record.prediction["width"], record.prediction["height"]
    regions: list[dict[str, object]] = []
    for number, box in enumerate(record.prediction["boxes"], start=1):
        across, down = box_size(box)
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
    return regions
