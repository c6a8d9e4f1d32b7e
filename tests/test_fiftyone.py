"""The steps of docs/how-to/fiftyone.md in a real FiftyOne, which needs an environment of its own and a MongoDB."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/how-to/fiftyone.md"

TELL = """
import json
dataset_boxes = [box for boxes in dataset.values("found.detections") for box in boxes or []]
print("TOLD " + json.dumps({
    "samples": len(dataset),
    "scores": [box.confidence for box in dataset_boxes],
    "first": Path(view.first().filepath).name,
    "without": sorted(Path(s.filepath).name for s in dataset if not (s.found and s.found.detections)),
    "yolo": [len(yolo), yolo.count("found.detections")],
}))
dataset.delete()
yolo.delete()
"""


def blocks(language: str) -> list[str]:
    """Examples of the page in a language, in order."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", PAGE.read_text(), re.M | re.S)
    return [textwrap.dedent(text) for _, text in found]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_s_steps(tmp_path: Path) -> None:
    python = os.environ.get("FIFTYONE_PYTHON")
    if python is None:
        pytest.skip("needs FiftyOne: FIFTYONE_PYTHON names the interpreter of an environment that has it")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (score,), (again,) = ([text.split() for text in blocks(kind)] for kind in ("bash", "console"))
    command = [str(Path(sys.executable).with_name(score[0]))]
    subprocess.run([*command, *score[1:]], cwd=tmp_path, check=True, capture_output=True)

    imported, tagged, yolo = blocks("py")
    tag = "last = view.last()\nlast.tags.append('wrong')\nlast.save()\n"  # a click in the app
    code = "\n".join((imported, tag, tagged, yolo, TELL))
    variables = {**os.environ, "FIFTYONE_DO_NOT_TRACK": "true", "HOME": str(tmp_path)}
    run = subprocess.run([python, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("TOLD "))
    told = json.loads(line.removeprefix("TOLD "))

    coco = json.loads((tmp_path / "results/coco.json").read_text())
    scores = {one["image_id"]: one["score"] for one in coco["annotations"]}
    names = {one["id"]: one["file_name"] for one in coco["images"]}
    assert told["samples"] == len(names) == 18
    assert sorted(told["scores"]) == sorted(scores.values())
    assert told["first"] == names[min(scores, key=lambda number: scores[number])]
    assert told["without"] == ["colosseum.jpg", "flowers.jpg", "lake.jpg"]
    assert told["yolo"] == [18, len(scores)]

    best = names[max(scores, key=lambda number: scores[number])]
    assert (tmp_path / "hints.csv").read_text() == f"file,x0,y0,x1,y1\n{best},,,,\n"
    subprocess.run([*command, *again[1:]], cwd=tmp_path, check=True, capture_output=True)
    later = json.loads((tmp_path / "results/coco.json").read_text())
    shown = {names[one["image_id"]] for one in later["annotations"]}
    assert best not in shown
