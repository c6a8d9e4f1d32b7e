"""From what `score` wrote to a detector: the script of examples/ learns the boxes that it is given."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "examples" / "train_detector.py"

Script = dict[str, Any]


@pytest.fixture(scope="module")
def script() -> Script:
    return runpy.run_path(str(SCRIPT))


def write_set(folder: Path, count: int) -> Path:
    """Grey images with one bright square each, the last one without, and the COCO file of their boxes."""
    rng = np.random.default_rng(0)
    entries, annotations = [], []
    for number in range(count):
        pixels = rng.integers(60, 90, (96, 128, 3), dtype=np.uint8)
        entries.append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 96})
        if number < count - 1:
            x, y = int(rng.integers(0, 80)), int(rng.integers(0, 48))
            pixels[y : y + 48, x : x + 48] = (240, 200, 40)
            annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, 48, 48]})
        Image.fromarray(pixels).save(folder / f"{number}.png")
    coco = folder / "coco.json"
    coco.write_text(json.dumps({"images": entries, "annotations": annotations}))
    return coco


def test_samples_are_scaled_with_their_boxes_and_mirrored(script: Script, tmp_path: Path) -> None:
    coco = write_set(tmp_path, 2)
    (image, boxes), (_, none) = script["read_samples"](coco, tmp_path, 64)
    x, y, width, height = json.loads(coco.read_text())["annotations"][0]["bbox"]
    assert (image.shape, none.shape) == ((3, 48, 64), (0, 4))
    assert boxes.tolist() == [[x / 2, y / 2, (x + width) / 2, (y + height) / 2]]
    turned, other = script["mirrored"]((image, boxes))
    assert other.tolist() == [[64 - (x + width) / 2, y / 2, 64 - x / 2, (y + height) / 2]]
    assert torch.equal(turned[:, :, 0], image[:, :, -1])


def test_a_file_without_boxes_is_refused(script: Script, tmp_path: Path) -> None:
    coco = write_set(tmp_path, 1)
    with pytest.raises(SystemExit, match="has no box to learn from"):
        script["read_samples"](coco, tmp_path, 64)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_learns_and_what_it_writes_finds_the_squares(script: Script, tmp_path: Path) -> None:
    coco = write_set(tmp_path, 12)
    rows = ["file,x0,y0,x1,y1"]
    for one in json.loads(coco.read_text())["annotations"]:
        x, y, width, height = one["bbox"]
        rows.append(f"{one['image_id']}.png,{x},{y},{x + width},{y + height}")
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    out = tmp_path / "detector.pt"
    options = ["--out", str(out), "--steps", "60", "--side", "128", "--boxes", str(tmp_path / "boxes.csv")]
    command = [sys.executable, str(SCRIPT), str(coco), str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("CorLoc at 0.5: ")[1].rstrip("%\n")) >= 80
    assert out.stat().st_size < 2_000_000  # without the frozen part
    image, _ = script["read_image"](tmp_path / "0.png", 128)
    with torch.no_grad():
        found = script["load"](out)([image])[0]
    x, y, width, height = json.loads(coco.read_text())["annotations"][0]["bbox"]
    assert found["boxes"][0].tolist() == pytest.approx([x, y, x + width, y + height], abs=10)
