"""The sets of images that experiments are scored on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colocalization.common_object import sample_indices
from training.datasets import DatasetImage, open_dataset
from training.datasets.voc import SIX_BY_TWO
from training.errors import DatasetError

__all__ = ["EvaluationSet", "ScoredImages", "open_background", "open_sets"]

ScoredImages = Literal["all", "test"]
"""Which images are scored: all that have boxes, as co-localization benchmarks do, or the test split alone."""

_VIEWS = ("left", "right")


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Images that show one kind of thing, localized together.

    Attributes:
        name: Name of the set, unique; with a subset after a slash.
        group: What it is averaged with: PASCAL07-6x2 runs each view alone and averages the two.
        images: The images, each with at least one box.
    """

    name: str
    group: str
    images: tuple[DatasetImage, ...]


def open_sets(
    root: Path, *, layout: str = "auto", category: str = "", images: ScoredImages = "all", limit: int | None = None
) -> list[EvaluationSet]:
    """Open every set below a folder, or the one data set that the folder is.

    A folder that holds sub-folders with `boxes.csv` is a collection: each of them is a set, or two where
    `subset_left.txt` and `subset_right.txt` lie beside its images. Any other folder is read by `training.datasets`.

    Args:
        root: The folder.
        layout: Layout of a single data set, see `training.datasets`.
        category: Its class; empty with the layout `voc07_6x2`: all twelve subsets.
        images: Which images are scored.
        limit: Most images a set, spread evenly over it; None: all.

    Raises:
        DatasetError: The folder is missing, or no image in it has a box.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; expected data sets, or one data set")
    collection = sorted(path.parent for path in root.glob("*/boxes.csv"))
    if layout == "auto" and collection and not (root / "boxes.csv").is_file():
        sets = [members for folder in collection for members in _open_folder(folder, images)]
    elif layout == "voc07_6x2" and not category:
        names = [f"{name}_{view}" for name in SIX_BY_TWO for view in _VIEWS]
        sets = [
            EvaluationSet(name, name.rpartition("_")[0], _scored(open_dataset(root, layout, name).images, images))
            for name in names
        ]
    else:
        opened = open_dataset(root, layout, category).images
        sets = [EvaluationSet(root.name, root.name, _scored(opened, images))]
    sets = [_limited(members, limit) for members in sets if members.images]
    if not sets:
        raise DatasetError(f"{root}: no image to score has a box (images: {images})")
    return sets


def open_background(root: Path) -> tuple[DatasetImage, ...]:
    """Images of a collection that show nothing in common: its folder `background`.

    Raises:
        DatasetError: There is no such folder, or no image in it.
    """
    folder = root / "background"
    if not folder.is_dir():
        raise DatasetError(f"{folder} is missing; expected a folder of images without the common object")
    base = folder / "images" if (folder / "images").is_dir() else folder
    return open_dataset(base, "folder").images


def _open_folder(folder: Path, images: ScoredImages) -> list[EvaluationSet]:
    scored = _scored(open_dataset(folder, "folder").images, images)
    sets = []
    for view in _VIEWS:
        listed = folder / f"subset_{view}.txt"
        if listed.is_file():
            names = set(listed.read_text("utf-8").split())
            chosen = tuple(image for image in scored if image.name in names)
            sets.append(EvaluationSet(f"{folder.name}/{view}", folder.name, chosen))
    return sets or [EvaluationSet(folder.name, folder.name, scored)]


def _scored(images: tuple[DatasetImage, ...], which: ScoredImages) -> tuple[DatasetImage, ...]:
    return tuple(image for image in images if image.boxes and (which == "all" or image.split != "train"))


def _limited(members: EvaluationSet, limit: int | None) -> EvaluationSet:
    if limit is None:
        return members
    chosen = sample_indices(len(members.images), limit)
    return EvaluationSet(members.name, members.group, tuple(members.images[index] for index in chosen))
