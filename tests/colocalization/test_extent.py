"""From maps to boxes, on maps whose boxes are seen by eye."""

import numpy as np
import pytest

from colocalization.boxes import Box
from colocalization.common_object import WHOLE
from colocalization.extent import (
    _corrected,
    attention_extent,
    common_extent,
    foreground_extent,
    outline_shares,
    window_extent,
    window_shares,
    with_prior_boxes,
)
from colocalization.transform import Region
from tests.colocalization.sample_images import blank, square


def bounded(scores: np.ndarray) -> np.ndarray:
    """The map of a region from scores that are 0 at the background and 1 at the object."""
    return ((scores + 0.5) / 2).astype(np.float32)


class TestAttention:
    def test_box_of_the_brightest_part(self) -> None:
        attention = np.zeros((8, 8), np.float32)
        attention[2:6, 1:3] = 5
        found = attention_extent(blank(80, 40), attention, 1)
        # A cell is 10 x 5 pixels; Otsu's cut on the slope between two cells lies within half a cell of the edge.
        np.testing.assert_allclose(found.boxes[0].as_tuple(), (10, 10, 30, 30), atol=5)
        assert found.heatmap.shape == (40, 80)
        assert (found.heatmap.min(), found.heatmap.max()) == (0.0, 1.0)
        assert 0.5 < found.boxes[0].score <= 1

    @pytest.mark.parametrize("level", [-3.0, 0.0, 3.0])
    def test_a_constant_map_shows_nothing(self, level: float) -> None:
        found = attention_extent(blank(20, 10), np.full((4, 4), level, np.float32), 3)
        assert found.boxes == ()
        assert not found.heatmap.any()
        assert found.heatmap.shape == (10, 20)

    @pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
    def test_scale_of_the_map_does_not_matter(self, factor: float) -> None:
        attention = np.random.default_rng(0).random((8, 8)).astype(np.float32)
        found = attention_extent(blank(64, 64), (factor * attention).astype(np.float32), 1)
        expected = attention_extent(blank(64, 64), attention, 1)
        np.testing.assert_allclose(found.boxes[0].as_tuple(), expected.boxes[0].as_tuple(), atol=1)

    def test_several_boxes_fall_in_size_and_score(self) -> None:
        attention = np.zeros((16, 16), np.float32)
        attention[1:9, 1:9] = 1  # 64 cells
        attention[11:15, 10:15] = 1  # 20 cells
        attention[12:15, 2:5] = 1  # 9 cells
        attention[1, 14] = 1  # one cell, less than a tenth of the largest
        found = attention_extent(blank(160, 160), attention, 10).boxes
        assert len(found) == 3
        assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)
        assert attention_extent(blank(160, 160), attention, 2).boxes == found[:2]
        assert attention_extent(blank(160, 160), attention, 1).boxes == found[:1]


class TestForeground:
    def test_cut_between_the_classes(self) -> None:
        prior = np.full((8, 8), 0.1, np.float32)
        prior[2:6, 1:3] = 0.9
        found = foreground_extent(blank(80, 40), prior, 1)
        # A cell is 10 x 5 pixels; half-way between 0.1 and 0.9 lies the edge itself.
        np.testing.assert_allclose(found.boxes[0].as_tuple(), (10, 10, 30, 30), atol=1)
        assert found.heatmap.shape == (40, 80)
        assert (found.heatmap[0, -1], found.heatmap[20, 20]) == (0.0, 1.0)

    def test_several_boxes_and_none_that_is_noise(self) -> None:
        prior = np.full((16, 16), 0.2, np.float32)
        prior[1:9, 1:9], prior[11:15, 10:15], prior[1, 14] = 0.8, 0.8, 0.8
        found = foreground_extent(blank(160, 160), prior, 10).boxes
        assert len(found) == 2
        assert found[0].score > found[1].score

    def test_where_nothing_reaches_the_middle_there_is_a_likeliest_part(self) -> None:
        prior = np.full((8, 8), 0.1, np.float32)
        prior[0:4, 0:4] = 0.4
        (box,) = foreground_extent(blank(80, 80), prior, 1).boxes
        np.testing.assert_allclose(box.as_tuple(), (0, 0, 40, 40), atol=5)

    def test_no_foreground_at_all(self) -> None:
        assert foreground_extent(blank(8, 8), np.zeros((4, 4), np.float32), 3).boxes == ()


