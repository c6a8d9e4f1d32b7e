"""Everything as files: written by the service, with what was corrected in it; crops are cut on the page."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests.scoring.formats.test_yolo import trainers_rule
from tests.service.http.page.driving import TWO_SQUARES, card, choose, download, drag, look, squares, typed_boxes

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


@pytest.fixture
def reviewed(page: "Page") -> "Page":
    """Four images: of a.png the box is corrected, b.png does not show it."""
    choose(page, "a.png", "b.png", "c.png", "d.jpe", content=squares((24, 24)))
    look(page, "a.png")
    drag(page, (8, 10), (40, 30))
    page.keyboard.press("Escape")
    card(page, "b.png").get_by_role("button", name="Not in this one", exact=True).click()
    page.locator("#label").fill("white square")
    return page


def corrected(page: "Page") -> list[float]:
    look(page, "a.png")
    (box,) = typed_boxes(page)
    page.keyboard.press("Escape")
    return box


def test_coco_with_what_was_corrected(reviewed: "Page", tmp_path: Path) -> None:
    x0, y0, x1, y1 = corrected(reviewed)
    got = download(reviewed, "coco")
    assert got.suggested_filename == "coco.json"
    got.save_as(tmp_path / "coco.json")
    coco = COCO(str(tmp_path / "coco.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["white square"]
    found: dict[str, list[Any]] = {
        image["file_name"]: [(one["bbox"], one["score"]) for one in coco.imgToAnns[image["id"]]]
        for image in coco.loadImgs(coco.getImgIds())
    }
    assert found["a.png"] == [([x0, y0, x1 - x0, y1 - y0], 1.0)]
    assert (found["b.png"], len(found["c.png"])) == ([], 1)
    assert reviewed.locator("#status").inner_text() == "Downloaded coco.json: 4 images."


def test_csv_and_json_lines(reviewed: "Page") -> None:
    box = corrected(reviewed)
    rows = list(csv.DictReader(Path(download(reviewed, "csv").path()).read_text().splitlines()))
    assert [(row["file"], row["contains_common_object"]) for row in rows] == [
        ("a.png", "true"), ("b.png", "false"), ("c.png", "true"), ("d.jpe", "true"),
    ]  # fmt: skip
    assert [float(rows[0][corner]) for corner in ("x0", "y0", "x1", "y1")] == box
    lines = [json.loads(line) for line in Path(download(reviewed, "jsonl").path()).read_text().splitlines()]
    assert [line["path"] for line in lines] == ["a.png", "b.png", "c.png", "d.jpe"]
    assert (lines[0]["boxes"][0]["score"], lines[1]["boxes"], lines[1]["confidence"]) == (1.0, [], 0.0)


def test_label_studio_names_the_model(reviewed: "Page") -> None:
    tasks = json.loads(Path(download(reviewed, "labelstudio").path()).read_text())
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=images/a.png"
    assert tasks[0]["predictions"][0]["model_version"] == "dummy 000000000000"


def test_yolo_is_a_whole_data_set(reviewed: "Page", tmp_path: Path) -> None:
    with zipfile.ZipFile(download(reviewed, "yolo").path()) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    images = sorted((tmp_path / "images").iterdir())
    assert [image.name for image in images] == ["a.png", "b.png", "c.png", "d.jpe.jpg"]
    assert images[0].read_bytes() == squares((24, 24))
    counts = [len(Path(trainers_rule(str(image))).read_text().splitlines()) for image in images]
    assert counts == [1, 0, 1, 1]
    assert "white square" in (tmp_path / "data.yaml").read_text()


def test_crops_are_cut_at_the_boxes(page: "Page") -> None:
    page.locator("#max-boxes").fill("0")
    page.locator("#mode").select_option("attention")
    choose(page, "one.png", "sub.png", content=TWO_SQUARES)
    look(page, "one.png")
    drag(page, (16, 16), (32, 32))
    x0, y0, x1, y1 = (round(value) for value in typed_boxes(page)[0])
    page.keyboard.press("Escape")
    got = download(page, "crops")
    assert got.suggested_filename == "crops.zip"
    with zipfile.ZipFile(got.path()) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {"crops/one_1.png", "crops/sub_1.png"} <= set(names)
        with Image.open(io.BytesIO(archive.read("crops/one_1.png"))) as image:
            pixels = np.asarray(image.convert("L"))
    assert pixels.shape == (y1 - y0, x1 - x0)
    assert np.mean(pixels == 255) > 0.8  # the square


def test_zip_takes_over_what_was_there(page: "Page") -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/ä.txt", "first")
    content = page.evaluate(
        """async (base) => {
          const { zipped } = await import("./page/zip.js");
          const files = [{ path: "b/ö.txt", blob: new Blob(["second"]) }, { path: "c", blob: new Blob([]) }];
          const made = await zipped(files, base && new Blob([new Uint8Array(base)]));
          return [...new Uint8Array(await made.arrayBuffer())];
        }""",
        list(stream.getvalue()),
    )
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a/ä.txt": b"first", "b/ö.txt": b"second", "c": b"",
        }  # fmt: skip


def test_a_busy_service_is_asked_again_and_that_is_told(page: "Page") -> None:
    choose(page, "a.png")
    answers: list[int] = []

    def busy_once(route: "Route") -> None:
        answers.append(len(answers))
        if len(answers) > 1:
            route.continue_()
            return
        route.fulfill(
            status=429, headers={"retry-after": "2"}, json={"title": "Full", "detail": "Full.", "status": 429}
        )

    page.route("**/export?*", busy_once)
    page.locator("#format").select_option("csv")
    with page.expect_download():
        page.get_by_role("button", name="Download", exact=True).click()
        page.locator("#status", has_text="The service is busy: trying again in 2 seconds.").wait_for()
    assert len(answers) == 2


def test_what_the_service_refuses_is_told(page: "Page") -> None:
    choose(page, "a.png", "a.jpg")
    page.locator("#format").select_option("yolo")
    page.get_by_role("button", name="Download", exact=True).click()
    page.locator("#problem", has_text="YOLO would call the labels of 'a.jpg' and 'a.png' both 'a.txt'").wait_for()
    page.locator("#label").fill("")
    page.get_by_role("button", name="Download", exact=True).click()
    assert page.evaluate("document.activeElement.id") == "label"  # it is needed
