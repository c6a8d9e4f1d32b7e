"""Finding red squares of 32 pixels in images of 128, by an exemplar made by hand: 0 at black, 1 at red."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from colocalization import finding as module
from colocalization.discriminant import Discriminant
from colocalization.errors import ImageError
from colocalization.exemplar import Exemplar, region_around
from colocalization.extent import Extent
from colocalization.finding import find_exemplar
from colocalization.images import DecodedImage
from colocalization.looks import Looker
from colocalization.prototype import Prototype
from colocalization.windows import WindowSize
from tests.colocalization.colour_engine import ColourEngine, painted

RED, DARK_RED, BLUE, BLACK = (255, 0, 0), (15, 0, 0), (0, 0, 255), (0, 0, 0)
SIDE, SQUARE = 128, 32

ALONG = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
LIMIT = 1 / math.hypot(1, 0.5)
"""Share of red in the unit descriptor (1, 0, 0, 0.5) of a red cell."""

Place = tuple[int, int]


def exemplar(tiles: int = 1) -> Exemplar:
    """Red by the red channel of descriptors, in windows of a quarter of the side."""
    red = Discriminant(ALONG, background=0.0, foreground=LIMIT)
    prototype = Prototype(np.zeros(4, np.float32), ALONG, own_weight=0.0, agreement=1.0)
    return Exemplar(tiles, (WindowSize(SQUARE / SIDE, 1.0),), (1.0,), red, red, prototype, 1.0)


def image(*places: Place, colour: tuple[int, int, int] = RED) -> DecodedImage:
    boxes = [((x, y, x + SQUARE, y + SQUARE), colour) for x, y in places]
    return DecodedImage(painted(SIDE, ((0, 0, SIDE, SIDE), BLACK), *boxes), SIDE, SIDE)


def find(shown: DecodedImage, most: int = 10, tiles: int = 1) -> tuple[Extent, float, list[int]]:
    """What is found, the confidence, and the runs of the network after the look at the whole image."""
    engine = ColourEngine()
    looker = Looker(engine)
    (whole,) = looker.run(looker.transform(shown.rgb)[None])
    engine.batch_sizes.clear()
    return *find_exemplar(looker, shown, whole, exemplar(tiles), {}, most), engine.batch_sizes


def assert_boxes(found: Extent, places: Sequence[Place], atol: float = 2.5) -> None:
    """The boxes are those of the squares, in any order."""
    boxes = sorted(box.as_tuple() for box in found.boxes)
    np.testing.assert_allclose(boxes, sorted((x, y, x + SQUARE, y + SQUARE) for x, y in places), atol=atol)


class TestBoxes:
    def test_a_single_one(self) -> None:
        found, confidence, runs = find(image((32, 64)))
        assert_boxes(found, [(32, 64)])
        assert runs == [1]
        assert confidence > 0.7
        assert 0.5 < found.boxes[0].score <= 1

    def test_several(self) -> None:
        places = [(0, 0), (64, 16), (16, 80), (96, 96)]
        found, _, runs = find(image(*places))
        assert_boxes(found, places)
        assert len(runs) >= 4
        scores = [box.score for box in found.boxes]
        assert scores == sorted(scores, reverse=True)

    @pytest.mark.parametrize("most", [1, 2])
    def test_no_more_than_asked_for_and_no_look_more(self, most: int) -> None:
        found, _, runs = find(image((0, 0), (64, 16), (16, 80)), most)
        assert (len(found.boxes), runs) == (most, [1] * most)

    def test_what_is_worth_too_little_is_no_further_one(self) -> None:
        dark = image((80, 80), colour=DARK_RED)  # an eighth of a typical one
        shown = DecodedImage(dark.rgb | image((16, 16)).rgb, SIDE, SIDE)
        found, _, runs = find(shown)
        assert_boxes(found, [(16, 16)])
        assert runs == [1]

    def test_by_tiles(self) -> None:
        places = [(8, 8), (80, 72)]  # not on the cells of a look at the whole image
        found, _, runs = find(image(*places), tiles=3)
        assert_boxes(found, places)
        assert len(runs) >= 9 + 2
        assert set(runs) == {1}

    def test_in_an_oblong_image_boxes_are_at_its_working_size(self) -> None:
        rgb = np.zeros((64, 256, 3), np.uint8)
        rgb[16:48, 96:128] = RED  # as large a share as in a square image of 128
        found, _, _ = find(DecodedImage(rgb, 1024, 256))
        np.testing.assert_allclose(found.boxes[0].as_tuple(), (96, 16, 128, 48), atol=4)
        assert found.heatmap.shape == (64, 256)


class TestNothing:
    @pytest.mark.parametrize("shown", [image(), image((32, 32), colour=BLUE)])
    def test_an_image_without_it_has_little_confidence(self, shown: DecodedImage) -> None:
        found, confidence, _ = find(shown)
        assert len(found.boxes) <= 1
        assert confidence < 0.5
        assert all(box.score < 0.3 for box in found.boxes)


class TestCrowd:
    places = ((0, 0), (48, 0), (96, 0), (0, 48), (48, 48), (96, 48))

    def test_above_the_limit_of_looks_windows_are_given_as_they_were_found(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_MOST_LOOKS", 2)
        found, _, runs = find(image(*self.places))
        assert runs == [1, 1]
        assert_boxes(found, self.places, atol=6)
        scores = [box.score for box in found.boxes]
        assert scores == sorted(scores, reverse=True)
        assert min(scores[:2]) > 0.5 >= max(scores[2:])  # not looked at again: at most half

    def test_the_limit_bounds_the_runs(self) -> None:
        assert 1 <= module._MOST_LOOKS <= 100


class TestLooks:
    shown = image((32, 64))

    def test_what_was_looked_at_before_needs_no_run(self) -> None:
        engine = ColourEngine()
        looker = Looker(engine)
        (whole,) = looker.run(looker.transform(self.shown.rgb)[None])
        first, confidence = find_exemplar(looker, self.shown, whole, exemplar(), {}, 5)
        region = region_around((0.25, 0.5, 0.5, 0.75))
        known = {region: looker.region(self.shown.rgb, region, whole)}
        engine.batch_sizes.clear()
        again, same = find_exemplar(looker, self.shown, whole, exemplar(), known, 5)
        assert engine.batch_sizes == []
        assert (again.boxes, same) == (first.boxes, confidence)
        assert np.array_equal(again.heatmap, first.heatmap)

    def test_a_second_look_that_is_not_finite(self) -> None:
        engine = ColourEngine()
        looker = Looker(engine)
        (whole,) = looker.run(looker.transform(self.shown.rgb)[None])
        engine.spoils = lambda pixels: True
        with pytest.raises(ImageError, match="is not finite"):
            find_exemplar(looker, self.shown, whole, exemplar(), {}, 5)

    def test_a_tile_that_is_not_finite(self) -> None:
        engine = ColourEngine()
        looker = Looker(engine)
        (whole,) = looker.run(looker.transform(self.shown.rgb)[None])
        engine.spoils = lambda pixels: float(pixels.max()) < 0.5
        with pytest.raises(ImageError, match="is not finite"):
            find_exemplar(looker, self.shown, whole, exemplar(tiles=3), {}, 5)

    def test_an_exemplar_without_second_looks(self) -> None:
        looker = Looker(ColourEngine())
        (whole,) = looker.run(looker.transform(self.shown.rgb)[None])
        made = exemplar()
        scan_only = Exemplar(made.tiles, made.sizes, made.factors, made.scan, None, None, made.typical)
        with pytest.raises(ValueError, match="no second looks; learn them by `fit_regions`"):
            find_exemplar(looker, self.shown, whole, scan_only, {}, 5)


class TestHeatmap:
    def test_of_the_whole_image(self) -> None:
        found, _, _ = find(image((32, 64)))
        assert (found.heatmap.shape, found.heatmap.dtype) == ((SIDE, SIDE), np.float32)
        assert 0 <= found.heatmap.min() <= found.heatmap.max() <= 1
        assert found.heatmap[80, 48] == pytest.approx(1, abs=0.01)  # the middle of the square, looked at again
        assert found.heatmap[20, 110] < 0.3

    def test_what_was_not_looked_at_again_is_half_as_warm(self) -> None:
        found, _, _ = find(image((0, 0), (80, 80)), most=1)
        warm = sorted((float(found.heatmap[16, 16]), float(found.heatmap[96, 96])))
        assert warm == [pytest.approx(0.75 / 2, abs=0.02), pytest.approx(1, abs=0.01)]
