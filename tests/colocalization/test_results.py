"""Results: as arrays, by index, and of images that could not be read."""

from dataclasses import replace

import numpy as np
import pytest

from colocalization.boxes import Box
from colocalization.errors import ImageError
from colocalization.results import ImageResult, SetResult


def test_failed_image() -> None:
    error = ImageError("truncated", "cut")
    result = ImageResult.failed(error)
    assert (result.width, result.height, result.boxes, result.confidence) == (0, 0, (), 0.0)
    assert result.contains_common_object is False
    assert result.heatmap is None
    assert result.error is error


BOXES = (Box(0, 1, 4, 5, 0.9), Box(5, 5, 9, 9, 0.4), Box(1, 1, 2, 2, 0.3))
FOUND = ImageResult(9, 9, BOXES, 0.8, True, None)


def test_arrays() -> None:
    assert FOUND.boxes_array.tolist() == [[0, 1, 4, 5], [5, 5, 9, 9], [1, 1, 2, 2]]
    assert FOUND.scores.tolist() == [0.9, 0.4, 0.3]
    assert (FOUND.boxes_array.dtype, FOUND.scores.dtype) == (np.float64, np.float64)


def test_arrays_without_a_box() -> None:
    nothing = replace(FOUND, boxes=())
    assert (nothing.boxes_array.shape, nothing.scores.shape) == ((0, 4), (0,))
    assert (len(nothing), bool(nothing)) == (0, True)
    assert len(nothing[nothing.scores > 0.5]) == 0


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, (0,)),
        (-1, (2,)),
        (slice(1, None), (1, 2)),
        ([2, 0], (2, 0)),
        (np.array([False, True, True]), (1, 2)),
        (np.array([], dtype=int), ()),
    ],
)
def test_by_index(index: int, expected: tuple[int, ...]) -> None:
    found = FOUND[index]
    assert found.boxes == tuple(BOXES[number] for number in expected)
    assert (found.confidence, found.width) == (0.8, 9)


@pytest.mark.parametrize("index", [3, [0, 3], np.array([True, False])])
def test_no_such_box(index: int) -> None:
    with pytest.raises(IndexError):
        FOUND[index]


def test_set_by_index() -> None:
    other = replace(FOUND, width=1)
    found = SetResult("common", (FOUND, other))
    assert (len(found), found[1], list(found)) == (2, other, [FOUND, other])


class TestHinted:
    def test_hints_are_the_best_boxes_of_score_1(self) -> None:
        found = FOUND.hinted([(0, 6, 2, 9), (6, 0, 9, 3)], 10)
        assert found.boxes == (Box(0, 6, 2, 9, 1.0), Box(6, 0, 9, 3, 1.0), *BOXES)
        assert (found.confidence, found.contains_common_object) == (1.0, True)
        assert (found.width, found.height, found.heatmap) == (9, 9, None)

    @pytest.mark.parametrize(
        ("hint", "kept"),
        [
            ((0, 1, 4, 5), BOXES[1:]),  # the same
            ((0, 1, 4, 4), BOXES[1:]),  # 12 of 16
            ((5, 4, 9, 9), (BOXES[0], BOXES[2])),
            ((1, 1, 2, 3), BOXES[:2]),  # a half of the smallest, an eighth of the largest
            ((4, 1, 8, 5), BOXES),  # beside one
        ],
    )
    def test_what_was_found_there_is_not_given_twice(
        self, hint: tuple[float, float, float, float], kept: tuple[Box, ...]
    ) -> None:
        assert FOUND.hinted([hint], 10).boxes == (Box(*hint, 1.0), *kept)

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_no_more_than_asked_for_but_every_hint(self, most: int) -> None:
        hints = [(0, 6, 2, 9), (6, 0, 9, 3)]
        assert FOUND.hinted(hints, most).boxes == FOUND.hinted(hints, 10).boxes[: max(most, 2)]

    def test_not_in_this_one(self) -> None:
        found = FOUND.hinted([], 10)
        assert (found.boxes, found.confidence, found.contains_common_object) == ((), 0.0, False)

    def test_where_nothing_was_found(self) -> None:
        nothing = replace(FOUND, boxes=(), confidence=0.0, contains_common_object=False)
        found = nothing.hinted([(1, 2, 3, 4)], 1)
        assert (found.boxes, found.confidence, found.contains_common_object) == ((Box(1, 2, 3, 4, 1.0),), 1.0, True)

    def test_in_mode_attention(self) -> None:
        found = replace(FOUND, contains_common_object=None)
        assert found.hinted([(0, 1, 4, 5)], 1).contains_common_object is True
        assert found.hinted([], 1).contains_common_object is False
