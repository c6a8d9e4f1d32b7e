"""What a hint teaches, on features of three textures: the thing that is hinted, another thing, and what is around."""

import numpy as np
import pytest

from colocalization import exemplar as module
from colocalization.boxes import box_iou
from colocalization.exemplar import Exemplar, HintedGrid, RegionLook, agrees, fit_regions, fit_scan, region_around
from colocalization.hints import Corners
from colocalization.windows import box_cells

CHANNELS, SIDE = 6, 20
THING, OTHER, LIKE = 0, 1, (0, 3)
"""Channels of the textures; the last is a thing that resembles the first."""

Cells = tuple[int, int, int, int]


def features(*patches: tuple[int | tuple[int, int], Cells], seed: int = 0, side: int = SIDE) -> np.ndarray:
    """A map of a noisy background with patches of a texture at cells `x0, y0, x1, y1`."""
    made = 0.15 * np.random.default_rng(seed).standard_normal((CHANNELS, side, side))
    textures = np.zeros((CHANNELS, side, side))
    textures[2] = 1
    for channels, (x0, y0, x1, y1) in patches:
        textures[:, y0:y1, x0:x1] = 0
        textures[np.atleast_1d(channels), y0:y1, x0:x1] = 1
    return (made + textures).astype(np.float32)


def shares(cells: Cells, side: int = SIDE) -> Corners:
    x0, y0, x1, y1 = (corner / side for corner in cells)
    return x0, y0, x1, y1


def grid(
    made: np.ndarray, boxes: tuple[Corners, ...] | None = None, background: np.ndarray | None = None
) -> HintedGrid:
    return HintedGrid(made, 100, 100, boxes, background)


PLACES: list[Cells] = [(2, 3, 6, 7), (12, 10, 16, 14), (5, 14, 9, 18), (14, 2, 18, 6), (0, 16, 4, 20)]
"""Where the thing is, one place an image."""


def others(index: int) -> list[tuple[int, Cells]]:
    """The other thing, larger than the first and in every image, where that leaves room."""
    x0 = 10 if PLACES[index][0] < 9 else 1
    return [(OTHER, (x0, 5, x0 + 8, 13))]


def images() -> list[np.ndarray]:
    return [features(*others(index), (THING, place), seed=index) for index, place in enumerate(PLACES)]


def taught() -> Exemplar:
    grids = [grid(made, (shares(PLACES[0]),) if index == 0 else None) for index, made in enumerate(images())]
    found = fit_scan(grids, 2)
    assert found is not None
    return found


def overlap(window: np.ndarray, cells: Cells) -> float:
    return float(box_iou([window], [shares(cells)])[0, 0])


