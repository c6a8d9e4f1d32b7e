import csv
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from colocalization.listing import ImageFile
from scoring.formats import ExportOptions, FormatError, check_names, write_format
from scoring.formats.base import records
from scoring.predictions import Prediction

PREDICTIONS: list[Prediction] = [
    {
        "path": "birds/a b.jpg",
        "width": 200,
        "height": 100,
        "boxes": [
            {"x0": 20.0, "y0": 10.0, "x1": 120.0, "y1": 60.0, "score": 0.9},
            {"x0": 0.0, "y0": 0.0, "x1": 200.0, "y1": 100.0, "score": 0.5},
        ],
        "confidence": 0.8,
        "contains_common_object": True,
        "error": None,
        "warning": None,
    },
    {
        "path": "broken.jpg",
        "width": 0,
        "height": 0,
        "boxes": [],
        "confidence": 0.0,
        "contains_common_object": False,
        "error": {"code": "truncated", "message": "cut off"},
        "warning": None,
    },
    {
        "path": "nothing\udcff.png",
        "width": 64,
        "height": 48,
        "boxes": [],
        "confidence": 0.1,
        "contains_common_object": False,
        "error": None,
        "warning": None,
    },
]


def write(kind: str, out: Path, predictions: list[Prediction] = PREDICTIONS, **options: object) -> Path:
    options = {"label": "bird", "model": "net 1.0", "yolo_images": "none", **options}
    export = ExportOptions(**options)  # type: ignore[arg-type]
    files = [ImageFile(one["path"], f"/data/set/{one['path']}", 1, 1) for one in predictions]
    read = lambda: records(files, predictions, keep_unflagged=export.keep_unflagged)  # noqa: E731
    return write_format(kind, read, out, export).path


def test_csv_has_a_row_for_every_box_and_for_every_image_without_one(tmp_path: Path) -> None:
    path = write("csv", tmp_path)
    assert path == tmp_path / "predictions.csv"
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["file", "x0", "y0", "x1", "y1", "score", "confidence", "contains_common_object", "width", "height", "error"],
        ["birds/a b.jpg", "20.0", "10.0", "120.0", "60.0", "0.9", "0.8", "true", "200", "100", ""],
        ["birds/a b.jpg", "0.0", "0.0", "200.0", "100.0", "0.5", "0.8", "true", "200", "100", ""],
        ["broken.jpg", "", "", "", "", "", "0.0", "false", "0", "0", "truncated"],
        ["nothing\udcff.png", "", "", "", "", "", "0.1", "false", "64", "48", ""],
    ]
    assert b"nothing\xff.png" in path.read_bytes()  # the bytes that the file's name has


def flagged(confidence: float, shown: bool | None) -> dict[str, object]:
    return {"confidence": confidence, "contains_common_object": shown}


def test_coco_is_a_data_set_with_corner_and_size(tmp_path: Path) -> None:
    content = json.loads(write("coco", tmp_path).read_text())
    assert content["categories"] == [{"id": 1, "name": "bird", "supercategory": ""}]
    assert content["images"] == [
        {"id": 1, "file_name": "birds/a b.jpg", "width": 200, "height": 100, **flagged(0.8, True)},
        {"id": 2, "file_name": "nothing\udcff.png", "width": 64, "height": 48, **flagged(0.1, False)},
    ]
    first, second = content["annotations"]
    assert first == {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [20.0, 10.0, 100.0, 50.0],
        "area": 5000.0,
        "iscrowd": 0,
        "segmentation": [],
        "score": 0.9,
        "contains_common_object": True,
    }
    assert (second["id"], second["image_id"], second["bbox"]) == (2, 1, [0.0, 0.0, 200.0, 100.0])


def test_coco_is_read_by_pycocotools_and_scores_full_marks_against_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = COCO(str(write("coco", tmp_path)))
    keys = ("image_id", "category_id", "bbox", "score")
    detections = truth.loadRes([{key: one[key] for key in keys} for one in truth.loadAnns(truth.getAnnIds())])
    judge = COCOeval(truth, detections, "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(1.0)
    assert "Average Precision" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["coco", "labelstudio"])
@pytest.mark.parametrize("count", [0, 1])
def test_json_is_whole_without_anything_to_list(tmp_path: Path, kind: str, count: int) -> None:
    content = json.loads(write(kind, tmp_path, PREDICTIONS[1:2] * count).read_text())
    assert content == ([] if kind == "labelstudio" else {**content, "images": [], "annotations": []})


