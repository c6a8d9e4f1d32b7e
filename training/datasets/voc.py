"""PASCAL VOC 2007 (Everingham et al.) and its co-localization subsets 07-6x2 (Deselaers, Alexe, Ferrari 2012).

6x2: six classes in two views, left and right. The images of train and val that show at least one object of the class
from that side which is neither truncated nor difficult. The published lists are the authority where they are at hand;
this rule reproduces how they were made. A hit is an overlap with any box of the class in the image.
"""

from pathlib import Path

from training.datasets.base import DatasetImage, ImageSet, Source, Split, VocObject, read_voc_xml
from training.errors import DatasetError

__all__ = ["SIGNATURES", "SIX_BY_TWO", "read", "read_6x2"]

SIGNATURES = (("VOC2007/ImageSets/Main",), ("ImageSets/Main", "JPEGImages", "Annotations"))
SIX_BY_TWO = ("aeroplane", "bicycle", "boat", "bus", "horse", "motorbike")
SOURCE = Source("PASCAL VOC 2007", "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/")


def read(root: Path, category: str = "") -> ImageSet:
    """Read the images that show a class; trainval trains, test tests.

    Boxes are those of the class's objects that are not marked difficult; an image with none of these is left out.

    Args:
        root: The folder `VOCdevkit` or `VOC2007`.
        category: The class; co-localization needs one.

    Raises:
        DatasetError: No class is named, or a file is missing or damaged. The test split may be missing: the official
            archives come apart.
    """
    if not category:
        raise DatasetError("PASCAL VOC 2007: name one class to co-localize, for example --set data.category=bus")
    base = _base(root)
    main = base / "ImageSets" / "Main"
    images = []
    lists: tuple[tuple[Split, Path], ...] = (
        ("train", main / f"{category}_trainval.txt"),
        ("test", main / f"{category}_test.txt"),
    )
    for split, path in lists:
        if split == "test" and not path.is_file():
            continue
        for name in _positives(path):
            objects = [item for item in _objects(base, name) if item.name == category and not item.difficult]
            if objects:
                images.append(_image(base, name, split, objects, category))
    return SOURCE.finish("voc07", images, lists[0][1])


def read_6x2(root: Path, category: str = "") -> ImageSet:
    """Read one of the 6x2 subsets. All images are in both roles: co-localization trains on the set it is scored on.

    Args:
        root: The folder `VOCdevkit` or `VOC2007`.
        category: `<class>_<left or right>`, for example `bus_left`.

    Raises:
        DatasetError: There is no such subset, or a file is missing or damaged.
    """
    name, _, view = category.partition("_")
    if name not in SIX_BY_TWO or view not in ("left", "right"):
        allowed = ", ".join(f"{known}_left" for known in SIX_BY_TWO)
        raise DatasetError(f"PASCAL07-6x2: no subset {category!r}; allowed: {allowed}, and the same with _right")
    base = _base(root)
    path = base / "ImageSets" / "Main" / f"{name}_trainval.txt"
    images = []
    for key in _positives(path):
        objects = [item for item in _objects(base, key) if item.name == name]
        if any(item.pose.lower() == view and not item.truncated and not item.difficult for item in objects):
            images.append(_image(base, key, "both", objects, category))
    return SOURCE.finish("voc07_6x2", images, path)


def _base(root: Path) -> Path:
    return root / "VOC2007" if (root / "VOC2007").is_dir() else root


def _positives(path: Path) -> list[str]:
    """Names of the images that a class list marks 1; 0 marks those that show difficult objects alone."""
    names = []
    for number, row in SOURCE.lines(path, "lines of `<image> <-1, 0 or 1>`"):
        if len(row) != 2 or row[1] not in ("-1", "0", "1"):
            raise SOURCE.damaged(path, f"`<image> <-1, 0 or 1>` in line {number}", " ".join(row))
        if row[1] == "1":
            names.append(row[0])
    return names


def _objects(base: Path, name: str) -> list[VocObject]:
    return read_voc_xml(SOURCE, base / "Annotations" / f"{name}.xml")


def _image(base: Path, name: str, split: Split, objects: list[VocObject], category: str) -> DatasetImage:
    boxes = tuple(item.box for item in objects)
    return DatasetImage(f"{name}.jpg", base / "JPEGImages" / f"{name}.jpg", split, boxes, category)
