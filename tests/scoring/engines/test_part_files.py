import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from colocalization.listing import ImageFile
from scoring.engines.part_files import PARTS_FILE, PartFiles
from scoring.engines.set_parts import PART_FOLDER, SetPart, cut_set
from scoring.formats.parquet import write_parquet
from scoring.predictions import Prediction
from scoring.summary import ScoreSummary
from tests.colocalization import objects

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")


FILES = [ImageFile(f"p{number}.jpg", f"/set/p{number}.jpg", number, 7) for number in range(30)]
PARTS = list(cut_set(FILES, {}, "", images=6))


def prediction(name: str, code: str | None = None) -> Prediction:
    return {
        "path": name,
        "width": 9,
        "height": 8,
        "boxes": [],
        "confidence": 0.0,
        "contains_common_object": False,
        "error": None if code is None else {"code": code, "message": "it is"},
        "warning": None,
    }


def put(place: PartFiles, part: SetPart, code: str | None = None) -> None:
    predictions = [prediction(file.name, code) for file in part.files]
    summary = ScoreSummary("common")
    for one in predictions:
        summary.add(one)
    content = io.BytesIO()
    write_parquet(content, predictions, summary.counts())
    place.write(f"{PART_FOLDER}/{part.name}", content.getvalue())


@pytest.fixture(params=["folder", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PartFiles]:
    yield PartFiles(str(tmp_path / "out") if request.param == "folder" else "memory://bucket/out")
    fsspec.filesystem("memory").store.clear()


def test_only_whole_parts_without_failed_images_are_finished(place: PartFiles) -> None:
    assert place.finished(PARTS) == {}
    put(place, PARTS[0])
    put(place, PARTS[1], "not_readable")
    place.write(f"{PART_FOLDER}/{PARTS[2].name}", b"cut off")
    place.write(f"{PART_FOLDER}/notes.txt", b"someone's own")
    found = place.finished(PARTS)
    assert set(found) == {PARTS[0].name}
    assert found[PARTS[0].name]["images"] == len(PARTS[0].files)


def test_parts_that_no_longer_belong_to_the_set_go_and_nothing_else(place: PartFiles) -> None:
    for part in PARTS:
        put(place, part)
    place.write(f"{PART_FOLDER}/notes.txt", b"someone's own")
    place.keep_only(PARTS[1:], place.finished(PARTS))
    assert place.read(f"{PART_FOLDER}/{PARTS[0].name}") is None
    assert place.read(f"{PART_FOLDER}/notes.txt") == b"someone's own"
    assert set(place.finished(PARTS)) == {part.name for part in PARTS[1:]}
    lines = [json.loads(line) for line in (place.read(PARTS_FILE) or b"").splitlines()]
    assert [line["part"] for line in lines] == [part.name for part in PARTS[1:]]


def test_predictions_come_in_the_order_of_the_set(place: PartFiles) -> None:
    for part in reversed(PARTS):
        put(place, part)
    with ThreadPoolExecutor(2) as pool:
        found = [one["path"] for rows in place.read_parts(PARTS, pool) for one in rows]
    assert found == [file.name for file in FILES]


def test_files_of_all_kinds(place: PartFiles, tmp_path: Path) -> None:
    assert (place.read("a"), place.holds("a"), place.read_json("a"), place.read_object("a")) == (
        None,
        False,
        None,
        None,
    )
    place.write("a", objects.PLAIN.to_bytes())
    assert place.read_object("a") is not None
    place.write("a", b'{"b": 1}')
    assert (place.read_json("a"), place.read_object("a"), place.holds("a")) == ({"b": 1}, None, True)
    (tmp_path / "source").write_bytes(b"x" * 1000)
    place.upload(tmp_path / "source", "a")
    assert place.read("a") == b"x" * 1000
    place.remove("a")
    place.remove("a")
    assert not place.holds("a")
