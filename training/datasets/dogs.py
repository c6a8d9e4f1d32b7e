"""Stanford Dogs (Khosla et al. 2011), official layout."""

from pathlib import Path

from training.datasets.base import DatasetImage, ImageSet, Source, Split, read_voc_xml
from training.datasets.mat import read_strings

__all__ = ["SIGNATURE", "read"]

SIGNATURE = ("train_list.mat", "Annotation")
SOURCE = Source("Stanford Dogs", "http://vision.stanford.edu/aditya86/ImageNetDogs/")


def read(root: Path, category: str = "") -> ImageSet:
    """Read the set from the folder that holds `Images`, `Annotation`, `train_list.mat` and `test_list.mat`.

    Args:
        root: The folder.
        category: Keep the breeds whose folder (`n02085620-Chihuahua`) contains this text; empty: all.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    images = []
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        for name in read_strings(SOURCE, root / f"{split}_list.mat", "file_list"):
            breed = name.partition("/")[0]
            if category.lower() not in breed.lower():
                continue
            annotation = root / "Annotation" / Path(name).with_suffix("")
            boxes = tuple(item.box for item in read_voc_xml(SOURCE, annotation))
            if not boxes:
                raise SOURCE.damaged(annotation, "at least one object", "none")
            images.append(DatasetImage(name, root / "Images" / name, split, boxes, breed))
    return SOURCE.finish("dogs", images, root / "train_list.mat")