class TestScan:
    def test_the_thing_is_found_where_something_else_is_larger(self) -> None:
        found = taught()
        for made, place in zip(images(), PLACES, strict=True):
            windows, values = found.windows(made, 100, 100, 5)
            assert overlap(windows[0], place) > 0.5
            assert values[0] > 1.5 * max([0.0, *values[1:]])

    def test_in_an_image_that_it_has_not_seen(self) -> None:
        new = features((OTHER, (1, 1, 9, 9)), (THING, (11, 11, 15, 15)), seed=99)
        windows, values = taught().windows(new, 100, 100, 5)
        assert overlap(windows[0], (11, 11, 15, 15)) > 0.5
        assert values[0] == pytest.approx(1, abs=0.3)

    def test_without_the_thing_no_window_is_worth_much(self) -> None:
        _, values = taught().windows(features((OTHER, (1, 1, 9, 9)), seed=99), 100, 100, 5)
        assert values[0] < 0.4

    def test_several_in_an_image(self) -> None:
        places: list[Cells] = [(1, 1, 5, 5), (8, 1, 12, 5), (14, 9, 18, 13)]
        made = features(*[(THING, place) for place in places], seed=99)
        windows, values = taught().windows(made, 100, 100, 10)
        assert all(max(overlap(window, place) for window in windows[:3]) > 0.5 for place in places)
        assert values[2] > 0.5 > values[3]

    def test_values_are_in_units_of_a_typical_best_one(self) -> None:
        found = taught()
        best = [found.windows(made, 100, 100, 1)[1][0] for made in images()[1:]]  # those without a hint
        assert np.median(best) == pytest.approx(1)

    def test_what_it_keeps_of_the_hints(self) -> None:
        found = taught()
        assert (found.tiles, found.region, found.prototype) == (2, None, None)
        assert [(size.side, size.aspect) for size in found.sizes] == [pytest.approx((0.2, 1.0))]

    def test_windows_have_the_aspect_of_the_hint_in_images_of_any_shape(self) -> None:
        found = taught()
        windows, _ = found.windows(images()[1], 400, 100, 1)
        (x0, y0, x1, y1) = windows[0] * [400, 100, 400, 100]
        assert (x1 - x0) / (y1 - y0) == pytest.approx(1)

    def test_a_large_thing_is_found_near_and_far(self) -> None:
        sizes = [8, 8, 7, 9, 8]
        made = [features((THING, (5, 6, 5 + size, 6 + size)), seed=index) for index, size in enumerate(sizes)]
        found = fit_scan(
            [grid(one, (shares((5, 6, 13, 14)),) if not index else None) for index, one in enumerate(made)], 1
        )
        assert found is not None
        for cells in ((2, 2, 16, 16), (8, 8, 13, 13)):  # 1.75 times as large, and 0.63 times
            windows, _ = found.windows(features((THING, cells), seed=50), 100, 100, 1)
            assert overlap(windows[0], cells) > 0.7

    def test_hints_in_several_images_of_several_sizes(self) -> None:
        hints: dict[int, tuple[Corners, ...]] = {
            0: (shares(PLACES[0]),),
            2: (shares(PLACES[2]), shares((15, 1, 19, 3))),
        }
        found = fit_scan([grid(made, hints.get(index)) for index, made in enumerate(images())], 1)
        assert found is not None
        assert [size.side for size in found.sizes] == pytest.approx([0.2, 0.2, np.sqrt(0.2 * 0.1)])
        assert overlap(found.windows(images()[1], 100, 100, 1)[0][0], PLACES[1]) > 0.5

    def test_half_precision_finds_the_same(self) -> None:
        grids = [
            grid(made.astype(np.float16), (shares(PLACES[0]),) if index == 0 else None)
            for index, made in enumerate(images())
        ]
        found = fit_scan(grids, 1)
        assert found is not None
        for made, place in zip(images(), PLACES, strict=True):
            assert overlap(found.windows(made.astype(np.float16), 100, 100, 1)[0][0], place) > 0.5


def test_only_the_better_half_of_the_finds_is_learnt_from() -> None:
    strange = [features((4, (8, 8, 12, 12)), seed=30 + index) for index in range(2)]  # without the thing
    grids = [grid(made, (shares(PLACES[0]),) if index == 0 else None) for index, made in enumerate(images())]
    found = fit_scan([*grids, *map(grid, strange)], 1)
    assert found is not None
    cells = box_cells(shares((8, 8, 12, 12)), SIDE, SIDE)
    assert max(float(found.scan.map(made)[cells].mean()) for made in strange) < 0.5


class TestNegatives:
    like: Cells = (13, 13, 17, 17)

    def fitted(self, said: tuple[Corners, ...] | None) -> Exemplar:
        """With a last image that shows only what resembles the thing, of which this is said."""
        grids = [grid(made, (shares(PLACES[0]),) if index == 0 else None) for index, made in enumerate(images())]
        found = fit_scan([*grids, grid(features((LIKE, self.like), seed=60), said)], 1)
        assert found is not None
        return found

    def test_not_in_this_one_teaches_what_it_is_not(self) -> None:
        new = features((LIKE, self.like), seed=70)
        cells = box_cells(shares(self.like), SIDE, SIDE)
        said, unsaid = (float(self.fitted(said).scan.map(new)[cells].mean()) for said in ((), None))
        assert said < unsaid - 0.04  # measured: 0.69 and 0.77

    def test_the_thing_is_found_all_the_same(self) -> None:
        found = self.fitted(())
        for made, place in zip(images(), PLACES, strict=True):
            assert overlap(found.windows(made, 100, 100, 1)[0][0], place) > 0.5

    def test_cells_that_may_be_the_thing_are_not_learnt_as_background(self) -> None:
        # All that is not background may be the thing: with nothing left there are no two classes.
        nothing = np.zeros((SIDE, SIDE), dtype=bool)
        grids = [
            grid(made, (shares(PLACES[0]),) if not index else None, nothing) for index, made in enumerate(images())
        ]
        assert fit_scan(grids, 1) is None


