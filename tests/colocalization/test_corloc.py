"""CorLoc by hand."""

import numpy as np
import pytest

from colocalization.corloc import CorLoc

TRUTH = [[0, 0, 10, 10]]


@pytest.mark.parametrize(
    ("height", "hits"),
    # A box of width 10 inside the truth has IoU height / 10; a hit is "at least".
    [(2.9, (0, 0, 0)), (3, (100, 0, 0)), (4.9, (100, 0, 0)), (5, (100, 100, 0)), (7, (100, 100, 100))],
)
def test_thresholds_are_reached_not_passed(height: float, hits: tuple[float, ...]) -> None:
    corloc = CorLoc()
    corloc.add([[0, 0, 10, height]], TRUTH)
    scores = corloc.compute()
    assert tuple(scores.at.values()) == hits
    assert scores.mean == pytest.approx(sum(hits) / 3)
    assert corloc.ious.tolist() == [pytest.approx(height / 10)]


def test_only_the_first_box_counts_and_any_truth_will_do() -> None:
    corloc = CorLoc()
    corloc.add([[50, 50, 60, 60], [0, 0, 10, 10]], TRUTH)
    corloc.add([[50, 50, 60, 60]], [*TRUTH, [50, 50, 60, 60]])
    assert corloc.ious.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 4)), ()])
def test_no_box_is_a_miss(nothing: object) -> None:
    corloc = CorLoc()
    corloc.add(nothing, TRUTH)  # type: ignore[arg-type]
    corloc.add(TRUTH, TRUTH)
    scores = corloc.compute()
    assert (scores.images, scores.missing, scores.at[0.5], scores.mean) == (2, 1, 50.0, 50.0)


def test_other_thresholds() -> None:
    corloc = CorLoc(thresholds=(0.25,))
    corloc.add([[0, 0, 10, 4]], TRUTH)
    assert corloc.compute().at == {0.25: 100.0}


def test_image_without_truth() -> None:
    with pytest.raises(ValueError, match="without a ground-truth box cannot be scored"):
        CorLoc().add(TRUTH, [])


@pytest.mark.parametrize(("boxes", "truth"), [([0, 0, 1, 1], TRUTH), ([[0, 0, 1]], TRUTH), (TRUTH, [0, 0, 1, 1])])
def test_other_shapes_add_nothing(boxes: list[object], truth: list[object]) -> None:
    corloc = CorLoc()
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        corloc.add(boxes, truth)  # type: ignore[arg-type]
    assert corloc.ious.size == 0


def test_nothing_to_compute() -> None:
    with pytest.raises(ValueError, match="no image was added"):
        CorLoc().compute()
