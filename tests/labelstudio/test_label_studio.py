"""From a project of 40 images to predictions that two corrections have made better, in a real Label Studio."""

import csv
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from colocalization.boxes import box_iou
from tests.labelstudio.conftest import DATA
from tests.labelstudio.servers import Studio

SET, LABEL, COUNT = "plates_eu", "plate", 40
CONFIG = f"""<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="{LABEL}"/></RectangleLabels></View>"""

Corners = tuple[float, float, float, float]


def true_boxes() -> dict[str, list[Corners]]:
    boxes: dict[str, list[Corners]] = defaultdict(list)
    with (DATA / SET / "boxes.csv").open() as stream:
        for row in csv.DictReader(stream):
            x0, y0, x1, y1 = (float(row[side]) for side in ("x0", "y0", "x1", "y1"))
            boxes[row["file"]].append((x0, y0, x1, y1))
    return boxes


def corners(region: dict[str, object]) -> Corners:
    value, width, height = region["value"], region["original_width"], region["original_height"]
    x, y, w, h = (value[side] for side in ("x", "y", "width", "height"))  # type: ignore[index]
    return x * width / 100, y * height / 100, (x + w) * width / 100, (y + h) * height / 100


class Project:
    """The project in Label Studio."""

    def __init__(self, studio: Studio, names: list[str]) -> None:
        self.studio = studio
        self.number = studio.project(SET, CONFIG, DATA / SET / "images", names)
        listed = studio.call("GET", "/api/tasks", params={"project": self.number, "page_size": 100, "fields": "all"})
        self.tasks = {task["data"]["name"]: task["id"] for task in listed["tasks"]}

    def predict(self) -> str:
        """Have all tasks predicted at once, as the action "Retrieve predictions" does; the version that did."""
        everything = {"selectedItems": {"all": True, "excluded": []}}
        self.studio.call(
            "POST",
            "/api/dm/actions",
            params={"id": "retrieve_tasks_predictions", "project": self.number},
            json=everything,
        )
        return str(self.studio.call("GET", f"/api/ml?project={self.number}")[0]["model_version"])

    def boxes(self, version: str) -> dict[str, list[Corners]]:
        predictions = self.studio.call("GET", "/api/predictions", params={"project": self.number})
        names = {number: name for name, number in self.tasks.items()}
        return {
            names[one["task"]]: [corners(region) for region in one["result"]]
            for one in predictions
            if one["model_version"] == version
        }

    def correct(self, name: str, boxes: list[Corners], size: tuple[int, int]) -> None:
        width, height = size
        result = [
            {
                "from_name": "label", "to_name": "image", "type": "rectanglelabels",
                "original_width": width, "original_height": height, "image_rotation": 0,
                "value": {
                    "x": 100 * x0 / width, "y": 100 * y0 / height, "width": 100 * (x1 - x0) / width,
                    "height": 100 * (y1 - y0) / height, "rotation": 0, "rectanglelabels": [LABEL],
                },
            }
            for x0, y0, x1, y1 in boxes
        ]  # fmt: skip
        self.studio.call("POST", f"/api/tasks/{self.tasks[name]}/annotations", json={"result": result})


def hits(found: Mapping[str, list[Corners]], true: Mapping[str, list[Corners]]) -> int:
    """Images whose best box has an IoU of at least 0.5 with a true one."""
    return sum(bool(boxes) and float(np.max(box_iou(boxes[:1], true[name]))) >= 0.5 for name, boxes in found.items())


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_corrections_make_the_next_predictions_better(
    studio: Studio, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    true = true_boxes()
    names = sorted(true)[:COUNT]
    project = Project(studio, names)
    assert len(project.tasks) == COUNT
    studio.call(
        "POST", "/api/ml", json={"url": backend, "project": project.number, "title": "Colocalize", "timeout": 1200}
    )

    first = project.predict()
    before = project.boxes(first)
    assert set(before) == set(names)
    assert sum(map(bool, before.values())) > COUNT / 2  # the images could be read

    for name in names[:2]:
        with Image.open(DATA / SET / "images" / name) as image:
            project.correct(name, true[name], image.size)
    second = project.predict()
    assert second != first
    after = project.boxes(second)
    assert set(after) == set(names)

    others = names[2:]  # what was corrected is known, and does not count
    was, now = (hits({name: found[name] for name in others}, true) for found in (before, after))
    told = f"{SET}: of {len(others)} images that were not corrected {was} right before, {now} after two corrections"
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
    assert now >= was + 10
