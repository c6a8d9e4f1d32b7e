"""The photographs that an export is compared or calibrated on: some of a folder, of those that can be read."""

from collections.abc import Callable
from pathlib import Path

from colocalization.common_object import sample_indices
from colocalization.errors import ImageError
from colocalization.images import decode
from colocalization.listing import list_images
from model_export.errors import ParityError

__all__ = ["pick_photographs"]


def pick_photographs(folder: Path, most: int, warn: Callable[[str], None]) -> list[Path]:
    """Choose photographs, spread over the folder; others take the place of those that cannot be read.

    Args:
        folder: The folder, searched at any depth, as `colocalize score` does.
        most: How many at most, at least 1.
        warn: Is told of what is left out, a line each.

    Returns:
        At least one file, in the order of the folder.

    Raises:
        ParityError: No image in the folder can be read.
    """
    listing = list_images(folder)
    for line in listing.left_out.warnings():
        warn(line)
    paths = [Path(file.path) for file in listing.files]
    sample = [int(index) for index in sample_indices(len(paths), most)] if paths else []
    chosen = set(sample)
    readable: list[int] = []
    for index in (*sample, *(index for index in range(len(paths)) if index not in chosen)):
        if len(readable) == most:
            break
        try:
            decode(paths[index])
        except ImageError as error:
            warn(f"{paths[index]} is left out: {error.message}")
        else:
            readable.append(index)
    if not readable:
        reason = f"none of the {len(paths)} images can be read" if paths else "there are no images"
        raise ParityError(f"{reason} in {folder}")
    return [paths[index] for index in sorted(readable)]
