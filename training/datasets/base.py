"""What every data set gives: images by name, with their split, and boxes where there are any."""

import csv
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from colocalization.images import DecodedImage, ImageLimits, decode
from training.errors import DatasetError

__all__ = ["BoxTuple", "DatasetImage", "ImageSet", "Source", "Split", "VocObject", "read_table", "read_voc_xml"]

Split = Literal["train", "test", "both"]
"""`both`: trained on and scored, as co-localization benchmarks without a split do."""

BoxTuple = tuple[float, float, float, float]
"""Half-open `x0, y0, x1, y1` in pixels of the original, x to the right, y down."""


@dataclass(frozen=True, slots=True)
class DatasetImage:
    """One image of a data set.

    Attributes:
        name: Name within the set, unique, with forward slashes.
        path: The file.
        split: Part of the set that it belongs to.
        boxes: Ground-truth boxes; empty where there are none. Training never sees them.
        category: Class of the image, or empty.
        banner: Rows to cut from the bottom, in pixels of the original (FGVC-Aircraft prints the copyright there).
    """

    name: str
    path: Path
    split: Split = "train"
    boxes: tuple[BoxTuple, ...] = ()
    category: str = ""
    banner: int = 0

    def load(self, limits: ImageLimits | None = None) -> DecodedImage:
        """Decode the image, without its banner.

        Raises:
            ImageError: The file is missing, over a limit or damaged.
        """
        image = decode(self.path, limits)
        if self.banner == 0:
            return image
        # The image may have been reduced to its working size, and its banner with it.
        rows = round(self.banner * image.rgb.shape[0] / image.height)
        if rows >= image.rgb.shape[0]:
            return image
        return replace(image, rgb=image.rgb[: image.rgb.shape[0] - rows], height=image.height - self.banner)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """A data set.

    Attributes:
        layout: Name of the layout it was read from.
        images: Its images, sorted by name.
        left_out: What lies in its folder and is not among them, a line each, for people to hear of.
    """

    layout: str
    images: tuple[DatasetImage, ...]
    left_out: tuple[str, ...] = ()

    @property
    def train(self) -> tuple[DatasetImage, ...]:
        """Images to train on."""
        return tuple(image for image in self.images if image.split != "test")

    @property
    def labelled_test(self) -> tuple[DatasetImage, ...]:
        """Images to score: those of the test split, or of both, that have boxes."""
        return tuple(image for image in self.images if image.split != "train" and image.boxes)

    @property
    def labelled_train(self) -> tuple[DatasetImage, ...]:
        """Images of the training split alone that have boxes; settings may be compared on them."""
        return tuple(image for image in self.images if image.split == "train" and image.boxes)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set comes from; makes the errors that name a missing or damaged file.

    Attributes:
        title: Name of the data set.
        url: Page or archive to get it from.
    """

    title: str
    url: str

    def missing(self, path: Path, expected: str) -> DatasetError:
        """The error for a file or folder that is not there."""
        return DatasetError(f"{self.title}: {path} is missing; expected {expected}. Get it from {self.url}")

    def damaged(self, path: Path, expected: str, found: object) -> DatasetError:
        """The error for a file whose content is not what it should be."""
        return DatasetError(
            f"{self.title}: {path} is damaged: found {found!r}, expected {expected}. Get it anew from {self.url}"
        )

    def lines(self, path: Path, expected: str) -> list[tuple[int, list[str]]]:
        """Lines of a text file that are not empty, split at white space, with their numbers from 1.

        Raises:
            DatasetError: The file is missing, is not text, or holds nothing.
        """
        if not path.is_file():
            raise self.missing(path, expected)
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise self.damaged(path, expected, str(error)) from error
        rows = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not rows:
            raise self.damaged(path, expected, "an empty file")
        return rows

    def box(self, path: Path, where: str, values: list[str] | tuple[object, ...]) -> BoxTuple:
        """Read four numbers `x0, y0, x1, y1` and check that they span an area.

        Raises:
            DatasetError: They are not four numbers, or the box is empty.
        """
        expected = "four numbers x0 < x1, y0 < y1"
        try:
            x0, y0, x1, y1 = (float(str(value)) for value in values)
        except ValueError as error:
            raise self.damaged(path, f"{expected} {where}", values) from error
        if not (x0 < x1 and y0 < y1):
            raise self.damaged(path, f"{expected} {where}", (x0, y0, x1, y1))
        return x0, y0, x1, y1

    def finish(self, layout: str, images: list[DatasetImage], listed_in: Path) -> ImageSet:
        """Check that the listed images exist, and sort them.

        Raises:
            DatasetError: An image is missing, or the list names none.
        """
        if not images:
            raise self.damaged(listed_in, "at least one image", "none")
        absent = [image for image in images if not image.path.is_file()]
        if absent:
            raise self.missing(
                absent[0].path,
                f"the image, one of {len(absent)} of {len(images)} missing that {listed_in.name} lists",
            )
        return ImageSet(layout, tuple(sorted(images, key=lambda image: image.name)))


def read_table(source: Source, path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with a header, with their line numbers.

    Raises:
        DatasetError: A column is missing, or a row is short.
    """
    expected = f"a CSV file with the header {','.join(columns)}"
    if not path.is_file():
        raise source.missing(path, expected)
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if not set(columns) <= set(reader.fieldnames or ()):
            raise source.damaged(path, expected, ",".join(reader.fieldnames or ()))
        for row in reader:
            if any(row[column] is None for column in columns):
                raise source.damaged(path, f"{len(columns)} values in line {reader.line_num}", list(row.values()))
            yield reader.line_num, row


@dataclass(frozen=True, slots=True)
class VocObject:
    """One object of a PASCAL VOC annotation; the box is half-open, from the file's inclusive, 1-based pixels."""

    name: str
    pose: str
    truncated: bool
    difficult: bool
    box: BoxTuple


def read_voc_xml(source: Source, path: Path) -> list[VocObject]:
    """Read a PASCAL VOC annotation file (also Stanford Dogs').

    Raises:
        DatasetError: The file is missing, is not XML, or an object lacks its name or box.
    """
    expected = "a PASCAL VOC annotation with <object><name> and <bndbox>"
    if not path.is_file():
        raise source.missing(path, expected)
    try:
        root = ET.fromstring(path.read_bytes())  # noqa: S314
    except ET.ParseError as error:
        raise source.damaged(path, expected, str(error)) from error
    objects = []
    for node in root.iter("object"):
        corners = [node.findtext(f"bndbox/{corner}", "") for corner in ("xmin", "ymin", "xmax", "ymax")]
        name = node.findtext("name", "")
        if not name:
            raise source.damaged(path, expected, "an object without a name")
        try:
            x0, y0, x1, y1 = (float(corner) for corner in corners)
        except ValueError as error:
            raise source.damaged(path, expected, corners) from error
        box = source.box(path, f"in object {name}", (x0 - 1, y0 - 1, x1, y1))
        truncated, difficult = (node.findtext(flag, "0").strip() == "1" for flag in ("truncated", "difficult"))
        objects.append(VocObject(name, node.findtext("pose", "").strip(), truncated, difficult, box))
    return objects
