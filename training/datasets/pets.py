"""Oxford-IIIT Pets (Parkhi et al. 2012), official layout.

The boxes of its XML files are of the head. The box of the animal is that of the trimap's foreground (1); its border of
"not classified" pixels (3) is left out.
"""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from training.datasets.base import BoxTuple, DatasetImage, ImageSet, Source, Split

__all__ = ["SIGNATURE", "read"]

SIGNATURE = ("annotations/trimaps", "annotations/trainval.txt")
SOURCE = Source("Oxford-IIIT Pets", "https://www.robots.ox.ac.uk/~vgg/data/pets/")


def read(root: Path, category: str = "") -> ImageSet:
    """Read the set from the folder that holds `images` and `annotations`.

    Args:
        root: The folder.
        category: `cat`, `dog`, or a text that the breed (`Abyssinian`) contains; empty: all.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    annotations = root / "annotations"
    images = []
    lists: tuple[tuple[Split, Path], ...] = (
        ("train", annotations / "trainval.txt"),
        ("test", annotations / "test.txt"),
    )
    for split, path in lists:
        for number, row in SOURCE.lines(path, "lines of `<image> <class> <species> <breed>`"):
            if len(row) != 4 or row[2] not in ("1", "2"):
                raise SOURCE.damaged(path, f"`<image> <class> <1 or 2> <breed>` in line {number}", " ".join(row))
            name, species = row[0], "cat" if row[2] == "1" else "dog"
            breed = name.rpartition("_")[0]
            if category.lower() in (species, "") or category.lower() in breed.lower():
                box = _box(annotations / "trimaps" / f"{name}.png")
                file = root / "images" / f"{name}.jpg"
                images.append(DatasetImage(f"{name}.jpg", file, split, (box,), breed))
    return SOURCE.finish("pets", images, annotations / "trainval.txt")


def _box(path: Path) -> BoxTuple:
    """Half-open box of a trimap's foreground."""
    expected = "a grey PNG with the values 1 (pet), 2 (background), 3 (border)"
    if not path.is_file():
        raise SOURCE.missing(path, expected)
    try:
        with Image.open(path) as image:
            foreground = np.asarray(image) == 1
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise SOURCE.damaged(path, expected, str(error)) from error
    if foreground.ndim != 2 or not foreground.any():
        raise SOURCE.damaged(path, expected, "no pixel of value 1")
    columns, rows = np.flatnonzero(foreground.any(axis=0)), np.flatnonzero(foreground.any(axis=1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
