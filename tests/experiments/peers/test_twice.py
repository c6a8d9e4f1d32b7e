"""Peers with our second look."""

from collections.abc import Sequence

import numpy as np
import pytest

from colocalization.localizer import Localizer
from experiments.observe import observe
from experiments.peers import FEATURE_PEERS, LOOK_TWICE
from experiments.peers.scda import SelectedDescriptors
from experiments.peers.twice import LookedTwice, centred
from experiments.scores import best_iou
from training.datasets import DatasetImage


class Averages:
    """Stands for the head that peers of the comparison may see."""

    def mean(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(features.mean(axis=0), dtype=np.float32)


def test_maps_of_any_range_are_centred_at_their_cuts() -> None:
    """Below the cuts -2 and -4, above them 1 and 3, so the means are -3 and 2 from the cut."""
    maps = [np.array([[8.0, 11.0]], np.float32), np.array([[-4.0, 3.0]], np.float32)]
    first, second = centred(maps, [10.0, 0.0])
    assert first.ravel() == pytest.approx([0.5 - 2 / 12, 0.5 + 1 / 8])
    assert second.ravel() == pytest.approx([0.5 - 4 / 12, 0.5 + 3 / 8])


def test_a_map_that_is_all_above_its_cut_stays_above() -> None:
    (only,) = centred([np.array([[1.0, 2.0]], np.float32)], [0.0])
    assert (only > 0.5).all()


@pytest.mark.parametrize("name", LOOK_TWICE)
def test_a_peer_looks_again_at_what_it_found(
    dummy_localizer: Localizer, squares: Sequence[DatasetImage], name: str
) -> None:
    with observe(dummy_localizer, {}, Averages(), squares) as observed:  # type: ignore[arg-type]
        find = LookedTwice(FEATURE_PEERS[name]).fit(dummy_localizer, observed)
        ious = [best_iou(find(index).box, image.boxes) for index, image in enumerate(squares)]
    assert min(ious) > 0.5


def test_a_peer_must_tell_its_cut(dummy_localizer: Localizer, squares: Sequence[DatasetImage]) -> None:
    with (
        observe(dummy_localizer, {}, Averages(), squares) as observed,  # type: ignore[arg-type]
        pytest.raises(ValueError, match="SelectedDescriptors does not tell where it cuts"),
    ):
        LookedTwice(SelectedDescriptors()).fit(dummy_localizer, observed)
