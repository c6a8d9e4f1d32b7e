"""Any name that a file system takes goes through every input and every format, and comes back as itself, once."""

import csv
import json
import os
import string
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from colocalization.listing import ImageFile
from scoring.contact_sheet import Tile, contact_sheet
from scoring.formats import ExportOptions, FormatError, check_names, write_format
from scoring.formats.base import records
from scoring.inputs import discover
from scoring.name_lists import parse_names
from scoring.predictions import encode_prediction, read_predictions
from tests.scoring.formats.test_yolo import prediction, trainers_rule

JPEG = b"\xff\xd8\xff\xe0 and so on"

_AWKWARD = [
    *("-rf", "--out=x", "~", "$(id)", "`id`", "a b", " a ", "a\tb", "a\nb", "a\rb", '"', "'", '"a,b"', "a,b", "a;b"),
    *("%2e", "#", "?", "&d=x", "[1]", "*", "{a}", "\\", "C:", "a\x1bb", "a\x7f", "CON", "ü", "u\u0308", "\u202eabc"),
    *("写真", "🐦", "\udcff", "a\udc80b", "x" * 251, "ü" * 125, "images", "labels", "._x", "a.b.c", "...a", "a."),
]
_LETTERS = st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"])
_STEMS = st.one_of(st.sampled_from(_AWKWARD), st.text(_LETTERS, min_size=1, max_size=40))


def fits(name: str) -> bool:
    try:
        return len(os.fsencode(name)) <= 255 and name not in (".", "..")
    except UnicodeEncodeError:
        return False


_FILES = st.builds(lambda stem, end: stem + end, _STEMS, st.sampled_from([".jpg", ".PNG", ".jfif", ".heic"])).filter(
    fits
)
_FOLDERS = st.lists(_STEMS.filter(fits), max_size=2)
NAMES = st.lists(
    st.builds(lambda folders, file: "/".join((*folders, file)), _FOLDERS, _FILES), min_size=1, max_size=6, unique=True
)


def put(folder: Path, names: Sequence[str]) -> list[str]:
    """Make the files; gives those that no other one stands in the way of, as a folder where a file would be."""
    made = []
    for name in names:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(JPEG)
        except OSError:
            continue
        made.append(name)
    return made


def is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NAMES)
@example(["a.jpg", "A.jpg", "ü.jpg", "u\u0308.jpg"])
def test_every_input_gives_the_same_images_once_each(names: list[str]) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "set")
        folder.mkdir()
        made = put(folder, names)
        Path(temporary, "outside.jpg").write_bytes(JPEG)
        seen = {name for name in made if not is_hidden(name)}
        listed = b"".join(os.fsencode(name) + b"\0" for name in made)
        found = discover([str(folder)], names=parse_names(listed)).files
        assert [file.name for file in found] == made  # hidden ones too, since they are named
        assert all(Path(file.path).samefile(folder / file.name) for file in found)
        if not seen:
            return
        link = Path(temporary, "link")
        link.symlink_to(folder, target_is_directory=True)
        for inputs in ([folder], [f"{folder}/**"], [link], [folder, folder], [f"{temporary}/s[e]t/**"]):
            found = discover([str(text) for text in inputs]).files
            prefix = "set/" if "s[e]t" in str(inputs[0]) else ""
            assert sorted(file.name for file in found) == sorted(prefix + name for name in seen)
        one = sorted(seen)[0]
        assert [file.path for file in discover([str(folder / one)]).files] == [str(folder / one)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NAMES)
def test_every_format_gives_the_names_back_to_a_reader(names: list[str]) -> None:
    files = [ImageFile(name, f"/data/set/{name}", 1, 1) for name in names]
    predictions = [prediction(name) for name in names]
    options = ExportOptions(yolo_images="link")
    with TemporaryDirectory() as temporary:
        out = Path(temporary)

        def read() -> object:
            return records(files, predictions, keep_unflagged=False)

        (out / "predictions.jsonl").write_bytes(b"".join(map(encode_prediction, predictions)))
        assert list(read_predictions(out / "predictions.jsonl")) == predictions
        path = write_format("csv", read, out, options).path  # type: ignore[arg-type]
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            assert [row["file"] for row in csv.DictReader(stream)] == names
        path = write_format("labelstudio", read, out, options).path  # type: ignore[arg-type]
        tasks = json.loads(path.read_text())
        assert [task["data"]["path"] for task in tasks] == names
        for task, file in zip(tasks, files, strict=True):
            ((key, relative),) = parse_qsl(
                urlsplit(task["data"]["image"]).query, keep_blank_values=True, errors="surrogateescape"
            )
            assert key == "d"
            assert file.path.endswith(f"/{relative}")
        path = write_format("coco", read, out, options).path  # type: ignore[arg-type]
        assert [image["file_name"] for image in COCO(str(path)).dataset["images"]] == names
        try:
            check_names(["yolo"], files, options)
        except FormatError:
            return  # names that YOLO cannot tell apart, found before any work is done
        written = write_format("yolo", read, out, options).files  # type: ignore[arg-type]
        images = [path for path in map(Path, written) if path.is_symlink()]
        assert sorted(str(path.readlink()) for path in images) == sorted(file.path for file in files)
        for image in images:
            assert len(Path(trainers_rule(str(image))).read_text().splitlines()) == 1
            assert out in image.parents


@settings(max_examples=30, deadline=None)
@given(st.lists(_FILES, min_size=1, max_size=4))
def test_every_name_can_be_drawn(names: list[str]) -> None:
    assert contact_sheet([Tile(name, None) for name in names]).width >= 256


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(_LETTERS.filter(lambda letter: letter not in "\r\n"), min_size=1).filter(str.strip), max_size=5)
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_list_gives_its_names_back(encoding: str, names: list[str]) -> None:
    if encoding == "utf-8" and names and names[0].startswith("\ufeff"):
        return  # cannot be told from a byte order mark
    assert parse_names("\n".join([*names, ""]).encode(encoding)) == names


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_refused(content: bytes) -> None:
    try:
        names = parse_names(content)
    except ValueError:
        return
    assert all("\0" not in name for name in names)


def test_letters_of_any_kind_are_among_the_names() -> None:
    assert set(string.punctuation) - set("/!()+<=>@^_|:") <= set(
        "".join(_AWKWARD)
    )  # the properties above mean something
