"""Boxes by hand, and against torchvision and scikit-image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import measure
from torchvision.ops import box_iou as torchvision_iou
from torchvision.ops import nms as torchvision_nms

from colocalization.boxes import Box, Components, box_iou, connected_components, non_maximum_suppression


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 4, 4), 1.0),
        ((4, 0, 8, 4), 0.0),  # touching: half-open boxes share no pixel
        ((4, 4, 8, 8), 0.0),
        ((9, 9, 12, 12), 0.0),
        ((1, 1, 3, 3), 4 / 16),  # nested
        ((2, 0, 6, 4), 8 / 24),
        ((3, 3, 5, 5), 1 / 19),
        ((2, 2, 2, 2), 0.0),  # without an area
        ((3, 3, 1, 1), 0.0),  # corners the wrong way round
    ],
)
def test_iou_with_a_box_of_side_four(other: tuple[int, int, int, int], expected: float) -> None:
    assert box_iou([[0, 0, 4, 4]], [other])[0, 0] == pytest.approx(expected, abs=1e-12)
    assert box_iou([other], [[0, 0, 4, 4]])[0, 0] == pytest.approx(expected, abs=1e-12)


def test_iou_of_two_empty_boxes_is_0() -> None:
    assert box_iou([[1, 1, 1, 1]], [[1, 1, 1, 1]]).tolist() == [[0.0]]


def test_iou_of_no_boxes() -> None:
    assert box_iou(np.zeros((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)


@pytest.mark.parametrize("boxes", [[0, 0, 1, 1], [[0, 0, 1]], [[[0, 0, 1, 1]]], []])
def test_iou_of_other_shapes(boxes: list[object]) -> None:
    with pytest.raises(ValueError, match=r"expected an \(N, 4\) array of boxes, got shape"):
        box_iou(boxes, [[0, 0, 1, 1]])  # type: ignore[arg-type]


def boxes_of(count: int) -> st.SearchStrategy[np.ndarray]:
    def ordered(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], axis=1).astype(np.float64)

    return hnp.arrays(np.int64, st.tuples(st.integers(1, count), st.just(4)), elements=st.integers(1, 60)).map(ordered)


@settings(deadline=None)
@given(boxes_of(8), boxes_of(8))
def test_iou_equals_torchvision(first: np.ndarray, second: np.ndarray) -> None:
    expected = torchvision_iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(box_iou(first, second), expected, atol=1e-12)


@settings(deadline=None)
@given(boxes_of(12), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_suppression_equals_torchvision(boxes: np.ndarray, chance: object, threshold: float) -> None:
    scores = np.linspace(0.1, 0.9, len(boxes))
    chance.shuffle(scores)  # type: ignore[attr-defined]
    expected = torchvision_nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold).tolist()
    assert non_maximum_suppression(boxes, scores, threshold).tolist() == expected


def test_suppression_keeps_the_order_of_equal_scores() -> None:
    boxes = [[0, 0, 2, 2], [4, 4, 6, 6], [0, 0, 2, 2]]
    assert non_maximum_suppression(boxes, [0.5, 0.5, 0.5]).tolist() == [0, 1]


def test_suppressed_boxes_suppress_nothing() -> None:
    # Each is half covered by the next: 0 drops 1, so 2 stays.
    boxes = [[0, 0, 4, 4], [1, 0, 5, 4], [2, 0, 6, 4]]
    assert non_maximum_suppression(boxes, [0.9, 0.8, 0.7], 0.5).tolist() == [0, 2]


def test_overlap_exactly_at_the_threshold_stays() -> None:
    assert non_maximum_suppression([[0, 0, 4, 4], [0, 0, 4, 2]], [0.9, 0.8], 0.5).tolist() == [0, 1]


def test_suppression_of_nothing() -> None:
    assert non_maximum_suppression([], []).shape == (0,)


def test_suppression_needs_a_score_a_box() -> None:
    with pytest.raises(ValueError, match=r"a score for each of 2 boxes, got scores of shape \(1,\)"):
        non_maximum_suppression([[0, 0, 1, 1], [0, 0, 2, 2]], [0.5])


def pixels(parts: Components, shape: tuple[int, ...], index: int) -> list[int]:
    """Flat indices of a component's pixels."""
    places = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    return [int(value) for value in parts.inside(index, places)]


def test_components_by_hand() -> None:
    mask = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [1, 0, 0, 1, 0]], dtype=bool)
    parts = connected_components(mask)
    # Three pixels joined over a corner, then two, then one.
    assert parts.boxes.tolist() == [[3, 1, 5, 4], [0, 0, 2, 1], [0, 3, 1, 4]]
    assert parts.areas.tolist() == [3, 2, 1]
    assert [pixels(parts, mask.shape, index) for index in range(3)] == [[9, 13, 18], [0, 1], [15]]


def test_a_component_inside_the_box_of_another_does_not_count_to_it() -> None:
    mask = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]], dtype=bool)
    parts = connected_components(mask)
    assert parts.areas.tolist() == [16, 1]
    assert pixels(parts, mask.shape, 1) == [12]
    assert 12 not in pixels(parts, mask.shape, 0)


def test_equal_components_come_in_scan_order() -> None:
    mask = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
    assert connected_components(mask).boxes.tolist() == [[1, 0, 2, 1], [3, 0, 4, 1], [0, 2, 1, 3]]


def test_components_of_a_view() -> None:
    mask = np.array([[1, 0], [0, 0], [0, 1]], dtype=bool)
    assert connected_components(mask[::2]).boxes.tolist() == [[0, 0, 2, 2]]


def test_no_component() -> None:
    parts = connected_components(np.zeros((2, 3), dtype=bool))
    assert (parts.boxes.shape, parts.areas.shape) == ((0, 4), (0,))


@settings(deadline=None)
@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_components_equal_scikit_image(mask: np.ndarray) -> None:
    parts = connected_components(mask)
    found = [tuple(pixels(parts, mask.shape, index)) for index in range(len(parts.boxes))]
    regions = measure.regionprops(measure.label(mask, connectivity=2))
    # In scikit-image a box is (top, left, bottom, right).
    expected = {
        ((one.bbox[1], one.bbox[0], one.bbox[3], one.bbox[2]), tuple(np.ravel_multi_index(one.coords.T, mask.shape)))
        for one in regions
    }
    assert {(tuple(box), inside) for box, inside in zip(parts.boxes.tolist(), found, strict=True)} == expected
    assert parts.areas.tolist() == sorted((len(inside) for inside in found), reverse=True)


@pytest.mark.parametrize("density", [0.05, 0.3, 0.6])
def test_order_of_many_components_is_by_area_then_scan(density: float) -> None:
    mask = np.random.default_rng(0).random((301, 402)) < density
    regions = sorted(measure.regionprops(measure.label(mask, connectivity=2)), key=lambda one: -one.area)
    parts = connected_components(mask)
    assert parts.boxes.tolist() == [[one.bbox[1], one.bbox[0], one.bbox[3], one.bbox[2]] for one in regions]
    for index in (0, len(regions) // 2, len(regions) - 1):
        assert pixels(parts, mask.shape, index) == np.ravel_multi_index(regions[index].coords.T, mask.shape).tolist()


def test_box_as_tuple() -> None:
    assert Box(1, 2, 3, 5, 0.25).as_tuple() == (1, 2, 3, 5)
