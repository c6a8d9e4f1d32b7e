"""Scores by hand: thresholds, groups, missing boxes, intervals, paired differences."""

import numpy as np
import pytest

from colocalization.corloc import CorLoc
from experiments.scores import NO_BOX, best_iou, difference, difference_over_seeds, pack_ious, summarise

ONE = {"a": "a"}


def test_hits_at_each_threshold() -> None:
    _, overall = summarise({"a": [0.3, 0.5, 0.7, 0.0]}, ONE)
    assert overall.values == {"0.3": 75, "0.5": 50, "0.7": 25, "mean": 50}


def test_agrees_with_the_core() -> None:
    random = np.random.default_rng(0)
    corloc, ious = CorLoc(), []
    for _ in range(50):
        x0, y0, width, height = random.integers(1, 20, 4)
        box, truth = [float(x0), float(y0), float(x0 + width), float(y0 + height)], [5.0, 5.0, 20.0, 20.0]
        corloc.add([box], [truth])
        ious.append(best_iou((box[0], box[1], box[2], box[3]), [(5.0, 5.0, 20.0, 20.0)]))
    scores = corloc.compute()
    _, overall = summarise({"a": ious}, ONE)
    assert [overall.values[name] for name in ("0.3", "0.5", "0.7", "mean")] == pytest.approx(
        [*scores.at.values(), scores.mean]
    )


def test_a_missing_box_is_a_miss_and_left_out_by_the_legacy_count() -> None:
    _, overall = summarise({"a": [0.8, NO_BOX]}, ONE)
    assert overall.missing == 1
    assert overall.values["0.5"] == 50
    assert overall.legacy["0.5"] == 100


def test_nothing_found_is_zero_by_both_counts() -> None:
    _, overall = summarise({"a": [NO_BOX, NO_BOX]}, ONE)
    assert overall.values["mean"] == overall.legacy["mean"] == 0


def test_views_are_averaged_whatever_their_sizes() -> None:
    """Left: 1 of 1; right: 0 of 3; the other set: 1 of 2."""
    ious = {"bus/left": [0.9], "bus/right": [0.1, 0.1, 0.1], "cat": [0.9, 0.1]}
    parts, overall = summarise(ious, {"bus/left": "bus", "bus/right": "bus", "cat": "cat"})
    assert parts["bus"].values["0.5"] == 50
    assert parts["bus"].images == 4
    assert overall.values["0.5"] == 50


def test_no_doubt_has_no_interval() -> None:
    _, overall = summarise({"a": [0.9] * 5}, ONE)
    assert overall.intervals["0.5"] == (100, 100)


def test_interval_is_the_binomials() -> None:
    """100 images at 50 %: a standard error of 5 points."""
    _, overall = summarise({"a": [0.9, 0.1] * 50}, ONE)
    low, high = overall.intervals["0.5"]
    assert (low, high) == pytest.approx((50 - 1.96 * 5, 50 + 1.96 * 5), abs=1)


def test_difference_is_paired() -> None:
    """Ours hits what theirs hits and one more of four, in every draw of those four at least not fewer."""
    value, low, high = difference({"a": [0.9, 0.9, 0.1, 0.1]}, {"a": [0.9, 0.1, 0.1, 0.1]}, ONE)["0.5"]
    assert value == 25
    assert 0 <= low < 25 < high


def test_difference_to_itself_is_nothing() -> None:
    ious = {"a": [0.9, 0.1, 0.4]}
    assert difference(ious, ious, ONE)["mean"] == (0, 0, 0)


@pytest.mark.parametrize(
    ("theirs", "said"), [({"b": [0.5]}, "the same sets"), ({"a": [0.5, 0.5]}, "1 images against 2")]
)
def test_other_images_cannot_be_compared(theirs: dict[str, list[float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        difference({"a": [0.5]}, theirs, {"a": "a", "b": "b"})


@pytest.mark.parametrize("ious", [{}, {"a": []}])
def test_nothing_to_score(ious: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        summarise(ious, ONE)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_packing_keeps_the_side_of_a_threshold(threshold: float) -> None:
    below, at = pack_ious([np.nextafter(threshold, 0) - 1e-6, threshold])
    assert below / 1000 < threshold <= at / 1000


def test_several_boxes_count_by_the_best() -> None:
    assert best_iou((0, 0, 4, 4), [(10, 10, 12, 12), (0, 0, 4, 2)]) == 0.5
    assert best_iou(None, [(0, 0, 4, 4)]) == NO_BOX


def test_sets_drawn_anew_say_how_much_the_choice_of_sets_matters() -> None:
    """Two sets, all hits and none: known exactly by their images, and by themselves not at all."""
    _, overall = summarise({"a": [0.9] * 5, "b": [0.1] * 5}, {"a": "a", "b": "b"})
    assert overall.intervals["0.5"] == pytest.approx((50, 50))
    assert overall.over_sets["0.5"] == pytest.approx((0, 100))
    hits, misses = {"a": [0.9] * 5, "b": [0.1] * 5}, {"a": [0.1] * 5, "b": [0.1] * 5}
    assert difference(hits, misses, {"a": "a", "b": "b"})["0.5"] == pytest.approx((50, 50, 50))
    assert difference(hits, misses, {"a": "a", "b": "b"}, over="sets")["0.5"] == pytest.approx((50, 0, 100))


class TestOverSeeds:
    def test_one_seed_is_the_difference_over_images(self) -> None:
        ours, theirs = np.array([0.6] * 30 + [0.1] * 70), np.array([0.1] * 80 + [0.6] * 20)
        found = difference_over_seeds([ours], [theirs])["0.5"]
        before = difference({"a": ours}, {"a": theirs}, ONE)["0.5"]
        assert found[0] == pytest.approx(before[0]) == pytest.approx(10)
        assert found[1:] == pytest.approx(before[1:], abs=1.5)

    def test_seeds_that_disagree_widen_the_interval(self) -> None:
        # One seed gains on all images, the other loses on all: no image is in doubt, the seed is.
        found = difference_over_seeds([[0.8] * 50, [0.1] * 50], [[0.1] * 50, [0.8] * 50])["0.7"]
        assert found == (0.0, -100.0, 100.0)

    @pytest.mark.parametrize("theirs", [[[0.1]], [[0.1, 0.2], [0.3, 0.4]], [0.1, 0.2]])
    def test_others_cannot_be_compared(self, theirs: object) -> None:
        with pytest.raises(ValueError, match="same seeds and images"):
            difference_over_seeds([[0.1, 0.2]], theirs)  # type: ignore[arg-type]