class TestNoTwoClasses:
    @pytest.mark.parametrize("level", [0.0, 1.0])
    def test_features_that_are_alike(self, level: float) -> None:
        alike = np.full((CHANNELS, SIDE, SIDE), level, np.float32)
        assert fit_scan([grid(alike, (shares(PLACES[0]),)), grid(alike)], 1) is None

    def test_a_blank_image_among_the_others(self) -> None:
        blank = np.zeros((CHANNELS, SIDE, SIDE), np.float32)
        grids = [grid(made, (shares(PLACES[0]),) if index == 0 else None) for index, made in enumerate(images())]
        found = fit_scan([*grids, grid(blank)], 1)
        assert found is not None
        assert overlap(found.windows(images()[1], 100, 100, 1)[0][0], PLACES[1]) > 0.5
        assert len(found.windows(blank, 100, 100, 1)[0]) == 1

    def test_a_hint_that_is_the_whole_image(self) -> None:
        grids = [grid(made, ((0.0, 0.0, 1.0, 1.0),) if index == 0 else None) for index, made in enumerate(images())]
        found = fit_scan(grids, 1)
        if found is not None:  # there may be no two classes in it
            windows, values = found.windows(images()[1], 100, 100, 3)
            assert len(windows) == len(values) >= 1
            assert np.isfinite(values).all()


class TestRegions:
    """Second looks at 12 x 12 cells, of which the window is the middle half and the thing is in it."""

    window: Corners = (0.25, 0.25, 0.75, 0.75)
    mask = box_cells(window, 12, 12)

    def look(self, seed: int, *, exact: bool = False, sure: bool = True, texture: int = THING) -> RegionLook:
        return RegionLook(features((texture, (3, 3, 9, 9)), seed=seed, side=12), self.window, exact, sure)

    def fitted(self, looks: list[RegionLook], rounds: int = 1) -> tuple[Exemplar, list[int]]:
        asked: list[int] = []

        def outline(index: int, scores: np.ndarray) -> np.ndarray:
            asked.append(index)
            assert scores.shape == (12, 12)
            return self.mask.astype(np.float32)

        return fit_regions(taught(), looks, outline, rounds), asked

    @pytest.mark.parametrize("rounds", [0, 1, 2])
    def test_the_thing_is_told_from_what_is_around_it(self, rounds: int) -> None:
        looks = [self.look(0, exact=True), *[self.look(seed) for seed in (1, 2, 3)]]
        found, _ = self.fitted(looks, rounds)
        assert found.region is not None
        assert found.prototype is not None
        for look in (*looks, self.look(80)):
            assert np.array_equal(found.region.map(look.features) > 0.5, self.mask)
        like, unlike = (
            found.prototype.confidence(found.prototype.similarity(look.features, found.region))
            for look in (self.look(81), self.look(81, texture=OTHER))
        )
        assert like > 0.9
        assert unlike < 0.5

    def test_outlines_are_asked_for_of_sure_finds_alone(self) -> None:
        looks = [self.look(0), self.look(1, exact=True), self.look(2, sure=False), self.look(3)]
        assert self.fitted(looks)[1] == [0, 3]
        assert self.fitted(looks, rounds=2)[1] == [0, 3, 0, 3]
        assert self.fitted(looks, rounds=0)[1] == []

    def test_what_is_not_sure_teaches_nothing(self) -> None:
        looks = [self.look(0, exact=True), self.look(1), self.look(2)]
        found, _ = self.fitted(looks)
        other, _ = self.fitted([*looks, self.look(3, sure=False, texture=OTHER)])
        assert found.region is not None
        assert other.region is not None
        assert np.array_equal(found.region.direction, other.region.direction)

    def test_a_hint_alone_teaches(self) -> None:
        found, asked = self.fitted([self.look(0, exact=True)])
        assert asked == []
        assert found.region is not None
        assert np.array_equal(found.region.map(self.look(80).features) > 0.5, self.mask)

    def test_what_was_learnt_on_the_grid_stays(self) -> None:
        found, _ = self.fitted([self.look(0, exact=True), self.look(1)])
        before = taught()
        assert (found.tiles, found.sizes, found.factors, found.typical) == (
            before.tiles,
            before.sizes,
            before.factors,
            before.typical,
        )
        assert np.array_equal(found.scan.direction, before.scan.direction)

    def test_nothing_sure_leaves_what_the_grid_taught(self) -> None:
        exemplar = taught()
        looks = [self.look(0, sure=False), self.look(1, sure=False)]  # the look at the hint was not finite
        found = fit_regions(exemplar, looks, lambda index, scores: scores)
        assert found.region is exemplar.scan
        assert found.prototype is not None

    def test_a_window_that_fills_its_region_leaves_no_background(self) -> None:
        whole = RegionLook(self.look(0).features, (0.0, 0.0, 1.0, 1.0), exact=True, sure=True)
        exemplar = taught()
        found = fit_regions(exemplar, [whole], lambda index, scores: scores)
        assert found.region is exemplar.scan


