"""What somebody waits for on the page, and what one correction is worth.

    python -m tests.load.page
    python -m tests.load.page --data ../shared/data/plates_eu --axe node_modules/axe-core/axe.min.js

A new user with 30 mixed images: from the first drop to a COCO file with three boxes corrected by hand, in Chromium over
the real service. Writes docs/records/service-page.json: each step and its seconds, what was transferred until the page
was ready, and the CorLoc of the boxes, also after running again with what was corrected as hints. A person's own time
for looking and aiming is not in it: the script drags at once.

With `--data FOLDER` (`images/` and `boxes.csv`) it sends up to 40 of its images through the client without and with
one box, that of the first image, which then does not count. With `--axe FILE` axe-core looks at the page, light, dark
and on a phone: as opened, with results, and with an image large.
"""

import argparse
import csv
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, sync_playwright

from colocalization.client import Client, ServedSet
from colocalization.corloc import CorLoc
from tests.load.records import ROOT, write_record
from tests.load.servers import colocalize_server, serving

__all__ = ["mixed_images", "one_correction", "read_boxes", "walk"]

EXAMPLES = ROOT / "examples"
_MOST = 40
_WINDOWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
    "phone, dark": {
        "viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "color_scheme": "dark",
    },
}  # fmt: skip

Corners = tuple[float, float, float, float]


