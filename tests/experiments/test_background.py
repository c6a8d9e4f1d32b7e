"""Confidence as `Localizer` gives it, and the area under the curve by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colocalization.localizer import Localizer
from experiments.background import area_under_curve, confidences, measure_background
from experiments.observe import observe
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples" / "images").glob("*.jpg"))[:5]


@pytest.mark.parametrize(
    ("positive", "negative", "area"),
    [
        ([0.9, 0.8], [0.2, 0.1], 1.0),
        ([0.1], [0.9], 0.0),
        ([0.5, 0.5], [0.5], 0.5),
        ([0.9, 0.3], [0.5, 0.1], 0.75),
    ],
)
def test_area_under_curve(positive: list[float], negative: list[float], area: float) -> None:
    assert area_under_curve(np.array(positive), np.array(negative)) == area


def test_confidence_is_localizers() -> None:
    localizer = Localizer.load(device="cpu", threads=1, effort="fast", precision="fp32")
    images = [DatasetImage(path.name, path) for path in EXAMPLES]
    expected = [result.confidence for result in localizer.localize(EXAMPLES).images]
    with observe(localizer, {}, None, images) as observed:
        values, agreement = confidences([observed.of(index) for index in range(len(images))])
    assert values.tolist() == expected
    assert 0 <= agreement <= 1


def test_results_of_a_record(dummy_localizer: Localizer, squares: Sequence[DatasetImage], tmp_path: Path) -> None:
    background = []
    for index in range(6):
        path = tmp_path / f"{index}.png"
        noise = np.random.default_rng(index).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        background.append(DatasetImage(path.name, path))
    sets = [EvaluationSet("squares", "squares", tuple(squares))]
    notes: list[str] = []
    results = measure_background(dummy_localizer, sets, background, notes.append)
    shares = results["sets"]["squares"]["shares"]
    # 10 % of background beside 6 images is 1 of 7, at least; 50 % is 6 of 12.
    assert [(share["images"], share["background"]) for share in shares.values()] == [(6, 1), (6, 3), (6, 6)]
    assert results["mean"]["shares"]["0.5"]["auroc"] == shares["0.5"]["auroc"]
    assert list(results["background_alone"]) == ["2", "5"]
    assert set(results["sets"]["squares"]["few"]) == {"2", "5"}
    assert results["mean"]["few"] == results["sets"]["squares"]["few"]
    assert len(notes) == 2


def test_large_sets_are_drawn_down_to_keep_the_share(
    dummy_localizer: Localizer, squares: Sequence[DatasetImage]
) -> None:
    sets = [EvaluationSet("squares", "squares", tuple(squares))]
    results = measure_background(dummy_localizer, sets, squares[:1], lambda text: None)
    half = results["sets"]["squares"]["shares"]["0.5"]
    assert (half["images"], half["background"]) == (1, 1)