def test_yolo_has_five_columns_relative_to_the_image(tmp_path: Path) -> None:
    folder = write("yolo", tmp_path)
    assert (folder / "classes.txt").read_text() == "bird\n"
    # x centre 70 / 200, y centre 35 / 100, width 100 / 200, height 50 / 100
    assert (folder / "labels/birds/a b.txt").read_text() == (
        "0 0.350000 0.350000 0.500000 0.500000\n0 0.500000 0.500000 1.000000 1.000000\n"
    )
    assert (folder / "labels/nothing\udcff.txt").read_text() == ""  # an image of background
    assert not (folder / "labels/broken.txt").exists()


@pytest.mark.parametrize(
    ("names", "collide"),
    [
        (["a.jpg", "b.jpg"], False),
        (["a.jpg", "b/a.jpg"], False),
        (["a.jpg", "a.png"], True),
        (["b/a.jpg", "b/a.tiff"], True),
        (["a.b.jpg", "a.c.jpg"], False),
    ],
)
def test_yolo_refuses_names_that_differ_in_the_ending_alone(names: list[str], collide: bool) -> None:
    files = [ImageFile(name, f"/data/set/{name}", 1, 1) for name in names]
    check_names(["csv", "coco", "labelstudio"], files, ExportOptions())
    if collide:
        with pytest.raises(FormatError, match="YOLO would call the labels of"):
            check_names(["yolo"], files, ExportOptions())
    else:
        check_names(["yolo"], files, ExportOptions())


def test_label_studio_tasks_have_percentages(tmp_path: Path) -> None:
    first, second = json.loads(write("labelstudio", tmp_path).read_text())
    prefix = "/data/local-files/?d="
    assert unquote(first["data"]["image"].removeprefix(prefix)) == "set/birds/a b.jpg"
    assert second["data"] == {
        "image": f"{prefix}set/nothing%FF.png",
        "path": "nothing\udcff.png",
        **flagged(0.1, False),
    }
    (prediction,) = first["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("net 1.0", 0.8)
    region = prediction["result"][0]
    assert region == {
        "id": "box1",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "score": 0.9,
        "value": {"x": 10.0, "y": 10.0, "width": 50.0, "height": 50.0, "rotation": 0, "rectanglelabels": ["bird"]},
    }
    assert second["predictions"][0]["result"] == []


@pytest.mark.parametrize("kind", ["jsonl", "xml"])
def test_other_formats_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match=f"got '{kind}'"):
        write(kind, tmp_path)


DOUBTED: Prediction = {**PREDICTIONS[0], "path": "doubted.jpg", "contains_common_object": False, "confidence": 0.2}
UNTOLD: Prediction = {**PREDICTIONS[0], "path": "untold.jpg", "contains_common_object": None, "confidence": 0.7}


def boxes_in(kind: str, path: Path) -> list[int]:
    """Number of boxes of each image in a file of predictions."""
    if kind == "csv":
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        names = dict.fromkeys(row["file"] for row in rows)
        return [sum(row["file"] == name and row["x0"] != "" for row in rows) for name in names]
    if kind == "yolo":
        return [len((path / f"labels/{name}.txt").read_text().splitlines()) for name in ("shown", "doubted", "untold")]
    content = json.loads(path.read_text())
    if kind == "coco":
        owners = [annotation["image_id"] for annotation in content["annotations"]]
        return [owners.count(image["id"]) for image in content["images"]]
    return [len(task["predictions"][0]["result"]) for task in content]


@pytest.mark.parametrize("kind", ["csv", "coco", "yolo", "labelstudio"])
@pytest.mark.parametrize(("keep", "expected"), [(False, [2, 0, 2]), (True, [2, 2, 2])])
def test_an_image_without_the_common_object_is_a_negative_unless_asked_otherwise(
    tmp_path: Path, kind: str, keep: bool, expected: list[int]
) -> None:
    shown: Prediction = {**PREDICTIONS[0], "path": "shown.jpg"}
    path = write(kind, tmp_path, [shown, DOUBTED, UNTOLD], keep_unflagged=keep)
    assert boxes_in(kind, path) == expected


def test_flag_and_confidence_are_in_every_format_that_can_hold_them(tmp_path: Path) -> None:
    coco = json.loads(write("coco", tmp_path, [DOUBTED], keep_unflagged=True).read_text())
    assert coco["images"][0].items() >= flagged(0.2, False).items()
    assert coco["annotations"][0]["contains_common_object"] is False
    assert "confidence" not in coco["annotations"][0]  # FiftyOne reads `score` as it, and fails at both
    (task,) = json.loads(write("labelstudio", tmp_path, [DOUBTED], keep_unflagged=True).read_text())
    assert task["data"].items() >= flagged(0.2, False).items()
    rows = write("csv", tmp_path, [DOUBTED, UNTOLD], keep_unflagged=True).read_text().splitlines()
    assert rows[1].endswith(",0.2,false,200,100,")
    assert rows[3].endswith(",0.7,,200,100,")
