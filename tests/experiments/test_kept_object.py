"""Every image with the object of its set, and with that of the half that it is not in."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from colocalization.common_object import CommonObject
from colocalization.localizer import Localizer
from experiments import kept_object
from experiments.kept_object import WAYS, measure_kept_object
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage


def test_results_of_a_record(dummy_localizer: Localizer, squares: Sequence[DatasetImage]) -> None:
    sets = [EvaluationSet("squares", "squares", tuple(squares))]
    results = measure_kept_object({"squares": dummy_localizer}, sets, lambda text: None)
    assert tuple(results["ways"]) == WAYS
    for told in results["ways"].values():
        assert len(told["iou_thousandths"]["squares"]) == 6
    scores = [results["ways"][way]["mean"]["corloc"]["0.5"] for way in ("other half", "all")]
    assert results["lost"]["0.5"][0] == pytest.approx(scores[1] - scores[0], abs=0.01)


def test_no_image_is_in_the_half_that_taught_its_object(
    dummy_localizer: Localizer, squares: Sequence[DatasetImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[tuple[int, ...]] = []
    used: list[tuple[int, int]] = []
    objects: dict[int, int] = {}
    original = kept_object.object_of

    def object_of(localizer: Localizer, observed: object, members: Sequence[int]) -> CommonObject | None:
        found = original(localizer, observed, members)  # type: ignore[arg-type]
        found = None if found is None else replace(found)  # an object of its own
        objects[id(found)] = len(taught)
        taught.append(tuple(members))
        return found

    def iou(_: Localizer, __: object, index: int, common: CommonObject | None) -> float:
        used.append((index, objects[id(common)]))
        return 0.5

    monkeypatch.setattr(kept_object, "object_of", object_of)
    monkeypatch.setattr(kept_object, "_iou", iou)
    sets = [EvaluationSet("squares", "squares", tuple(squares))]
    measure_kept_object({"squares": dummy_localizer}, sets, lambda text: None)
    assert taught == [(0, 1, 2, 3, 4, 5), (0, 2, 4), (1, 3, 5)]
    assert used[:6] == [(index, 0) for index in range(6)]
    assert all(index not in taught[number] for index, number in used[6:])
    assert [index for index, _ in used[6:]] == list(range(6))


def test_sets_too_small_to_halve_are_refused(dummy_localizer: Localizer, squares: Sequence[DatasetImage]) -> None:
    sets = [EvaluationSet("few", "few", tuple(squares[:3]))]
    with pytest.raises(ValueError, match="at least 4 images, to fit on 2, got 3"):
        measure_kept_object({"few": dummy_localizer}, sets, lambda text: None)