class TestCommon:
    def test_box_of_the_whole_image(self) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 1:5] = 1
        # The image's own edge lies a little beside the map's, at a cell of 20 x 10 pixels; the colours decide.
        image = square(160, 80, 26, 22, 96, 58)
        found = common_extent(image, [(WHOLE, bounded(scores))], 1)
        # The map's own extent is (14, 17, 106, 63) at most, and covers at most a third of the image.
        np.testing.assert_allclose(found.boxes[0].as_tuple(), (26, 22, 96, 58), atol=3)

    def test_box_in_a_region_is_given_in_the_image(self) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 2:6] = 1
        region = Region(0.5, 0.25, 1.0, 0.75)
        image = square(200, 200, 125, 75, 175, 125)
        found = common_extent(image, [(region, bounded(scores))], 1)
        np.testing.assert_allclose(found.boxes[0].as_tuple(), (125, 75, 175, 125), atol=1.5)
        assert found.heatmap[100, 150] == pytest.approx(found.heatmap.max())
        assert not found.heatmap[:, :100].any()
        assert not found.heatmap[:50].any()
        assert not found.heatmap[150:].any()

    def test_large_regions_are_reduced_and_boxes_enlarged(self) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 2:6] = 1
        image = square(1024, 512, 256, 128, 768, 384)
        found = common_extent(image, [(WHOLE, bounded(scores))], 1)
        # A pixel of the outline, and a little towards the map's own extent.
        np.testing.assert_allclose(found.boxes[0].as_tuple(), (256, 128, 768, 384), atol=1.5 * 1024 / 192)

    def test_nothing_in_the_map(self) -> None:
        found = common_extent(blank(40, 40), [(WHOLE, bounded(np.zeros((4, 4))))], 2)
        assert found.boxes == ()

    def test_two_looks_at_one_object_give_one_box(self) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 2:6] = 1
        image = square(160, 160, 40, 40, 120, 120)
        found = common_extent(image, [(WHOLE, bounded(scores))] * 2, 5)
        assert len(found.boxes) == 1

    def test_two_looks_at_two_objects(self) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 2:6] = 1
        image = square(200, 100, 25, 25, 75, 75) | square(200, 100, 125, 25, 175, 75)
        looks = [(Region(0.5, 0.0, 1.0, 1.0), bounded(scores)), (Region(0.0, 0.0, 0.5, 1.0), bounded(scores))]
        found = common_extent(image, looks, 5).boxes
        assert len(found) == 2
        # The first region's box comes first, whatever the scores.
        np.testing.assert_allclose(found[0].as_tuple(), (125, 25, 175, 75), atol=1.5)
        np.testing.assert_allclose(found[1].as_tuple(), (25, 25, 75, 75), atol=1.5)
        assert found[0].score >= found[1].score
        assert common_extent(image, looks[:1], 1).boxes == found[:1]

    @pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (1024, 1), (1, 300)])
    def test_thin_images(self, width: int, height: int) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 2:6] = 1
        region = Region(0.9, 0.9, 1.0, 1.0)
        found = common_extent(blank(width, height, 50), [(region, bounded(scores)), (WHOLE, bounded(scores))], 3)
        assert found.heatmap.shape == (height, width)
        for box in found.boxes:
            assert 0 <= box.x0 < box.x1 <= width
            assert 0 <= box.y0 < box.y1 <= height


