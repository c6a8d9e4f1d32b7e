"""`POST /export`: results in the formats of other tools, as a folder's are."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from colocalization.listing import ImageFile
from scoring.formats import ExportOptions, records, write_format
from service.http.export import MAX_EXPORT_BYTES
from tests.service.conftest import Start

BOX = {"x0": 12.0, "y0": 30.5, "x1": 400.0, "y1": 410.25, "score": 0.91}


def image(name: str = "a.jpg", **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "width": 640, "height": 480, "boxes": [BOX], "confidence": 0.93, "contains_common_object": True,
        **changes,
    }  # fmt: skip


SET = [
    image("birds/a.jpg"),
    image("birds/b.png", boxes=[], contains_common_object=False, confidence=0.125),
    image("c.jpg", contains_common_object=False, confidence=0.25),
    image("d.jpg", width=0, height=0, boxes=[], confidence=0.0, contains_common_object=False,
          error={"code": "truncated", "message": "the file ends early"}),
]  # fmt: skip


def export(client: TestClient, kind: str, images: object = SET, query: str = "") -> bytes:
    answer = client.post(f"/export?format={kind}{query}", json={"images": images})
    assert answer.status_code == 200, answer.text
    return answer.content


def problem(client: TestClient, kind: str, images: object) -> dict[str, Any]:
    answer = client.post(f"/export?format={kind}", json={"images": images})
    told: dict[str, Any] = answer.json()
    assert (answer.headers["content-type"], answer.status_code) == ("application/problem+json", told["status"])
    return told


def test_coco_is_that_of_the_folder_to_the_byte(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/export?format=coco&label=bird", json={"images": SET})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="coco.json"'
    assert answer.headers["cache-control"] == "no-store"
    coco = answer.json()
    assert coco["categories"] == [{"id": 1, "name": "bird", "supercategory": ""}]
    assert [(one["file_name"], one["width"]) for one in coco["images"]] == [
        ("birds/a.jpg", 640), ("birds/b.png", 640), ("c.jpg", 640),
    ]  # fmt: skip
    # The box of c.jpg is left out: it does not show the object.
    assert [(one["image_id"], one["bbox"], one["score"]) for one in coco["annotations"]] == [
        (1, [12.0, 30.5, 388.0, 379.75], 0.91)
    ]
    files = [ImageFile(one["name"], one["name"], 1, 1) for one in SET]
    predictions = [json.loads(line) for line in export(client, "jsonl").splitlines()]

    def read() -> object:
        return records(files, predictions, keep_unflagged=False)

    written = write_format("coco", read, tmp_path, ExportOptions("bird"))  # type: ignore[arg-type]
    assert written.path.read_bytes() == answer.content


def test_json_lines_keep_everything_and_round_as_files_do(client: TestClient) -> None:
    precise = image("a.jpg", boxes=[{**BOX, "x0": 12.123456, "score": 0.912345}], confidence=0.987654)
    lines = [json.loads(line) for line in export(client, "jsonl", [precise, SET[3]]).splitlines()]
    assert lines[0] == {
        "path": "a.jpg", "width": 640, "height": 480, "boxes": [{**BOX, "x0": 12.12, "score": 0.9123}],
        "confidence": 0.9877, "contains_common_object": True, "error": None, "warning": None,
    }  # fmt: skip
    assert (lines[1]["path"], lines[1]["error"]["code"]) == ("d.jpg", "truncated")


def test_csv_has_a_row_for_each_box_and_each_image_without(client: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(export(client, "csv").decode())))
    assert [(row["file"], row["x0"], row["contains_common_object"], row["error"]) for row in rows] == [
        ("birds/a.jpg", "12.0", "true", ""), ("birds/b.png", "", "false", ""), ("c.jpg", "", "false", ""),
        ("d.jpg", "", "false", "truncated"),
    ]  # fmt: skip


def test_boxes_of_images_that_do_not_show_it_are_kept_where_asked_for(client: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(export(client, "csv", query="&keep_unflagged=true").decode())))
    assert [row["x0"] for row in rows] == ["12.0", "", "12.0", ""]


def test_yolo_is_a_zip_of_labels(client: TestClient) -> None:
    content = export(client, "yolo", query="&label=red%20bird")
    assert content == export(client, "yolo", query="&label=red%20bird")  # no times in it
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name).decode() for name in archive.namelist()}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert sorted(files) == ["classes.txt", "data.yaml", "labels/birds/a.txt", "labels/birds/b.txt", "labels/c.txt"]
    assert files["classes.txt"] == "red bird\n"
    assert files["data.yaml"].endswith('0: "red bird"\n')
    # Centre and size as shares: (12 + 400) / 2 / 640 and so on.
    assert files["labels/birds/a.txt"] == "0 0.321875 0.459115 0.606250 0.791146\n"
    assert (files["labels/birds/b.txt"], files["labels/c.txt"]) == ("", "")


def test_label_studio_has_a_task_for_each_image_below_the_folder_images(client: TestClient) -> None:
    model = {"name": "net", "sha256": "0a1b2c3d4e5f" + "0" * 52, "backbone": "x", "input_size": [320, 320]}
    answer = client.post("/export?format=labelstudio&label=bird", json={"images": SET, "model": model})
    first, *_ = tasks = answer.json()
    assert [task["data"]["image"] for task in tasks] == [
        "/data/local-files/?d=images/birds/a.jpg",
        "/data/local-files/?d=images/birds/b.png",
        "/data/local-files/?d=images/c.jpg",
    ]
    (prediction,) = first["predictions"]
    assert prediction["model_version"] == "net 0a1b2c3d4e5f"
    assert prediction["result"][0]["value"]["x"] == pytest.approx(100 * 12 / 640)
    assert prediction["result"][0]["value"]["rectanglelabels"] == ["bird"]


@pytest.mark.parametrize("kind", ["coco", "yolo", "csv", "labelstudio", "jsonl"])
def test_an_answer_is_taken_as_it_came(client: TestClient, jpeg: bytes, kind: str) -> None:
    files = [("images", ("a.jpg", jpeg)), ("images", ("b.jpg", jpeg)), ("images", ("c.jpg", b"no image"))]
    answer = client.post("/colocalize?heatmap=png&preview=all", files=files)
    written = client.post(
        f"/export?format={kind}", content=answer.content, headers={"content-type": "application/json"}
    )
    assert (written.status_code, len(written.content) > 10) == (200, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "../a.jpg"}, "must be a relative path that leads nowhere else, got '../a.jpg'"),
        ({"name": "/etc/passwd"}, "relative path"),
        ({"name": "a\\..\\..\\b.jpg"}, "relative path"),
        ({"name": "a//b.jpg"}, "relative path"),
        ({"name": "a\nb.jpg"}, "relative path"),
        ({"name": ""}, "at least 1 character"),
        ({"width": 0}, "width and height must be above 0, got 0 x 480"),
        ({"boxes": [{**BOX, "x1": 641}]}, "within the 640 x 480 pixels, got 12,30.5,641,410.25"),
        ({"boxes": [{**BOX, "x0": 400}]}, "within the 640 x 480 pixels"),
        ({"boxes": [{**BOX, "score": 1.5}]}, "less than or equal to 1"),
        ({"boxes": [{**BOX, "y0": "NaN"}]}, "finite"),
        ({"boxes": [{"x0": 1}]}, "images.0.boxes.0.y0: Field required. There are 2 more."),
        ({"confidence": -1}, "greater than or equal to 0"),
        ({"colour": "red"}, "images.0.colour: Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, changes: dict[str, Any], told: str) -> None:
    found = problem(client, "coco", [image(**changes)])
    assert (found["code"], found["status"]) == ("invalid_body", 422)
    assert told in found["detail"]
    assert found["errors"][0]["member"].startswith("images.0")


def test_names_are_each_an_images_own(client: TestClient) -> None:
    found = problem(client, "csv", [image("a.jpg"), image("a.jpg")])
    assert (found["code"], found["detail"]) == ("invalid_body", "images.1.name: another image is called 'a.jpg' too.")


def test_names_that_yolo_cannot_tell_apart(client: TestClient) -> None:
    found = problem(client, "yolo", [image("a.jpg"), image("a.png")])
    assert (found["code"], found["status"]) == ("not_expressible", 422)
    assert "'a.jpg' and 'a.png'" in found["detail"]
    assert client.post("/export?format=coco", json={"images": [image("a.jpg"), image("a.png")]}).status_code == 200


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"{", "malformed_body"), (b"", "malformed_body"), (b"[]", "invalid_body"), (b'{"images": []}', "invalid_body")],
)
def test_bodies_that_are_none(client: TestClient, content: bytes, code: str) -> None:
    answer = client.post("/export?format=coco", content=content, headers={"content-type": "application/json"})
    assert answer.json()["code"] == code


def test_parameters_are_checked(client: TestClient) -> None:
    for query, told in (
        ("", "format: it must be given"),
        ("?format=voc", "'jsonl', got 'voc'"),
        ("?format=coco&label=", "at least 1 character"),
        ("?format=coco&label=a%0Ab", "pattern"),
        ("?format=coco&labels=a", "there is no such parameter; the parameters are format, keep_unflagged, label"),
    ):
        answer = client.post(f"/export{query}", json={"images": SET})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
        assert told in answer.json()["detail"]


def test_other_types_and_encodings_are_refused(client: TestClient) -> None:
    for headers, told in (
        ({"content-type": "text/plain"}, "Expected application/json, got 'text/plain'."),
        ({"content-type": "application/json", "content-encoding": "gzip"}, "got 'gzip'"),
    ):
        answer = client.post("/export?format=coco", content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        assert told in answer.json()["detail"]


def test_size_is_bounded_and_heat_maps_are_named(client: TestClient, start: Start) -> None:
    answer = client.post(
        "/export?format=coco", content=b" " * (MAX_EXPORT_BYTES + 1), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["limit"]["value"]) == (413, MAX_EXPORT_BYTES)
    assert answer.json()["detail"].endswith("Leave out heat maps and previews, which are not written.")
    with start(max_request_bytes=1000) as small:
        answer = small.post("/export?format=coco", json={"images": [image(f"{i}.jpg") for i in range(20)]})
        assert answer.json()["limit"] == {"name": "max_request_bytes", "value": 1000}


def test_keys_guard_it(start: Start) -> None:
    with start(api_keys="alice=" + "k" * 16) as client:
        assert client.post("/export?format=coco", json={"images": SET}).status_code == 401
        key = {"x-api-key": "k" * 16}
        assert client.post("/export?format=coco", json={"images": SET}, headers=key).status_code == 200
