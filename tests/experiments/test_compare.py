"""All methods over small sets: our own equals `Localizer`, records merge, summaries follow from the IoUs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colocalization.localizer import Localizer
from experiments.compare import compare, merge, summaries
from experiments.observe import observe, prepare
from experiments.ours import OURS, OwnMethod
from experiments.scores import best_iou
from experiments.sets import EvaluationSet
from tests.colocalization.test_prior_fitting import ForegroundEngine
from training.datasets import DatasetImage
from training.errors import TrainingError


def silent(text: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize("method", OURS.values(), ids=list(OURS))
def test_our_method_is_what_localizer_does(
    dummy_localizer: Localizer, squares: Sequence[DatasetImage], method: OwnMethod
) -> None:
    own = Localizer(dummy_localizer.engine, effort=method.effort or "full")
    expected = own.localize([image.path for image in squares], mode="attention" if method.effort is None else "common")
    with observe(dummy_localizer, {}, None, squares) as observed:
        finish = method.fit(dummy_localizer, observed)
        results = [finish(index) for index in range(len(squares))]
    assert [result.boxes for result in results] == [result.boxes for result in expected.images]
    assert [result.confidence for result in results] == [result.confidence for result in expected.images]


def test_a_models_prior_takes_part(squares: Sequence[DatasetImage]) -> None:
    own = Localizer(ForegroundEngine())
    with observe(own, {}, None, squares) as observed:
        (again,) = own.run([prepare(own, squares[2])])
        assert again.foreground is not None
        np.testing.assert_array_equal(observed.of(2).foreground, again.foreground)


def test_an_image_goes_through_the_network_once(dummy_localizer: Localizer, squares: Sequence[DatasetImage]) -> None:
    with observe(dummy_localizer, {}, None, squares) as observed:
        assert dummy_localizer.engine.batch_sizes == [1] * len(squares)  # type: ignore[attr-defined]
        (again,) = dummy_localizer.run([prepare(dummy_localizer, squares[2])])
        assert (observed.of(2).features == again.features).all()
        assert (observed.of(2).attention == again.attention).all()
        assert observed.sizes[2] == (64, 64)


def test_results_of_a_record(dummy_localizer: Localizer, squares: Sequence[DatasetImage]) -> None:
    sets = [EvaluationSet("one/left", "one", tuple(squares[:4])), EvaluationSet("two", "two", tuple(squares[3:]))]
    results = compare(dummy_localizer, Path(), sets, silent, kinds=("trivial", "ours"))
    told = results["sets"]["one/left"]
    assert (told["group"], told["images"]) == ("one", 4)
    # The square is 24 x 24 of 64 x 64 pixels.
    whole = [best_iou((0, 0, 64, 64), image.boxes) for image in squares[:4]]
    assert whole == pytest.approx([(24 / 64) ** 2] * 4)
    assert told["methods"]["whole image"]["iou_thousandths"] == [140] * 4
    assert told["methods"]["whole image"]["max_box_acc_v2"] is None
    assert results["summary"]["whole image"]["mean"]["corloc"]["0.3"] == 0
    assert results["summary"]["ours, attention"]["mean"]["corloc"]["0.5"] == 100
    assert results["summary"]["ours, attention"]["mean"]["max_box_acc_v2"] > 60
    assert set(results["measured"]) == {"trivial", "ours"}


def measured(kind: str, method: str, ious: list[int], commit: str) -> dict[str, Any]:
    sets = {
        "a": {
            "group": "a",
            "images": len(ious),
            "methods": {method: {"iou_thousandths": ious, "max_box_acc_v2": 50.0, "cpu_seconds_per_image": 0.1}},
        }
    }
    return {"measured": {kind: {"commit": commit}}, "sets": sets, "summary": summaries(sets)}


def test_a_new_measurement_takes_the_place_of_the_old_one() -> None:
    old = merge(measured("features", "DDT", [500, 700], "x"), measured("ours", "ours, common", [0, 0], "x"))
    new = merge(old, measured("ours", "ours, common", [900, 900], "y"))
    assert {name: result["mean"]["corloc"]["0.7"] for name, result in new["summary"].items()} == {
        "DDT": 50.0,
        "ours, common": 100.0,
    }
    assert new["measured"] == {"features": {"commit": "x"}, "ours": {"commit": "y"}}


def test_records_of_other_images_do_not_merge() -> None:
    with pytest.raises(TrainingError, match="other images"):
        merge(measured("features", "DDT", [500, 700], "x"), measured("ours", "ours, common", [900], "y"))
