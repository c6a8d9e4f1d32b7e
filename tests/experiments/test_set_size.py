"""Every image of the pool once, at every size."""

from collections.abc import Sequence

import numpy as np
import pytest

from colocalization.localizer import Localizer
from experiments.scores import best_iou, pack_ious
from experiments.set_size import SIZES, divide, measure_set_size
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage


@pytest.mark.parametrize("count", [1, 3, 39, 40, 41, 250])
@pytest.mark.parametrize("size", SIZES)
def test_the_pool_is_scored_once(count: int, size: int | None) -> None:
    sets = list(divide(count, 40, size, np.random.default_rng(0)))
    scored = [index for members, number in sets for index in members[:number]]
    pool = [index for members, number in divide(count, 40, 1, np.random.default_rng(0)) for index in members[:number]]
    assert sorted(scored) == sorted(pool)
    assert len(scored) == min(count, 40)
    for members, _ in sets:
        assert len(members) == len(set(members)) == (count if size is None else min(size, count))


def test_results_of_a_record(dummy_localizer: Localizer, squares: Sequence[DatasetImage]) -> None:
    sets = [EvaluationSet("squares", "squares", tuple(squares))]
    results = measure_set_size({"squares": dummy_localizer}, sets, lambda text: None)
    assert list(results["sizes"]) == ["1", "2", "5", "20", "100", "all"]
    for size in results["sizes"].values():
        assert len(size["iou_thousandths"]["squares"]) == 6
        assert size["mean"]["images"] == 6
    # Sets larger than there are images are the whole set.
    assert results["sizes"]["20"]["iou_thousandths"] == results["sizes"]["all"]["iou_thousandths"]
    assert results["sizes"]["all"]["over_all"]["mean"] == [0, 0, 0]
    # One image alone is localized by its own attention map.
    alone = dummy_localizer.localize([squares[3].path]).images[0].boxes[0]
    expected = results["sizes"]["1"]["iou_thousandths"]["squares"][3]
    assert pack_ious([best_iou(alone.as_tuple(), squares[3].boxes)]) == [expected]
