"""A trained checkpoint on its whole way: exported, scored by the command, and beside torch."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from colocalization.boxes import box_iou
from colocalization.localizer import ImageFeatures, Localizer
from scoring.evaluation import evaluate
from scoring.predictions import read_predictions
from training.build import load_network

__all__ = ["measure_checkpoint"]


def measure_checkpoint(checkpoint: Path, images: list[Path], boxes: Path, folder: Path) -> dict[str, Any]:
    """Export a checkpoint, run `colocalize score` in mode `attention` with it, and compare each box with torch's.

    Args:
        checkpoint: What `colocalize train` wrote.
        images: Photographs with names of their own.
        boxes: CSV of their boxes.
        folder: Where everything goes.

    Returns:
        `images`, how many boxes are `identical` to torch's, the worst difference of a side in pixels and the least
        IoU, what the export said, and CorLoc of the predictions.
    """
    model, out, listed = folder / "model.onnx", folder / "out", folder / "images"
    listed.mkdir()
    for image in images:
        (listed / image.name).symlink_to(image.resolve())
    size = load_network(checkpoint)[1].config.data.crop
    told = _command("export", checkpoint, "--out", model, "--parity-images", listed, "--input-size", size)
    _command("score", listed, "--out", out, "--mode", "attention", "--model", model, "--device", "cpu")
    predicted = {
        line["path"]: line["boxes"][0] for line in read_predictions(out / "predictions.jsonl") if line["boxes"]
    }
    network, _ = load_network(checkpoint)
    localizer = Localizer.load(model, device="cpu")
    differences, overlaps = [], []
    for image in images:
        prepared = localizer.prepare(image)
        with torch.no_grad():
            attention, features = (
                tensor[0].numpy() for tensor in network.attend(torch.from_numpy(prepared.input[None]))
            )
        theirs = localizer.finish(prepared, ImageFeatures(attention, features), None).boxes[0].as_tuple()
        ours = tuple(float(predicted[image.name][side]) for side in ("x0", "y0", "x1", "y1"))
        differences.append(float(np.abs(np.subtract(ours, theirs)).max()))
        overlaps.append(float(box_iou([ours], [theirs]).item()))
    names = folder / "names.txt"
    names.write_text("\n".join(image.name for image in images), "utf-8")
    scores = evaluate(out / "predictions.jsonl", boxes, names).scores
    return {
        "images": len(images),
        "identical": sum(difference == 0 for difference in differences),
        "worst_side_px": round(max(differences), 3),
        "least_iou": round(min(overlaps), 4),
        "export": told.splitlines()[0],
        "corloc": {f"{at:g}": round(value, 2) for at, value in scores.at.items()} | {"mean": round(scores.mean, 2)},
    }


def _command(*arguments: object) -> str:
    command = [sys.executable, "-m", "colocalization.commands.main", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
