"""Stanford Cars (Krause et al. 2013), both variants of its annotations in circulation.

`devkit`: `cars_train/`, `cars_test/` and `devkit/cars_train_annos.mat`, `devkit/cars_test_annos_withlabels.mat` (or
`cars_test_annos.mat`, which has boxes but no classes). `car_ims`: `car_ims/` and one `cars_annos.mat` with both splits.
"""

from pathlib import Path

from training.datasets.base import BoxTuple, DatasetImage, ImageSet, Source, Split
from training.datasets.mat import read_records

__all__ = ["SIGNATURES", "read"]

SIGNATURES = (("cars_annos.mat",), ("devkit/cars_train_annos.mat",))
SOURCE = Source("Stanford Cars", "https://www.kaggle.com/datasets/eduardo4jesus/stanford-cars-dataset")
_CORNERS = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


def read(root: Path, category: str = "") -> ImageSet:
    """Read the set.

    Args:
        root: The folder that holds `cars_annos.mat` or `devkit`.
        category: Keep the class with this number (1 ... 196); empty: all.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    both = root / "cars_annos.mat"
    images = _car_ims(root, both) if both.is_file() else _devkit(root)
    kept = [image for image in images if not category or image.category == category]
    return SOURCE.finish("cars", kept, both if both.is_file() else root / "devkit")


def _car_ims(root: Path, path: Path) -> list[DatasetImage]:
    records = read_records(SOURCE, path, "annotations", ("relative_im_path", *_CORNERS, "class", "test"))
    images = []
    for record in records:
        name = str(record["relative_im_path"])
        split: Split = "test" if record["test"] else "train"
        images.append(DatasetImage(name, root / name, split, (_box(path, name, record),), str(record["class"])))
    return images


def _devkit(root: Path) -> list[DatasetImage]:
    devkit = root / "devkit"
    labelled = devkit / "cars_test_annos_withlabels.mat"
    tables: tuple[tuple[Split, Path, tuple[str, ...]], ...] = (
        ("train", devkit / "cars_train_annos.mat", ("class",)),
        ("test", labelled, ("class",)) if labelled.is_file() else ("test", devkit / "cars_test_annos.mat", ()),
    )
    images = []
    for split, path, extra in tables:
        for record in read_records(SOURCE, path, "annotations", ("fname", *_CORNERS, *extra)):
            name = f"cars_{split}/{record['fname']}"
            box = _box(path, name, record)
            images.append(DatasetImage(name, root / name, split, (box,), str(record.get("class", ""))))
    return images


def _box(path: Path, name: str, record: dict[str, object]) -> BoxTuple:
    """Half-open box from MATLAB's inclusive, 1-based pixels."""
    x1, y1, x2, y2 = (float(str(record[corner])) for corner in _CORNERS)
    return SOURCE.box(path, f"for {name}", (x1 - 1, y1 - 1, x2, y2))
