"""When a prior joins a set's own map, and when it leads."""

import numpy as np
import pytest
from numpy.typing import NDArray

from colocalization.prior_role import PRIOR_WEIGHTS, at_grid, choose_role, fused, prior_shares


def box_map(x0: int, y0: int, x1: int, y1: int, inside: float = 0.9) -> NDArray[np.float32]:
    """An 8 x 8 map with a box of cells."""
    values = np.full((8, 8), 0.1, np.float32)
    values[y0:y1, x0:x1] = inside
    return values


MIDDLE, AROUND = box_map(3, 3, 5, 5), np.float32(1.0) - box_map(3, 3, 5, 5)


class TestChoose:
    def test_agreement_joins(self) -> None:
        assert choose_role([MIDDLE] * 3, [box_map(3, 3, 5, 6)] * 3) == "joins"

    def test_a_set_that_sees_the_surroundings_is_led(self) -> None:
        assert choose_role([AROUND] * 3, [MIDDLE] * 3) == "leads"

    def test_a_prior_that_sees_the_surroundings_does_not_lead(self) -> None:
        assert choose_role([MIDDLE] * 3, [AROUND] * 3) == "joins"

    def test_other_things_inside_the_image_are_no_reason(self) -> None:
        # Both leave the borders alone: which of them is meant is the set's to say.
        assert choose_role([box_map(1, 1, 3, 3)] * 3, [box_map(5, 5, 7, 7)] * 3) == "joins"

    def test_the_set_decides_and_not_an_image(self) -> None:
        assert choose_role([MIDDLE, MIDDLE, MIDDLE, AROUND], [MIDDLE] * 4) == "joins"
        assert choose_role([AROUND, AROUND, AROUND, MIDDLE], [MIDDLE] * 4) == "leads"

    def test_empty_maps_agree_in_nothing_and_touch_nothing(self) -> None:
        empty = np.zeros((8, 8), np.float32)
        assert choose_role([empty] * 2, [empty] * 2) == "joins"


class TestFused:
    def test_weighted_mean(self) -> None:
        scores, prior = np.full((2, 2), 0.2, np.float32), np.full((2, 2), 0.6, np.float32)
        np.testing.assert_allclose(fused(scores, prior, 0.25), 0.3, atol=1e-6)

    def test_without_a_prior_or_a_weight_the_map_itself(self) -> None:
        assert fused(MIDDLE, None, 0.5) is MIDDLE
        assert fused(MIDDLE, AROUND, PRIOR_WEIGHTS[None].extent) is MIDDLE

    def test_a_finer_prior_is_averaged_over_cells(self) -> None:
        fine = np.kron(np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), np.ones((3, 3), np.float32))
        np.testing.assert_allclose(fused(np.zeros((2, 2), np.float32), fine, 1.0), [[0, 1], [1, 0]], atol=1e-6)

    def test_the_sets_own_grid_is_left_as_it_is(self) -> None:
        assert at_grid(MIDDLE, (8, 8)) is MIDDLE


@pytest.mark.parametrize(("value", "share"), [(0.0, 0.0), (0.25, 0.0), (0.5, 0.5), (0.75, 1.0), (1.0, 1.0)])
def test_shares_go_from_the_backgrounds_mean_to_the_things(value: float, share: float) -> None:
    assert prior_shares(np.full((2, 2), value, np.float32), (2, 2)) == pytest.approx(share)
