"""Experiment `foreground`: halves that do not meet, and what its record holds."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from colocalization.model_choice import box_model
from experiments.foreground import METHODS, halves, measure_foreground
from experiments.records import Record
from experiments.report.foreground import foreground_section
from experiments.sets import EvaluationSet
from training.datasets import BoxTuple, DatasetImage

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def examples() -> list[DatasetImage]:
    boxes: dict[str, list[BoxTuple]] = {}
    with (EXAMPLES / "boxes.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            x0, y0, x1, y1 = (float(row[name]) for name in ("x0", "y0", "x1", "y1"))
            boxes.setdefault(row["file"], []).append((x0, y0, x1, y1))
    return [DatasetImage(name, EXAMPLES / "images" / name, "both", tuple(told)) for name, told in boxes.items()]


def test_halves_are_all_groups_and_have_none_in_common() -> None:
    first, second = halves(["d", "a", "c", "a", "b", "e"])
    assert (first, second) == ({"a", "c", "e"}, {"b", "d"})


@pytest.mark.slow
def test_no_set_is_tried_with_a_prior_that_has_seen_it(tmp_path: Path) -> None:
    images = examples()
    sets = [
        EvaluationSet("ducks", "ducks", tuple(images[:8])),
        EvaluationSet("owls/left", "owls", tuple(images[7:12])),
        EvaluationSet("owls/right", "owls", tuple(images[11:])),
    ]
    notes: list[str] = []
    with box_model("int8") as model:
        results = measure_foreground(model, tmp_path, sets, notes.append)
    taught = {tried: lesson["taught_by"] for tried, lesson in results["lessons"].items()}
    assert [name.partition(" ")[0] for name in taught["for ducks"]] == ["owls"]
    assert [name.partition(" ")[0] for name in taught["for owls"]] == ["ducks"]
    assert set(results["methods"]) == {f"{name}, {kind}" for name in METHODS for kind in ("without", "with")}
    for told in results["methods"].values():
        assert [len(told["iou_thousandths"][members.name]) for members in sets] == [8, 5, 4]
    attention = [results["methods"][f"ours, attention, {kind}"] for kind in ("without", "with")]
    assert attention[0]["iou_thousandths"] != attention[1]["iou_thousandths"]
    plain, helped = (told["mean"]["corloc"]["0.7"] for told in attention)
    assert results["gains"]["ours, attention"]["0.7"][0] == pytest.approx(helped - plain, abs=0.02)


def test_section_has_the_means_of_the_sets(record: Callable[..., Record], tmp_path: Path) -> None:
    def method(*scores: tuple[float, float]) -> dict[str, object]:
        groups = ("raccoon", "cars", "plates")
        return {"groups": {name: {"0.5": at, "0.7": high} for name, (at, high) in zip(groups, scores, strict=True)}}

    before, after = method((60, 40), (10, 0), (0, 0)), method((80, 60), (40, 20), (0, 0))
    methods = {f"{name}, {kind}": told for name in METHODS for kind, told in (("without", before), ("with", after))}
    gains = {name: {"0.5": [16.67, 10.0, 20.0], "0.7": [13.33, 8.0, 16.0]} for name in METHODS}
    lessons = {"for cars": {"taught_by": ["raccoon (9 of 10)"], "left_out": ["cars (1 of 10)"]}}
    told = record("foreground", {}, {"methods": methods, "gains": gains, "lessons": lessons})
    text = "\n".join(foreground_section(told, tmp_path))
    assert "| **mean of the six** | 60.0 / 40.0 | 80.0 / 60.0 | 60.0 / 40.0 | 80.0 / 60.0 |" in text
    assert "| **mean of the others** | 5.0 / 0.0 | 20.0 / 10.0 |" in text
    assert "| **mean of all** | 23.3 / 13.3 | 40.0 / 26.7 |" in text
    assert "`attention` gains +16.7 [+10.0, +20.0] at 0.5 and +13.3 [+8.0, +16.0] at 0.7" in text
    assert "taught nothing: cars (1 of 10)." in text
