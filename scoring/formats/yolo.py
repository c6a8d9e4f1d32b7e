"""YOLO: a data set that `yolo detect train data=OUT/yolo/data.yaml` takes as it is.

Trainers find an image's labels by its path: the last folder `images` in it becomes `labels`, and the ending `.txt`. So
the images lie below `images/`, as links or copies, and each one's labels where that rule leads.
"""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from colocalization.files import atomic_writer, link_atomically, write_atomically
from scoring.formats.base import ExportOptions, FormatError, Record, YoloImages, box_size
from scoring.names import fitting
from scoring.stores.remote_store import store_of
from scoring.stores.urls import is_url

__all__ = ["check_yolo_names", "image_path", "label_path", "write_yolo", "yolo_files"]

_NO_LINKS = frozenset((errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL))
"""What file systems without links answer, and Windows to who may not make them."""

_TAKEN_AS = {".apng": ".png", ".dib": ".bmp", ".jfif": ".jpg", ".jpe": ".jpg"}
"""Endings that trainers do not take for an image, and what such a file is called for them."""


def image_path(name: str) -> PurePosixPath:
    """Where an image lies, relative to the data set.

    Example:
        >>> str(image_path("a/x.png")), str(image_path("b.jfif"))
        ('images/a/x.png', 'images/b.jfif.jpg')
    """
    taken_as = _TAKEN_AS.get(PurePosixPath(name).suffix.lower(), "")
    return PurePosixPath("images", fitting(name, taken_as))


def label_path(image: PurePosixPath) -> PurePosixPath:
    """Where trainers look for an image's labels.

    Example:
        >>> str(label_path(PurePosixPath("images/x.jpg"))), str(label_path(PurePosixPath("images/a/images/x.jpg")))
        ('labels/x.txt', 'images/a/labels/x.txt')
    """
    parts = list(image.parts)
    last = len(parts) - 2 - parts[-2::-1].index("images")
    parts[last] = "labels"
    return PurePosixPath(*parts[:-1], fitting(f"{image.stem}.txt"))


def check_yolo_names(names: Iterable[str]) -> None:
    """Check that every image has labels of its own.

    Raises:
        FormatError: Two images would have the same label file, since YOLO names it without the ending.
    """
    seen: dict[PurePosixPath, str] = {}
    for name in names:
        image = image_path(name)
        for path in (label_path(image), image):
            if (other := seen.setdefault(path, name)) != name:
                shown = label_path(image_path(other)).name
                raise FormatError(f"YOLO would call the labels of {other!r} and {name!r} both {shown!r}; rename one")


def write_yolo(folder: Path, records: Iterable[Record], options: ExportOptions) -> Iterator[Path]:
    """Write `data.yaml`, `classes.txt`, and for each image its labels and the image itself.

    The labels have five columns, which is what training on them expects; a file is empty where there is no box.

    Yields:
        Every file, once it is written.
    """
    for path, content, record in yolo_files(records, options):
        write_atomically(folder / path, content, durable=record is None)
        yield folder / path
        if record is not None:
            image = folder / image_path(record.prediction["path"])
            if _bring(record.file.path, image, options.yolo_images):
                yield image


def yolo_files(
    records: Iterable[Record], options: ExportOptions
) -> Iterator[tuple[PurePosixPath, bytes, Record | None]]:
    """The files of the data set but for the images.

    Yields:
        Path relative to the data set, content, and the image that it is of: None for `classes.txt` and `data.yaml`.
    """
    yield PurePosixPath("classes.txt"), f"{options.label}\n".encode(), None
    yield PurePosixPath("data.yaml"), _data_yaml(options.label).encode(), None
    for record in records:
        if record.is_readable:
            yield label_path(image_path(record.prediction["path"])), _lines(record).encode(), record


def _bring(place: str, target: Path, how: YoloImages) -> bool:
    """Put an image into the data set; says whether the file there is ours.

    What someone has put there in place of a link stays. Where the file system has no links, the image is copied; so is
    one that lies in a store, which nothing can be linked to.
    """
    if is_url(place):
        if how == "none":
            return False
        write_atomically(target, store_of(place).read(place), durable=False)
        return True
    source = Path(place)
    absolute = Path(os.path.abspath(source))  # noqa: PTH100 - links are not resolved
    if how == "none" or (how == "link" and target.exists() and not target.is_symlink()):
        return False
    if how == "link":
        if target.is_symlink() and target.readlink() == absolute:
            return True
        try:
            link_atomically(target, absolute)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            return True
    with source.open("rb") as original, atomic_writer(target, durable=False) as copy:
        shutil.copyfileobj(original, copy)
    return True


def _data_yaml(label: str) -> str:
    # Without `path`, trainers take the folder of this file, so that the data set may be moved.
    return f"train: images\nval: images\nnames:\n  0: {_yaml_string(label)}\n"


def _yaml_string(text: str) -> str:
    r"""A double-quoted YAML string; what is not printable is escaped.

    Example:
        >>> print(_yaml_string('a "b": c'))
        "a \x22b\x22: c"
    """
    escaped = (
        character
        if character.isprintable() and character not in '"\\'
        else f"\\x{ord(character):02x}"
        if ord(character) < 256
        else f"\\U{ord(character):08x}"
        for character in text
    )
    return f'"{"".join(escaped)}"'


def _lines(record: Record) -> str:
    width, height = record.prediction["width"], record.prediction["height"]
    lines = []
    for box in record.prediction["boxes"]:
        across, down = box_size(box)
        centre = (box["x0"] + across / 2) / width, (box["y0"] + down / 2) / height
        lines.append(f"0 {centre[0]:.6f} {centre[1]:.6f} {across / width:.6f} {down / height:.6f}\n")
    return "".join(lines)
