"""Data sets: official layouts of the benchmarks, and a user's own folder."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from training.datasets import aircraft, cars, cub, dogs, folder, pets, voc
from training.datasets.base import BoxTuple, DatasetImage, ImageSet, Split
from training.errors import DatasetError

__all__ = ["LAYOUTS", "BoxTuple", "DatasetImage", "ImageSet", "Split", "open_dataset"]


class _Layout(NamedTuple):
    read: Callable[[Path, str], ImageSet]
    signatures: tuple[tuple[str, ...], ...]
    """Paths that tell the layout, any one group of them; none for layouts that must be named."""


LAYOUTS: dict[str, _Layout] = {
    "cub": _Layout(cub.read, (cub.SIGNATURE,)),
    "cars": _Layout(cars.read, cars.SIGNATURES),
    "aircraft": _Layout(aircraft.read, aircraft.SIGNATURES),
    "dogs": _Layout(dogs.read, (dogs.SIGNATURE,)),
    "voc07": _Layout(voc.read, voc.SIGNATURES),
    "voc07_6x2": _Layout(voc.read_6x2, ()),
    "pets": _Layout(pets.read, (pets.SIGNATURE,)),
    "folder": _Layout(folder.read, ()),
}
"""Every layout, by name."""


def open_dataset(root: Path, layout: str = "auto", category: str = "") -> ImageSet:
    """Read a data set.

    Args:
        root: Its folder.
        layout: One of `LAYOUTS`, or `auto`: the official layout whose files are there, else `folder`.
        category: Class to keep; what it means is up to the layout.

    Raises:
        DatasetError: The folder or a file of the layout is missing or damaged, or there is no such layout.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; expected a folder of images or a data set")
    if layout == "auto":
        layout = _recognise(root)
    if layout not in LAYOUTS:
        raise DatasetError(f"no layout {layout!r}; allowed: auto, {', '.join(LAYOUTS)}")
    return LAYOUTS[layout].read(root, category)


def _recognise(root: Path) -> str:
    for name, layout in LAYOUTS.items():
        if any(all((root / part).exists() for part in group) for group in layout.signatures):
            return name
    return "folder"
