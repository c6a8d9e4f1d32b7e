"""Experiment `calibrate`: what is learnt, how it is judged, and what the package ships of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from colocalization.box_scores import CALIBRATIONS, probabilities
from colocalization.model_choice import box_model
from experiments.calibrate import learn_calibration, measure_calibration, reliability
from experiments.records import Record, read_record
from experiments.report.calibration import calibration_section
from experiments.sets import EvaluationSet
from tests.experiments.test_foreground import examples

RECORD = Path(__file__).resolve().parents[2] / "docs" / "records" / "experiment-calibrate.json"


def test_calibration_learns_how_often_boxes_are_right() -> None:
    clues = np.repeat([[0.0], [1.0]], 400, axis=0)
    right = np.concatenate([np.arange(400) < 320, np.arange(400) < 80])
    learnt = learn_calibration(("outside",), clues, right, [str(index % 40) for index in range(800)])
    said = probabilities(np.array([[0.0], [1.0]]), learnt)
    assert said == pytest.approx([0.8, 0.2], abs=0.02)  # drawn a little to the mean by the penalty
    assert said.mean() == pytest.approx(0.5, abs=1e-3)


def test_sets_weigh_the_same_however_many_boxes_they_have() -> None:
    clues = np.zeros((110, 1))
    right = np.arange(110) < 100  # a hundred boxes of one set are right, ten of the other wrong
    learnt = learn_calibration(("outside",), clues, right, ["a"] * 100 + ["b"] * 10)
    assert probabilities(np.zeros((1, 1)), learnt) == pytest.approx([0.5], abs=1e-3)


def test_error_is_the_mean_distance_of_the_bins() -> None:
    said = np.array([0.95] * 10 + [0.15] * 10)
    right = np.array([True] * 9 + [False] + [True] * 4 + [False] * 6)
    told = reliability(said, right)
    assert told["error"] == pytest.approx((0.05 + 0.25) / 2)
    assert told["bins"] == [[0.15, 0.4, 10], [0.95, 0.9, 10]]
    assert told["auroc"] == pytest.approx((9 * 6 + 9 * 1 / 2 + 4 * 6 / 2) / (13 * 7), abs=1e-4)
    assert reliability(said, np.ones(20, dtype=bool))["auroc"] is None


@pytest.mark.slow
def test_every_set_is_judged_by_what_others_teach(tmp_path: Path) -> None:
    images = examples()
    sets = [EvaluationSet("a", "a", tuple(images[:8])), EvaluationSet("b", "b", tuple(images[7:15]))]
    for members in sets:
        image = members.images[0]
        folder = tmp_path / members.group / "images"
        folder.mkdir(parents=True)
        (folder / image.name).write_bytes(image.path.read_bytes())
        corners = ",".join(f"{value:g}" for value in image.boxes[0])
        (tmp_path / members.group / "hint.csv").write_text(f"file,x0,y0,x1,y1\n{image.name},{corners}\n")
    with box_model("int8") as model:
        results = measure_calibration(model, tmp_path, sets, lambda _: None, folder=tmp_path / "halves")
    assert set(results) >= {"attention", "prior", "set", "set and prior"}
    for name, told in results.items():
        assert tuple(told["clues"]) == CALIBRATIONS[name].clues  # type: ignore[index]
        assert told["sets left out"]["best"]["boxes"] <= told["sets left out"]["all"]["boxes"]
        assert sum(count for _, _, count in told["halves"]["all"]["bins"]) == told["halves"]["all"]["boxes"]
    # Five of the images make a set of their own, beside all of them.
    assert results["set"]["sets left out"]["best"]["boxes"] == 2 * (8 + 5)


def test_the_package_ships_what_the_record_has_learnt() -> None:
    results = read_record(RECORD)["results"]
    for name, calibration in CALIBRATIONS.items():
        told = results[name]
        assert (list(calibration.clues), list(calibration.weights)) == (told["clues"], told["weights"])
        assert calibration.bias == told["bias"]


def test_section_has_the_errors_and_the_sets(record: Callable[..., Record], tmp_path: Path) -> None:
    judged = {"error": 0.041, "auroc": 0.83, "boxes": 40, "bins": [[0.2, 0.25, 20], [0.8, 0.75, 20]]}
    part = {"all": judged, "best": {**judged, "error": 0.062}, "sets": {"raccoon": [0.81, 0.92], "plates": [0.6, 0.0]}}
    told = record("calibrate", {}, {"set and prior": {"sets left out": part, "halves": part}, "wall_seconds": 3.0})
    text = "\n".join(calibration_section(told, tmp_path))
    assert "| set and prior | 40 | 0.062 | 0.062 | 0.041 | 0.041 | 0.83 | 0.83 |" in text
    assert "| raccoon | 81 | sure | 92 | sure |" in text
    assert "| plates | 60 | check | 0 | hint |" in text
    assert "It says that for 1 of the 2 sets." in text
    assert (tmp_path / "reliability.svg").stat().st_size > 1000
