"""Experiment `training`: halves that do not meet, a prior in a model file, a run to its end, the section by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colocalization.discriminant import Discriminant
from colocalization.localizer import Localizer
from colocalization.model_choice import box_model
from experiments.model_file import ModelFile
from experiments.records import Record
from experiments.report.pays import advised, training_section
from experiments.sets import EvaluationSet
from experiments.training_pays import METHODS, divide, measure_training
from tests.experiments.test_foreground import examples
from training.datasets import DatasetImage
from training.foreground_prior import ForegroundPrior


class TestDivide:
    IMAGES = tuple(DatasetImage(str(index), Path(str(index))) for index in range(11))

    def test_halves_have_no_image_in_common(self) -> None:
        train, tried = divide(self.IMAGES, 0, 99, 99)
        assert len(train) == 5
        assert {image.name for image in train + tried} == {image.name for image in self.IMAGES}

    def test_at_most_so_many_and_another_seed_is_another_division(self) -> None:
        first, second = divide(self.IMAGES, 1, 4, 3), divide(self.IMAGES, 2, 4, 3)
        assert [len(part) for part in first] == [4, 3]
        assert first != second
        assert first == divide(self.IMAGES, 1, 4, 3)


def test_a_prior_in_a_model_file_is_its_map_of_the_taps() -> None:
    with box_model() as path:
        model = ModelFile(path)
    assert model.channels == (80, 112, 192, 320)
    direction = np.random.default_rng(0).normal(size=704).astype(np.float32)
    prior = ForegroundPrior(Discriminant(direction, -2.0, 2.0), "")
    localizer = Localizer(model.with_prior(prior))
    image = localizer.prepare(examples()[0].path)
    found = localizer.run([image])[0].foreground
    assert found is not None
    np.testing.assert_allclose(found, prior.map(model.tapped(image.image.rgb)), atol=1e-4)


@pytest.mark.slow
def test_to_its_end_and_once_more_from_what_was_kept(tmp_path: Path) -> None:
    images = examples()
    sets = [EvaluationSet("birds", "birds", tuple(images)), EvaluationSet("others", "others", tuple(images[:8]))]

    def measure(notes: list[str]) -> dict[str, Any]:
        with box_model() as model:
            return measure_training(
                model, tmp_path, sets, notes.append, seeds=[0], most_to_train=8, most_to_try=3, folder=tmp_path / "kept"
            )

    notes: list[str] = []
    found = measure(notes)
    assert any(note.startswith("seed 0, birds: no prior, attention ") for note in notes)
    birds = found["divisions"]["0"]["birds"]
    assert birds["images"] == [7, 3]
    assert set(birds["iou_thousandths"]) == set(METHODS)
    assert all(len(ious) == 3 for ious in birds["iou_thousandths"].values())
    # Seven images are too few to teach: the model stays as it is, and is said to be no better.
    assert birds["iou_thousandths"]["trained, common"] == birds["iou_thousandths"]["before, common"]
    assert birds["comparison"]["judgements"] == {"attention": "no better", "common": "no better"}
    again: list[str] = []
    assert measure(again)["divisions"] == found["divisions"]
    assert again == []


def division(before: list[int], trained: list[int], judgement: str) -> dict[str, Any]:
    """IoUs in thousandths, the same for both modes."""
    ious = {name: trained if name.startswith("trained") else before for name in METHODS}
    return {
        "images": [8, len(before)],
        "comparison": {"judgements": {"attention": judgement, "common": "no better"}},
        "iou_thousandths": ious,
    }


@pytest.fixture
def two_sets(record: Callable[..., Record]) -> Record:
    """Raccoons gain in both divisions (66.7 and 33.3 points), plates lose in one that is said to be better."""
    divisions = {
        "0": {
            "raccoon": division([200, 800], [800, 600], "better"),
            "plates": division([800, 800], [800, 200], "better"),
        },
        "1": {
            "raccoon": division([200, 600], [600, 600], "no better"),
            "plates": division([100, 100], [100, 100], "better"),
        },
    }
    return record(
        "training", {"most_to_train": 8, "most_to_try": 2, "input_size": 448}, {"divisions": divisions, "lessons": {}}
    )


def test_what_came_of_following_the_verdicts(two_sets: Record) -> None:
    found = advised(two_sets, "attention")
    raccoon, plates = found["raccoon"], found["plates"]
    # CorLoc Mean: 50 -> (100 + 100 + 50) / 3, and (50 + 50 + 0) / 3 -> (100 + 100 + 0) / 3.
    assert raccoon.gain == pytest.approx((250 / 3 - 50 + 100 / 3) / 2)
    assert raccoon.followed == pytest.approx((250 / 3 - 50) / 2)
    assert (raccoon.better, raccoon.divisions, raccoon.right, raccoon.each_right) == (1, 2, False, 1)
    assert plates.gain == pytest.approx(-25)
    assert (plates.better, plates.right, plates.each_right) == (2, False, 1)


def test_section(two_sets: Record, tmp_path: Path) -> None:
    text = "\n".join(training_section(two_sets, tmp_path))
    line = next(line for line in text.splitlines() if line.startswith("| raccoon"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:4] == ["50.0 / 25.0", "50.0 / 25.0", "100.0 / 25.0"]
    assert cells[6:] == ["1 of 2, wrong", "0 of 2, wrong"]
    assert "**mean of the others** | 50.0 / 50.0" in text
    assert "`attention`: right for 0 of 2 sets, and in 2 of 4 single divisions" in text
