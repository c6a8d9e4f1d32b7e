"""The foreground prior: its map by hand, and its way through a checkpoint."""

import numpy as np
import pytest

from colocalization.discriminant import Discriminant
from training.errors import CheckpointError
from training.foreground_prior import ForegroundPrior, tap_rows

# Along the second channel: surroundings at 0, things at 1.
PRIOR = ForegroundPrior(Discriminant(np.array([0, 1, 0], np.float32), 0.0, 1.0), "9 images of 1 set")


def taps() -> list[np.ndarray]:
    """Two cells: the first shows the first channel, the second the second one; a further tap of one channel."""
    return [np.array([[[3.0, 0.0]], [[0.0, 5.0]]], np.float32), np.array([[[2.0, 2.0]]], np.float32)]


def test_rows_are_unit_vectors_of_each_tap_side_by_side() -> None:
    assert tap_rows(taps()).tolist() == [[1, 0, 1], [0, 1, 1]]


def test_map_is_a_quarter_at_surroundings_and_three_at_things() -> None:
    found = PRIOR.map(taps())
    assert found.dtype == np.float32
    assert found.tolist() == [[0.25, 0.75]]


def test_map_stays_in_its_bounds() -> None:
    far = ForegroundPrior(Discriminant(np.array([-9, 9, 0], np.float32), 0.0, 1.0), "")
    assert far.map(taps()).tolist() == [[0.0, 1.0]]


def test_through_a_checkpoint() -> None:
    again = ForegroundPrior.from_state(PRIOR.to_state())
    assert again.learnt_on == "9 images of 1 set"
    np.testing.assert_array_equal(again.map(taps()), PRIOR.map(taps()))


@pytest.mark.parametrize("change", [{"direction": None}, {"background": "low"}])
def test_damaged(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="foreground prior is damaged"):
        ForegroundPrior.from_state({**PRIOR.to_state(), **change})
    with pytest.raises(CheckpointError, match="foreground prior is damaged"):
        ForegroundPrior.from_state({})