class TestShares:
    def test_the_outline_in_the_region_and_in_the_image(self) -> None:
        scores = np.zeros((8, 8))
        scores[2:6, 2:6] = 1
        region = Region(0.5, 0.25, 1.0, 0.75)
        whole, inside = outline_shares(square(200, 200, 125, 75, 175, 125), (region, bounded(scores)), (4, 8))
        # The object is the middle half of the region: x 125 to 175 of 200 in cells of 25, y 75 to 125 in cells of 50.
        expected = np.zeros((4, 8))
        expected[1:3, 5:7] = 0.5
        np.testing.assert_allclose(whole, expected, atol=0.04)
        np.testing.assert_allclose(inside, scores, atol=0.1)
        assert whole.dtype == inside.dtype == np.float32

    def test_nothing_outside_the_region(self) -> None:
        region = Region(0.0, 0.0, 0.5, 1.0)
        whole, inside = outline_shares(blank(40, 40), (region, np.ones((4, 4), np.float32)), (4, 4))
        assert (inside == 1).all()
        assert (whole == [[1, 1, 0, 0]] * 4).all()


class TestCorrection:
    """The map of a square, and an image whose colours give the outline a smaller one."""

    @staticmethod
    def found(first: int, last: int, region: Region, image: np.ndarray) -> tuple[float, ...]:
        scores = np.full((16, 16), 0.0)
        scores[first:last, first:last] = 0.7  # above the cut, but not sure: the colours may cut it off
        scores[6:10, 6:10] = 1
        (box,) = common_extent(image, [(region, bounded(scores))], 1).boxes
        return box.as_tuple()

    def test_a_large_object_is_drawn_to_the_map(self) -> None:
        # The colours see 60 to 100 of 160 pixels, the map 10 to 150 and at its cut a pixel or two more.
        box = self.found(1, 15, WHOLE, square(160, 160, 60, 60, 100, 100))
        weight = 0.5 * (140 / 160) ** 2
        expected = [(1 - weight) * own + weight * other for own, other in ((60, 10), (60, 10), (100, 150), (100, 150))]
        np.testing.assert_allclose(box, expected, atol=4)

    def test_a_small_one_keeps_its_outline(self) -> None:
        # The same region, now an eighth of the image's sides: the object covers less than a sixty-fourth of it.
        image = square(1280, 1280, 620, 620, 660, 660)
        box = self.found(1, 15, Region(560 / 1280, 560 / 1280, 720 / 1280, 720 / 1280), image)
        np.testing.assert_allclose(box, (620, 620, 660, 660), atol=1.5)

    def test_a_box_is_drawn_only_to_a_part_of_the_map_that_it_meets(self) -> None:
        mask = np.zeros((20, 20), dtype=bool)
        mask[:, 10:] = True
        apart, meets = Box(0.0, 0.0, 5.0, 20.0, 0.9), Box(12.0, 0.0, 20.0, 20.0, 0.8)
        # The half of the image counts a quarter: 12 moves to 12 - 0.25 * 2.
        assert _corrected([apart, meets], mask, 400.0) == [apart, Box(11.5, 0.0, 20.0, 20.0, 0.8)]

    def test_nothing_to_correct(self) -> None:
        box = Box(0.0, 0.0, 5.0, 5.0, 0.9)
        assert _corrected([], np.ones((4, 4), dtype=bool), 16.0) == []
        assert _corrected([box], np.zeros((8, 8), dtype=bool), 64.0) == [box]