def read_boxes(path: Path) -> dict[str, list[Corners]]:
    """The boxes of a file `file,x0,y0,x1,y1`, by image."""
    boxes: dict[str, list[Corners]] = defaultdict(list)
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            boxes[row["file"]].append((float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"])))
    return dict(boxes)


def mixed_images(folder: Path) -> dict[str, list[Corners]]:
    """Lay 30 images into a folder: the example photographs, and twelve of them again, mirrored and in other formats.

    Returns:
        The boxes of those that show a bird, by name.
    """
    true = read_boxes(EXAMPLES / "boxes.csv")
    for source in (*(EXAMPLES / "images").iterdir(), *(EXAMPLES / "without").iterdir()):
        shutil.copy(source, folder / source.name)
    for index, name in enumerate(sorted(true)[:12]):
        with Image.open(EXAMPLES / "images" / name) as image:
            width = image.width
            kind = ("png", "webp", "tif")[index % 3]
            ImageOps.mirror(image).save(folder / f"{Path(name).stem}-mirrored.{kind}")
        true[f"{Path(name).stem}-mirrored.{kind}"] = [(width - x1, y0, width - x0, y1) for x0, y0, x1, y1 in true[name]]
    return true


class Steps:
    """What is done, and how long it takes until the page shows what comes of it."""

    def __init__(self) -> None:
        self.told: list[dict[str, object]] = []

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One thing that a person does."""
        began = time.monotonic()
        yield
        self.told.append({"what": what, "seconds": round(time.monotonic() - began, 2)})


def _drop(page: Page, folder: Path) -> None:
    frame = page.locator("#drop").bounding_box() or {"x": 0.0, "y": 0.0}
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": frame["x"] + 20, "y": frame["y"] + 20}
        devtools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def _draw(page: Page, box: Corners, size: tuple[int, int]) -> None:
    frame = page.locator("#viewer-stage").bounding_box()
    assert frame is not None
    x0, y0, x1, y1 = box
    for index, (x, y) in enumerate(((x0, y0), (x1, y1))):
        at = frame["x"] + x / size[0] * frame["width"], frame["y"] + y / size[1] * frame["height"]
        page.mouse.move(*at, steps=5)
        if not index:
            page.mouse.down()
    page.mouse.up()


def _worst(page: Page, true: dict[str, list[Corners]]) -> list[str]:
    """The three images with a bird that the page puts first, sorted by outliers: where a person would look."""
    names = page.locator(".card .name").all_inner_texts()
    return [name for name in names if name in true][:3]


def _corloc(path: Path, true: dict[str, list[Corners]], without: list[str]) -> float:
    coco = json.loads(path.read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    found: dict[str, list[tuple[float, Corners]]] = defaultdict(list)
    for one in coco["annotations"]:
        x, y, width, height = one["bbox"]
        found[names[one["image_id"]]].append((one["score"], (x, y, x + width, y + height)))
    corloc = CorLoc()
    for name in sorted(true.keys() - set(without)):
        corloc.add([box for _, box in sorted(found[name], reverse=True)], true[name])
    return round(corloc.compute().at[0.5], 1)


def walk(browser: Browser, url: str, folder: Path) -> dict[str, Any]:
    """From the first drop to a COCO file with three corrected boxes."""
    images = folder / "images"
    images.mkdir()
    true = mixed_images(images)
    steps = Steps()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(300_000)
    transferred: list[float] = []
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
    with steps.step("open the page"):
        page.goto(url)
        page.locator("body.ready").wait_for()
    weight = {"requests": len(transferred), "kib": round(sum(transferred) / 1024, 1)}
    with steps.step(f"drop the folder of {len(list(images.iterdir()))} images"):
        _drop(page, images)
        page.locator("#status", has_text="Done in").wait_for()
    with steps.step("sort by outliers first"):
        page.locator("#order").select_option("outliers")
    names = _worst(page, true)
    first = _download(page, folder / "before.json")
    for name in names:
        with Image.open(images / name) as image:
            size = image.size
        with steps.step(f"open {name}, draw its box, close"):
            page.locator(".card").filter(has=page.get_by_text(name, exact=True)).locator(".open").click()
            page.locator("#viewer-name", has_text=name).wait_for()
            _draw(page, max(true[name], key=lambda box: (box[2] - box[0]) * (box[3] - box[1])), size)
            page.locator("#viewer-facts", has_text="by hand").wait_for()
            page.keyboard.press("Escape")
    with steps.step("download as COCO"):
        last = _download(page, folder / "corrected.json")
    total = sum(float(str(step["seconds"])) for step in steps.told)
    page.locator("#again").click()
    page.locator("#status", has_text="Done in").wait_for()
    taught = _download(page, folder / "taught.json")
    context.close()
    corrected = sum(one["score"] == 1 for one in json.loads(last.read_text())["annotations"])
    return {
        "images": len(list(images.iterdir())), "steps": steps.told, "seconds": round(total, 1),
        "until_the_page_was_ready": weight, "corrected": names, "boxes_by_hand_in_the_file": corrected,
        "corloc_of_the_others": {
            "before": _corloc(first, true, names), "corrected": _corloc(last, true, names),
            "run_again_with_these_hints": _corloc(taught, true, names),
        },
    }  # fmt: skip


def _download(page: Page, path: Path) -> Path:
    page.locator("#format").select_option("coco")
    with page.expect_download() as started:
        page.locator("#download").click()
    started.value.save_as(path)
    return path


def one_correction(url: str, folder: Path) -> dict[str, Any]:
    """CorLoc of a set without and with one box, over the images but the one that has it."""
    true = read_boxes(folder / "boxes.csv")
    names = sorted(true)[:_MOST]
    paths = [str(folder / "images" / name) for name in names]
    box = max(true[names[0]], key=lambda one: (one[2] - one[0]) * (one[3] - one[1]))

    def corloc(found: ServedSet) -> dict[str, float]:
        scores = CorLoc()
        for name, image in list(zip(names, found, strict=True))[1:]:
            scores.add(image.boxes_array, true[name])
        return {str(at): round(value, 1) for at, value in scores.compute().at.items()}

    with Client(url, timeout=900) as client:
        answers = {"before": client.localize(paths), "after": client.localize(paths, hints={0: box})}
    return {
        "set": folder.name,
        "images": len(names) - 1,
        "corloc": {when: corloc(answer) for when, answer in answers.items()},
        "seconds": {when: round(answer.timing_ms["total"] / 1000, 1) for when, answer in answers.items()},
    }


def accessibility(browser: Browser, url: str, axe: Path) -> dict[str, Any]:
    """What axe-core finds against WCAG 2.2 AA and its best practices, by window and state."""
    found: dict[str, Any] = {}
    run = """
    () => axe.run().then(({ violations, passes }) => ({
      passes: passes.length,
      violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`),
    }))
    """
    for name, options in _WINDOWS.items():
        context = browser.new_context(**options, bypass_csp=True)
        page = context.new_page()
        page.set_default_timeout(300_000)
        page.goto(url)
        page.locator("body.ready").wait_for()
        page.add_script_tag(path=axe)
        told = [page.evaluate(run)]
        page.set_input_files("#files", sorted((EXAMPLES / "images").iterdir())[:4])
        page.locator("#status", has_text="Done in").wait_for()
        told.append(page.evaluate(run))
        page.locator(".card .open").first.click()
        page.locator("#viewer[open]").wait_for()
        page.keyboard.press("b")
        told.append(page.evaluate(run))
        found[name] = dict(zip(("opened", "results", "image large"), told, strict=True))
        context.close()
    return found


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with images/ and boxes.csv")
    parser.add_argument("--axe", type=Path, help="axe.min.js of the npm package axe-core")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    results: dict[str, Any] = {}
    with serving(*colocalize_server(precision=given.precision, request_timeout=900)) as server, sync_playwright() as it:
        url = f"http://127.0.0.1:{server.port}/"
        browser = it.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with tempfile.TemporaryDirectory(prefix="colocalize-") as folder:
            results["walk"] = walk(browser, url, Path(folder))
        if given.axe:
            results["accessibility"] = accessibility(browser, url, given.axe)
        browser.close()
        if given.data:
            results["one_correction"] = one_correction(url, given.data)
    settings = {"precision": given.precision, "data": given.data and given.data.name}
    print(write_record("service-page", settings, results, given.out))  # noqa: T201
    print(json.dumps(results, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
