"""Sheets of the worst images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colocalization.localizer import Localizer
from experiments.failures import draw_failures
from experiments.sets import EvaluationSet
from scoring.contact_sheet import TILE_SIDE
from training.datasets import DatasetImage


def test_worst_images_come_first(dummy_localizer: Localizer, squares: Sequence[DatasetImage], tmp_path: Path) -> None:
    """Of six squares one has a truth that nothing can meet: it alone is a failure, and its truth is drawn in red."""
    images = [*squares[:5], replace(squares[5], boxes=((0.0, 56.0, 8.0, 64.0),))]
    notes: list[str] = []
    members = EvaluationSet("squares/left", "squares", tuple(images))
    (sheet,) = draw_failures(dummy_localizer, [members], tmp_path / "sheets", notes.append, count=1)
    assert sheet == tmp_path / "sheets" / "squares-left.jpg"
    assert notes == [f"{sheet}: 1 of 6 images below an IoU of 0.5"]
    with Image.open(sheet) as opened:
        red, green, blue = np.asarray(opened.convert("RGB"), dtype=int)[:TILE_SIDE, :TILE_SIDE].transpose(2, 0, 1)
    assert ((red > 150) & (green < 90) & (blue < 90)).any()
    assert ((green > 150) & (red < 110) & (blue < 130)).any()


@pytest.mark.parametrize("count", [1, 4])
def test_each_image_has_three_tiles(
    dummy_localizer: Localizer, squares: Sequence[DatasetImage], tmp_path: Path, count: int
) -> None:
    members = EvaluationSet("squares", "squares", tuple(squares))
    (sheet,) = draw_failures(dummy_localizer, [members], tmp_path / "sheets", lambda _: None, count=count)
    with Image.open(sheet) as opened:
        assert opened.width > 6 * TILE_SIDE  # two images a row
        assert (opened.height > 2 * TILE_SIDE) is (count > 2)
