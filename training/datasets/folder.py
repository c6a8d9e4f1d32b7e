"""A user's own folder: images alone, or with `boxes.csv` and `split.csv`.

`boxes.csv`: header `file,x0,y0,x1,y1`, half-open pixels, several rows a file allowed. `split.csv`: columns `file` and
`split` (`train`, `val` or `trainval`, all of which train, or `test`). Names in both are relative to `images/` where
there is such a folder, else to the folder itself. Without `split.csv` all images are trained on, and those that have
boxes are scored as well; an image that `split.csv` does not name is trained on. Which files are images:
`colocalization.listing`, as for every command.
"""

from pathlib import Path

from colocalization.listing import list_images
from training.datasets.base import BoxTuple, DatasetImage, ImageSet, Source, Split, read_table
from training.errors import DatasetError

__all__ = ["read"]


def read(root: Path, category: str = "") -> ImageSet:
    """Read all images below a folder.

    Args:
        root: The folder.
        category: Keep the classes of `split.csv`'s column `class` that contain this text; empty: all.

    Raises:
        DatasetError: There is no image, or a CSV file is damaged or names an image that is not there.
    """
    source = Source("folder", "where the images came from")
    # `images/` counts where the CSV files lie beside it, else a folder of that name is one of many.
    has_tables = any((root / name).is_file() for name in ("boxes.csv", "split.csv"))
    base = root / "images" if has_tables and (root / "images").is_dir() else root
    listing = list_images(base)
    left_out = tuple(listing.left_out.warnings())
    files = {file.name: Path(file.path) for file in listing.files}
    if not files:
        reasons = "".join(f"; {reason}" for reason in left_out)
        raise DatasetError(f"{base} holds no image; expected files such as .jpg, .png or .tif{reasons}")
    boxes: dict[str, list[BoxTuple]] = {}
    if (boxes_csv := root / "boxes.csv").is_file():
        for number, row in read_table(source, boxes_csv, ("file", "x0", "y0", "x1", "y1")):
            _check(source, boxes_csv, number, row["file"], files)
            corners = [row[corner] for corner in ("x0", "y0", "x1", "y1")]
            boxes.setdefault(row["file"], []).append(source.box(boxes_csv, f"in line {number}", corners))
    splits: dict[str, Split] = {}
    classes: dict[str, str] = {}
    if (split_csv := root / "split.csv").is_file():
        for number, row in read_table(source, split_csv, ("file", "split")):
            _check(source, split_csv, number, row["file"], files)
            splits[row["file"]] = _split(source, split_csv, number, row["split"])
            classes[row["file"]] = row.get("class") or ""
    images = [
        DatasetImage(
            name,
            path,
            splits.get(name, "train" if splits else "both"),
            tuple(boxes.get(name, ())),
            classes.get(name, ""),
        )
        for name, path in files.items()
        if category.lower() in classes.get(name, "").lower()
    ]
    if not images:
        raise source.damaged(split_csv, f"an image of a class that contains {category!r}", "none")
    return ImageSet("folder", tuple(sorted(images, key=lambda image: image.name)), left_out)


def _check(source: Source, path: Path, number: int, name: str, files: dict[str, Path]) -> None:
    if name not in files:
        raise source.damaged(path, f"the name of an image in the folder in line {number}", name)


def _split(source: Source, path: Path, number: int, text: str) -> Split:
    splits: dict[str, Split] = {"train": "train", "trainval": "train", "val": "train", "test": "test"}
    if text not in splits:
        raise source.damaged(path, f"the split {' or '.join(splits)} in line {number}", text)
    return splits[text]