class TestWindow:
    """Two objects in a region, left (0.1 to 0.4) and right (0.6 to 0.9) of it, and windows that point at one."""

    region = Region(0.5, 0.25, 1.0, 0.75)  # x 200 to 400, y 100 to 300 of 400 x 400 pixels
    image = square(400, 400, 220, 160, 280, 240) | square(400, 400, 320, 160, 380, 240)
    scores = np.zeros((20, 20), np.float32)
    scores[6:14, 2:8] = 1
    scores[6:14, 12:18] = 1
    left, right = (0.05, 0.25, 0.45, 0.75), (0.58, 0.3, 0.92, 0.7)

    @pytest.mark.parametrize(("window", "expected"), [(left, (220, 160, 280, 240)), (right, (320, 160, 380, 240))])
    def test_box_of_the_one_that_it_points_at(
        self, window: tuple[float, float, float, float], expected: tuple[int, ...]
    ) -> None:
        box, heat = window_extent(self.image, (self.region, bounded(self.scores)), window)
        np.testing.assert_allclose(box.as_tuple(), expected, atol=1.5)
        # The map's mean over it: 0.75 at the object, less at the edges of the upsampled cells.
        assert box.score == pytest.approx(0.72, abs=0.03)
        assert heat.shape == (20, 20)
        np.testing.assert_allclose(heat, self.scores)  # 0 at the background's mean and 1 at the object's

    @pytest.mark.parametrize(("window", "columns"), [(left, slice(2, 8)), (right, slice(12, 18))])
    def test_its_share_of_each_cell(self, window: tuple[float, float, float, float], columns: slice) -> None:
        found = window_shares(self.image, (self.region, bounded(self.scores)), window)
        expected = np.zeros((20, 20))
        expected[6:14, columns] = 1
        np.testing.assert_allclose(found, expected, atol=0.1)
        assert found.dtype == np.float32

    def test_a_window_on_both_takes_the_one_of_which_it_has_more(self) -> None:
        box, _ = window_extent(self.image, (self.region, bounded(self.scores)), (0.3, 0.3, 0.8, 0.7))
        np.testing.assert_allclose(box.as_tuple(), (320, 160, 380, 240), atol=1.5)

    def test_mean_of_the_outline_and_of_the_map(self) -> None:
        scores = np.zeros((20, 20), np.float32)
        scores[4:16, 4:16] = 0.7  # above the cut, but not sure: the colours cut it off
        scores[8:12, 8:12] = 1
        image = square(200, 200, 80, 80, 120, 120)
        box, _ = window_extent(image, (WHOLE, bounded(scores)), (0.2, 0.2, 0.8, 0.8))
        # The colours see 80 to 120, the map 40 to 160, to a pixel or two.
        np.testing.assert_allclose(box.as_tuple(), (60, 60, 140, 140), atol=3)

    def test_where_nothing_reaches_into_the_window_it_is_the_box(self) -> None:
        window = (0.45, 0.0, 0.55, 0.2)
        look = self.region, bounded(self.scores)
        box, _ = window_extent(self.image, look, window)
        np.testing.assert_allclose(box.as_tuple(), (290, 100, 310, 140), atol=1e-3)
        assert box.score == pytest.approx(0.75, abs=0.01)
        assert not window_shares(self.image, look, window).any()

    def test_a_map_without_any_difference(self) -> None:
        box, heat = window_extent(blank(40, 40), (WHOLE, np.full((4, 4), 0.25, np.float32)), (0.25, 0.25, 0.75, 0.75))
        np.testing.assert_allclose(box.as_tuple(), (10, 10, 30, 30), atol=1e-3)
        assert box.score == pytest.approx(0.25)
        assert not heat.any()

    @pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (1024, 1), (1, 300)])
    def test_thin_images(self, width: int, height: int) -> None:
        look = Region(0.9, 0.9, 1.0, 1.0), bounded(self.scores)
        box, _ = window_extent(blank(width, height, 50), look, self.left)
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
        assert window_shares(blank(width, height, 50), look, self.left).shape == (20, 20)


class TestWithPriorBoxes:
    def test_each_box_goes_to_the_one_that_it_overlaps_most(self) -> None:
        own = [Box(0, 0, 10, 10, 0.9), Box(40, 40, 50, 50, 0.5), Box(80, 80, 90, 90, 0.4)]
        prior = [Box(40, 40, 50, 60, 1), Box(0, 0, 20, 10, 1), Box(80, 80, 200, 200, 1)]
        found = with_prior_boxes(own, prior)
        assert [box.as_tuple() for box in found] == [
            pytest.approx((0, 0, 16, 10)),
            pytest.approx((40, 40, 50, 56)),
            (80, 80, 90, 90),  # what the prior has there is something else
        ]
        assert [box.score for box in found] == [0.9, 0.5, 0.4]

    def test_nothing_on_one_side_changes_nothing(self) -> None:
        box = Box(0, 0, 10, 10, 0.9)
        assert with_prior_boxes([], [box]) == ()
        assert with_prior_boxes([box], []) == (box,)
