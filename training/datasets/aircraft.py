"""FGVC-Aircraft (Maji et al. 2013), official layout; its images carry a banner of 20 pixels at the bottom."""

from pathlib import Path

from training.datasets.base import BoxTuple, DatasetImage, ImageSet, Source, Split

__all__ = ["BANNER", "SIGNATURES", "read"]

BANNER = 20
SIGNATURES = (("data/images_box.txt",), ("images_box.txt",))
SOURCE = Source("FGVC-Aircraft", "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/")


def read(root: Path, category: str = "") -> ImageSet:
    """Read the set. The banner is cut when an image is loaded; boxes stay as they are, it lies below them.

    Args:
        root: The folder `fgvc-aircraft-2013b`, or its `data`.
        category: Keep the variants whose name contains this text; empty: all.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    data = root / "data" if (root / "data").is_dir() else root
    boxes_txt = data / "images_box.txt"
    boxes: dict[str, BoxTuple] = {}
    for number, row in SOURCE.lines(boxes_txt, "lines of `<image> <xmin> <ymin> <xmax> <ymax>`"):
        try:
            x0, y0, x1, y1 = (float(value) for value in row[1:])
        except ValueError as error:
            raise SOURCE.damaged(
                boxes_txt, f"`<image> <xmin> <ymin> <xmax> <ymax>` in line {number}", " ".join(row)
            ) from error
        boxes[row[0]] = SOURCE.box(boxes_txt, f"in line {number}", (x0 - 1, y0 - 1, x1, y1))
    images = []
    lists: tuple[tuple[Split, Path], ...] = (
        ("train", data / "images_variant_trainval.txt"),
        ("test", data / "images_variant_test.txt"),
    )
    for split, path in lists:
        for _, (name, *variant) in SOURCE.lines(path, "lines of `<image> <variant>`"):
            if name not in boxes:
                raise SOURCE.damaged(boxes_txt, f"a line for image {name}", "none")
            label = " ".join(variant)
            if category.lower() in label.lower():
                file = data / "images" / f"{name}.jpg"
                images.append(DatasetImage(f"{name}.jpg", file, split, (boxes[name],), label, BANNER))
    return SOURCE.finish("aircraft", images, boxes_txt)