@pytest.fixture(scope="module")
def exemplar() -> Exemplar:
    """With second looks at a hint and three finds."""
    regions = TestRegions()
    return regions.fitted([regions.look(0, exact=True), *[regions.look(seed) for seed in (1, 2, 3)]])[0]


class TestConfidence:
    """Three signs, each of which alone can say no: alike, standing out, and sure cells."""

    def test_all_three(self, exemplar: Exemplar) -> None:
        assert exemplar.confidence(TestRegions().look(80).features, 1.0) > 0.9

    def test_a_window_that_stands_out_less(self, exemplar: Exemplar) -> None:
        look = TestRegions().look(80).features
        found = [exemplar.confidence(look, value) for value in (1.5, 1.0, 0.5, 0.0, -1.0)]
        assert found == sorted(found, reverse=True)
        assert found[-1] < 0.01
        assert exemplar.confidence(look, module._LEAST_VALUE) == pytest.approx(0.5)

    def test_another_thing(self, exemplar: Exemplar) -> None:
        assert exemplar.confidence(TestRegions().look(80, texture=OTHER).features, 1.0) < 0.2

    def test_a_region_without_a_sure_cell(self, exemplar: Exemplar) -> None:
        look = features(((THING, 2), (3, 3, 9, 9)), seed=80, side=12)  # the thing and what is around it, at once
        assert exemplar.prototype is not None
        assert exemplar.region is not None
        assert exemplar.prototype.confidence(exemplar.prototype.similarity(look, exemplar.region)) > 0.9
        assert exemplar.confidence(look, 1.0) < 0.5

    def test_without_second_looks(self) -> None:
        with pytest.raises(ValueError, match="has no second looks; learn them by `fit_regions`"):
            taught().confidence(TestRegions().look(80).features, 1.0)


class TestRegionAround:
    def test_grown_about_its_centre(self) -> None:
        region = region_around((0.4, 0.45, 0.6, 0.55))
        grown = module._REGION_FACTOR / 2
        expected = (0.5 - 0.2 * grown, 0.5 - 0.1 * grown, 0.5 + 0.2 * grown, 0.5 + 0.1 * grown)
        assert (region.x0, region.y0, region.x1, region.y1) == pytest.approx(expected)

    def test_a_speck_has_the_least_region(self) -> None:
        region = region_around((0.5, 0.5, 0.501, 0.501))
        assert region.x1 - region.x0 == pytest.approx(module._SMALLEST_REGION)
        assert region.y1 - region.y0 == pytest.approx(module._SMALLEST_REGION)

    @pytest.mark.parametrize("window", [(0, 0, 0.9, 0.9), (0.0, 0.0, 1.0, 1.0), (-1e-9, 0.2, 1 + 1e-9, 0.4)])
    def test_cut_at_the_images_border(self, window: Corners) -> None:
        region = region_around(window)
        assert 0 <= region.x0 <= max(window[0], 0)
        assert min(window[2], 1) <= region.x1 <= 1


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((0.0, 0.0, 0.4, 0.4), True),
        ((0.0, 0.0, 0.4, 0.17), True),  # an IoU of 0.4 is enough
        ((0.0, 0.0, 0.4, 0.15), False),
        ((0.6, 0.6, 1.0, 1.0), True),  # the second of the hints
        ((0.2, 0.2, 0.8, 0.8), False),  # between them
        ((0.0, 0.0, 1.0, 1.0), False),
    ],
)
def test_agrees(found: Corners, expected: bool) -> None:
    assert agrees(found, [(0.0, 0.0, 0.4, 0.4), (0.6, 0.6, 1.0, 1.0)]) is expected
