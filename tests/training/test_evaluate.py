"""Boxes of maps by hand, and CorLoc of a network whose map is the brightness."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.datasets import open_dataset
from training.evaluate import evaluate, map_box


class Brightness(torch.nn.Module):
    """Attention is the brightness of each 8 x 8 cell."""

    backbone = type("Backbone", (), {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)})()

    def attend(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.nn.functional.avg_pool2d(images, 8)
        return features.mean(dim=1), features


def test_box_of_the_largest_component() -> None:
    heatmap = np.zeros((4, 8), np.float32)
    heatmap[1:3, 1:4] = 1
    heatmap[0, 7] = 1
    assert map_box(heatmap, 8, 4) == [(1.0, 1.0, 4.0, 3.0)]


def test_nothing_above_the_cut_is_no_box() -> None:
    assert map_box(np.zeros((4, 4), np.float32), 8, 8, cut=0.5) == []


def test_box_is_in_pixels_of_the_image() -> None:
    heatmap = np.zeros((2, 2), np.float32)
    heatmap[0, 1] = 1
    ((x0, y0, x1, y1),) = map_box(heatmap, 100, 50, cut=0.5)
    assert (x0, y0, x1, y1) == pytest.approx((50, 0, 100, 25), abs=2)


def test_a_map_that_shows_the_object_is_right(image_folder: Path) -> None:
    images = open_dataset(image_folder).labelled_test
    assert len(images) == 4
    scores = evaluate(Brightness(), images, 80, torch.device("cpu"))  # type: ignore[arg-type]
    assert set(scores) == {"otsu", "set_otsu", "psynet"}
    for cut in (scores["otsu"], scores["set_otsu"]):
        assert cut.at[0.7] == 100
        assert cut.images == 4
