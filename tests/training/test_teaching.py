"""What sets teach, which outlines are trusted, and what is learnt from several sets."""

import numpy as np
import pytest
from numpy.typing import NDArray

from colocalization.discriminant import ClassStatistics
from training.errors import TrainingError
from training.teaching import SetOutlines, is_trusted, learn


def mask(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.float32]:
    shares = np.zeros((20, 20), np.float32)
    shares[y0:y1, x0:x1] = 1
    return shares


class TestTrust:
    def test_inside_the_image(self) -> None:
        assert is_trusted(mask(5, 5, 15, 15))

    def test_one_side_is_touched_by_what_stands_on_it(self) -> None:
        assert is_trusted(mask(5, 10, 15, 20))

    def test_two_sides_are_touched_by_surroundings(self) -> None:
        assert not is_trusted(mask(0, 10, 20, 20))

    def test_a_corner_of_a_side_does_not_count(self) -> None:
        assert is_trusted(mask(2, 0, 4, 20))  # a tenth of both

    def test_next_to_nothing(self) -> None:
        assert not is_trusted(mask(5, 5, 6, 7))
        assert not is_trusted(mask(0, 0, 0, 0))


def statistics(*rows: tuple[float, float]) -> ClassStatistics:
    found = ClassStatistics(2)
    found.add(np.array(rows, np.float32))
    return found


def outlines(name: str, sign: float, *, trusted: int = 10, count: int = 1) -> SetOutlines:
    """A set whose things lie at (sign, 1) and whose surroundings at (0, 0)."""
    near = [(0.0, 0.1), (0.1, 0.0), (-0.1, 0.0), (0.0, -0.1)] * count
    return SetOutlines(name, 10, trusted, statistics(*near), statistics(*((sign + x, 1 + y) for x, y in near)))


class TestLearn:
    def test_what_sets_do_not_share_cancels_out(self) -> None:
        lesson = learn([outlines("a", 1.0), outlines("b", -1.0)])
        across, up = lesson.prior.direction
        assert up > 0
        assert across == pytest.approx(0, abs=1e-4 * float(up))

    def test_sets_weigh_alike_whatever_their_size(self) -> None:
        lesson = learn([outlines("a", 1.0, count=1000), outlines("b", -1.0)])
        assert lesson.prior.direction[0] == pytest.approx(0, abs=1e-3 * float(lesson.prior.direction[1]))

    def test_sets_that_are_not_trusted_do_not_teach(self) -> None:
        lesson = learn([outlines("a", 1.0), outlines("road", -1.0, trusted=3)])
        assert [one.name for one in lesson.taught_by] == ["a"]
        assert [one.name for one in lesson.left_out] == ["road"]
        assert lesson.prior.direction[0] > 0

    def test_none_is_trusted(self) -> None:
        with pytest.raises(TrainingError, match=r"images that could be: road \(3 of 10\)"):
            learn([outlines("road", 1.0, trusted=3)])
        with pytest.raises(TrainingError, match="none"):
            learn([])
