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
