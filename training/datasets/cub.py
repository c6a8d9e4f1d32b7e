"""CUB-200-2011 (Wah et al. 2011), official layout."""

from pathlib import Path

from training.datasets.base import DatasetImage, ImageSet, Source

__all__ = ["SIGNATURE", "read"]

SIGNATURE = ("bounding_boxes.txt", "train_test_split.txt")
SOURCE = Source("CUB-200-2011", "https://www.vision.caltech.edu/datasets/cub_200_2011/")


def read(root: Path, category: str = "") -> ImageSet:
    """Read the set from the folder that holds `images.txt`.

    Args:
        root: The folder `CUB_200_2011`.
        category: Keep the classes whose folder (`001.Black_footed_Albatross`) contains this text.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    paths: dict[str, str] = {}
    images_txt = root / "images.txt"
    for number, row in SOURCE.lines(images_txt, "lines of `<image id> <path>`"):
        if len(row) != 2:
            raise SOURCE.damaged(images_txt, f"`<image id> <path>` in line {number}", " ".join(row))
        paths[row[0]] = row[1]
    split_txt = root / "train_test_split.txt"
    in_training: dict[str, bool] = {}
    for number, row in SOURCE.lines(split_txt, "lines of `<image id> <1 for training>`"):
        if len(row) != 2 or row[1] not in ("0", "1"):
            raise SOURCE.damaged(split_txt, f"`<image id> <0 or 1>` in line {number}", " ".join(row))
        in_training[row[0]] = row[1] == "1"
    boxes_txt = root / "bounding_boxes.txt"
    boxes = {}
    for number, row in SOURCE.lines(boxes_txt, "lines of `<image id> <x> <y> <width> <height>`"):
        try:
            x, y, width, height = (float(value) for value in row[1:])
        except ValueError as error:
            raise SOURCE.damaged(
                boxes_txt, f"`<image id> <x> <y> <width> <height>` in line {number}", " ".join(row)
            ) from error
        boxes[row[0]] = SOURCE.box(boxes_txt, f"in line {number}", (x, y, x + width, y + height))
    images = []
    for key, path in paths.items():
        if key not in in_training:
            raise SOURCE.damaged(split_txt, f"a line for image {key}", "none")
        if key not in boxes:
            raise SOURCE.damaged(boxes_txt, f"a line for image {key}", "none")
        folder = path.partition("/")[0]
        if category.lower() in folder.lower():
            images.append(
                DatasetImage(
                    path, root / "images" / path, "train" if in_training[key] else "test", (boxes[key],), folder
                )
            )
    return SOURCE.finish("cub", images, images_txt)
