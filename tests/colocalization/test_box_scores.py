"""The score of a box: clues that can be worked out by hand, and what is made of them."""

from dataclasses import replace

import numpy as np
import pytest

from colocalization.box_scores import CALIBRATIONS, Calibration, box_clues, evidence_of, probabilities, scored
from colocalization.boxes import Box
from colocalization.common_object import CommonObject
from colocalization.localizer import Localizer
from colocalization.looks import ImageFeatures
from tests.colocalization.objects import WHOLE

ATTENTION = np.array([[0, 0, 0, 0], [0, 4, 4, 0], [0, 4, 4, 0], [0, 0, 0, 2]], dtype=np.float32)
FEATURES = ImageFeatures(ATTENTION, np.zeros((3, 4, 4), np.float32))
MIDDLE, CORNER = Box(25, 25, 75, 75, 0.8), Box(75, 75, 100, 100, 0.2)


def test_clues_of_an_attention_map() -> None:
    clues = box_clues([MIDDLE, CORNER], 100, 100, FEATURES, None)
    # Outside of the middle four of sixteen cells one has half the highest value; outside of the corner four have it.
    assert clues == pytest.approx(np.array([[0.8, 1, 0, 0.5 / 12], [0.2, 0.25, 2, 4 / 15]]))


def test_a_prior_is_looked_at_in_place_of_the_attention() -> None:
    prior = np.full((2, 2), 0.25, dtype=np.float32)
    (clues,) = box_clues([Box(0, 0, 50, 100, 0.5)], 100, 100, replace(FEATURES, foreground=prior), None)
    assert clues == pytest.approx([0.5, 1, 3, 0.25])
    (whole,) = box_clues([Box(0, 0, 100, 100, 0.5)], 100, 100, replace(FEATURES, foreground=prior), None)
    assert whole == pytest.approx([0.5, 1, 4, 0])  # nothing is outside


def test_every_evidence_has_a_calibration_of_its_clues() -> None:
    for calibration in CALIBRATIONS.values():
        assert len(calibration.clues) == len(calibration.weights)
        assert np.isfinite((*calibration.weights, calibration.bias)).all()
        assert any(calibration.weights)


def test_evidence_by_what_there_is(common: CommonObject) -> None:
    prior = np.zeros((2, 2), dtype=np.float32)
    assert evidence_of(None, None) == "attention"
    assert evidence_of(None, prior) == "prior"
    assert evidence_of(common, None) == "set"
    assert evidence_of(common, prior) == "set"  # it was fitted without one
    assert evidence_of(replace(common, prior="joins"), prior) == "set and prior"
    assert evidence_of(WHOLE, prior) == "hints"


def test_clues_are_as_many_as_the_calibration_has(common: CommonObject) -> None:
    seen = ImageFeatures(ATTENTION, np.zeros((common.channels, 4, 4), np.float32), np.zeros((4, 4), np.float32))
    for one in (None, common, replace(common, prior="leads"), WHOLE):
        calibration = CALIBRATIONS[evidence_of(one, seen.foreground)]
        assert box_clues([MIDDLE, CORNER], 100, 100, seen, one).shape == (2, len(calibration.clues))


def test_probability_is_logistic() -> None:
    calibration = Calibration(("a", "b"), (2.0, -1.0), 0.5)
    assert probabilities(np.array([[0.0, 0.5], [1.0, 0.0]]), calibration) == pytest.approx(
        [0.5, 1 / (1 + np.exp(-2.5))]
    )


def test_scores_fall_and_the_order_stays() -> None:
    # By its clues alone the second would be the better one: it touches no border.
    boxes = scored([Box(0, 0, 100, 100, 0.5), Box(25, 25, 75, 75, 0.5)], 100, 100, FEATURES, None)
    assert [box.as_tuple() for box in boxes] == [(0, 0, 100, 100), (25, 25, 75, 75)]
    assert 0 < boxes[1].score == boxes[0].score < 1
    assert scored([], 100, 100, FEATURES, None) == ()


def test_finish_gives_probabilities_and_locate_means_of_the_map(dummy_localizer: Localizer) -> None:
    prepared = dummy_localizer.prepare(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    (features,) = dummy_localizer.run([prepared])
    extent, confidence = dummy_localizer.locate(prepared, features, None, max_boxes=0)
    result = dummy_localizer.finish(prepared, features, None, max_boxes=0)
    assert [box.as_tuple() for box in result.boxes] == [box.as_tuple() for box in extent.boxes]
    assert result.confidence == confidence
    assert result.boxes == scored(extent.boxes, 80, 60, features, None)


@pytest.fixture
def common() -> CommonObject:
    return replace(WHOLE, exemplar=None, prior=None)
