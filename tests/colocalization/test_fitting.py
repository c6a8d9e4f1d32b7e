"""The step over the set with hints: by colours over a dummy engine, and the shipped model on example photographs."""

import csv
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from colocalization import fitting as module
from colocalization.boxes import box_iou
from colocalization.fitting import FittedSet, within_region
from colocalization.hints import Corners, HintError, ImageHints
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage
from colocalization.results import Effort, ImageResult
from colocalization.transform import Region
from tests.colocalization.colour_engine import ColourEngine, painted
from tests.colocalization.sample_images import png

SIDE = 160
WHITE, RED = (255, 255, 255), (255, 0, 0)
PLACES = [
    ((8, 8), (112, 96)),
    ((56, 56), (8, 120)),
    ((72, 24), (24, 112)),
    ((16, 64), (104, 16)),
    ((64, 72), (8, 24)),
]
"""Of each image where its white square of 72 pixels and its red one of 32 begin."""

ABSENT = ImageHints(())


def white(index: int) -> Corners:
    x, y = PLACES[index % len(PLACES)][0]
    return x, y, x + 72, y + 72


def red(index: int) -> Corners:
    x, y = PLACES[index % len(PLACES)][1]
    return x, y, x + 32, y + 32


def picture(index: int) -> np.ndarray:
    return painted(SIDE, (white(index), WHITE), (red(index), RED))  # type: ignore[arg-type]


def said(*boxes: Corners) -> ImageHints:
    return ImageHints(boxes)


class Set:
    """A set taken through the network."""

    def __init__(self, images: Sequence[np.ndarray], effort: Effort = "full") -> None:
        self.engine = ColourEngine()
        self.localizer = Localizer(self.engine, effort=effort)
        self.prepared = [self.localizer.prepare(png(pixels)) for pixels in images]
        self.features = [self.localizer.run([image])[0] for image in self.prepared]
        self.engine.batch_sizes.clear()

    def fit(self, hints: Mapping[int, ImageHints], **options: object) -> FittedSet:
        images = [image.image for image in self.prepared]
        return self.localizer.fit_features(images, self.features, hints=hints, **options)  # type: ignore[arg-type]

    def finish(self, fitted: FittedSet, index: int, hint: ImageHints | None = None, most: int = 1) -> ImageResult:
        looks = fitted.looks.get(index)
        return self.localizer.finish(
            self.prepared[index], self.features[index], fitted.common, looks=looks, hint=hint, max_boxes=most
        )


def pictures(count: int = 5, effort: Effort = "full") -> Set:
    return Set([picture(index) for index in range(count)], effort)


def is_taught(fitted: FittedSet) -> bool:
    assert fitted.common is not None
    return fitted.common.exemplar is not None


def overlap(result: ImageResult, box: Corners) -> float:
    return float(box_iou(result.boxes_array, [box])[0, 0])


class TestJoin:
    """A hint that means what the images share anyway joins: it is found as without hints."""

    def test_a_hint_that_agrees(self) -> None:
        images = pictures()
        fitted, without = images.fit({0: said(white(0))}), images.fit({})
        assert not is_taught(fitted)
        for index in range(5):
            assert images.finish(fitted, index).boxes == images.finish(without, index).boxes
            assert overlap(images.finish(fitted, index), white(index)) > 0.7

    def test_most_hints_decide(self) -> None:
        images = pictures()
        agree, other = said(white(0)), said(red(1))
        assert not is_taught(images.fit({0: agree, 2: said(white(2)), 1: other}))
        assert is_taught(images.fit({0: agree, 1: other, 3: said(red(3))}))

    def test_of_several_boxes_in_an_image_one_is_enough(self) -> None:
        assert not is_taught(pictures().fit({0: said(red(0), white(0))}))

    @pytest.mark.parametrize("effort", ["full", "fast"])
    def test_hinted_outlines_need_no_guess(self, effort: Effort) -> None:
        images = pictures(8, effort)
        fitted = images.fit({0: said(white(0))})
        assert not is_taught(fitted)
        assert fitted.common is not None
        assert fitted.common.outlined is not None
        for index in range(8):
            assert overlap(images.finish(fitted, index), white(index)) > 0.5


class TestTeach:
    """A hint for something else than what the images share teaches it."""

    def test_what_is_hinted_is_found_in_the_others(self) -> None:
        images = pictures()
        fitted = images.fit({0: said(red(0))})
        assert is_taught(fitted)
        for index in range(5):
            found = images.finish(fitted, index)
            assert overlap(found, red(index)) > 0.6
            assert found.contains_common_object

    def test_the_hint_comes_back_as_the_best_box(self) -> None:
        images = pictures()
        hint = said(red(0))
        found = images.finish(images.fit({0: hint}), 0, hint, most=5)
        assert found.boxes[0].as_tuple() == red(0)
        assert (found.boxes[0].score, found.confidence) == (1.0, 1.0)
        assert all(overlap(found[[place]], red(0)) < 0.3 for place in range(1, len(found)))  # not a second time

    def test_in_an_image_that_was_not_in_the_set(self) -> None:
        images = pictures()
        fitted = images.fit({0: said(red(0))})
        new = images.localizer.prepare(png(painted(SIDE, ((88, 40, 120, 72), RED))))
        found = images.localizer.finish(new, images.localizer.run([new])[0], fitted.common)
        assert overlap(found, (88, 40, 120, 72)) > 0.6

    @pytest.mark.parametrize("count", [5, 9])
    def test_with_effort_fast(self, count: int) -> None:
        images = pictures(count, "fast")
        fitted = images.fit({0: said(red(0))})
        assert is_taught(fitted)
        for index in range(count):
            assert overlap(images.finish(fitted, index), red(index)) > 0.6

    def test_threads_give_the_same(self) -> None:
        images = pictures()
        alone = images.fit({0: said(red(0))})
        with ThreadPoolExecutor(2) as pool:
            together = images.fit({0: said(red(0))}, pool=pool)
        for index in range(5):
            assert images.finish(alone, index).boxes == images.finish(together, index).boxes

    def test_what_was_looked_at_again_comes_along(self) -> None:
        images = pictures()
        fitted = images.fit({0: said(red(0)), 1: ABSENT})
        assert sorted(fitted.looks) == [0, 2, 3, 4]  # an image that does not show it is not looked at again
        assert all(look.is_finite for looks in fitted.looks.values() for look in looks.values())

    def test_two_images(self) -> None:
        images = pictures(2)
        fitted = images.fit({0: said(red(0))})
        assert is_taught(fitted)
        assert overlap(images.finish(fitted, 1), red(1)) > 0.6

    def test_a_blank_image_in_the_set(self) -> None:
        images = Set([*[picture(index) for index in range(4)], painted(SIDE)])
        fitted = images.fit({0: said(red(0))})
        assert overlap(images.finish(fitted, 1), red(1)) > 0.6
        assert len(images.finish(fitted, 4)) == 0


class TestAbsent:
    def test_nothing_is_learnt_from_an_image_that_does_not_show_it(self) -> None:
        images = pictures()
        other = Set([picture(index) for index in range(4)])
        fitted, expected = images.fit({4: ABSENT}).common, other.fit({}).common
        assert fitted is not None
        assert expected is not None
        assert np.array_equal(fitted.first.object.direction, expected.first.object.direction)
        assert fitted.exemplar is None

    def test_it_comes_back_without_boxes(self) -> None:
        images = pictures()
        found = images.finish(images.fit({4: ABSENT}), 4, ABSENT, most=5)
        assert (found.boxes, found.confidence, found.contains_common_object) == ((), 0.0, False)

    @pytest.mark.parametrize("shown", [0, 1])
    def test_where_too_few_are_left_all_are_learnt_from(self, shown: int) -> None:
        images = pictures(3)
        fitted = images.fit(dict.fromkeys(range(shown, 3), ABSENT))
        assert fitted.common is not None
        assert not is_taught(fitted)


class TestNotFinite:
    @staticmethod
    def spoilt(*indices: int, count: int = 5) -> Set:
        images = pictures(count)
        for index in indices:
            nan = np.full((8, 8), np.nan, np.float32)
            images.features[index] = ImageFeatures(nan, np.full((4, 8, 8), np.nan, np.float32))
        return images

    def test_is_left_out(self) -> None:
        images = self.spoilt(2)
        fitted = images.fit({0: said(red(0))})
        assert is_taught(fitted)
        assert 2 not in fitted.looks
        assert overlap(images.finish(fitted, 1), red(1)) > 0.6

    def test_hints_of_such_images_alone_teach_nothing(self) -> None:
        fitted = self.spoilt(0).fit({0: said(red(0))})
        assert not is_taught(fitted)

    def test_hints_of_such_images_beside_others(self) -> None:
        images = self.spoilt(0)
        fitted = images.fit({0: said(red(0)), 1: said(red(1))})
        assert is_taught(fitted)
        assert overlap(images.finish(fitted, 3), red(3)) > 0.6

    @pytest.mark.parametrize("left", [0, 1])
    def test_fewer_than_two_are_no_set(self, left: int) -> None:
        fitted = self.spoilt(*range(left, 3), count=3).fit({0: said(red(0))})
        assert (fitted.common, fitted.mode, dict(fitted.looks)) == (None, "attention", {})

    @pytest.mark.parametrize("part", ["tiles", "finds"])
    def test_tiles_or_looks_at_finds_that_are_not(self, part: str) -> None:
        images = pictures()
        images.fit({0: said(red(0))})
        runs = len(images.engine.batch_sizes)  # second looks at five images, their tiles, looks at five finds
        finite = 5 if part == "tiles" else runs - 5
        images.engine.batch_sizes.clear()
        images.engine.spoils = lambda pixels: len(images.engine.batch_sizes) > finite
        fitted = images.fit({0: said(red(0))})
        assert not is_taught(fitted)
        images.engine.spoils = None
        assert overlap(images.finish(fitted, 1), white(1)) > 0.7  # what the images share is left

    def test_second_looks_that_are_not(self) -> None:
        images = pictures()
        images.engine.spoils = lambda pixels: True
        fitted = images.fit({0: said(red(0))})
        assert (fitted.common, fitted.mode) == (None, "attention")

    def test_hints_of_such_images_do_not_count_against_those_of_others(self) -> None:
        x, y = PLACES[1][0]
        third = said((x, y, x + 24, y + 72))  # a third of what the images share
        images = self.spoilt(0)
        alone, beside = images.fit({1: third}).common, images.fit({0: third, 1: third}).common
        assert alone is not None
        assert beside is not None
        assert alone.exemplar is not None
        assert beside.exemplar is not None
        assert np.array_equal(alone.exemplar.scan.direction, beside.exemplar.scan.direction)


def test_a_blank_set_has_nothing_to_teach() -> None:
    fitted = Set([painted(SIDE)] * 3).fit({0: said(red(0))})
    assert fitted.common is None


class TestLarge:
    def test_hinted_images_belong_to_the_sample(self) -> None:
        images = pictures(9)
        images.localizer.set_sample_size = 4
        fitted = images.fit({8: said(red(8)), 5: ABSENT})
        assert is_taught(fitted)
        assert set(fitted.looks) == {0, 4, 8}  # with 5, which does not show it, a sample of four
        for index in (1, 3, 7):
            assert overlap(images.finish(fitted, index), red(index)) > 0.6

    def test_memory_of_the_grids_bounds_how_many_images_are_learnt_from(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_GRID_BYTES", 1)
        monkeypatch.setattr(module, "_LEAST_GRIDS", 4)
        fitted = pictures(10).fit({7: said(red(7))})
        assert is_taught(fitted)
        assert len(fitted.looks) == 4
        assert 7 in fitted.looks


class TestStops:
    def test_what_check_raises_ends_it(self) -> None:
        images, calls = pictures(), 0

        class EndedError(Exception):
            pass

        def check() -> None:
            nonlocal calls
            calls += 1
            if calls > 7:  # in the second looks at the set there are five
                raise EndedError

        with pytest.raises(EndedError):
            images.fit({0: said(red(0))}, check=check)

    def test_a_hint_beyond_its_image(self) -> None:
        with pytest.raises(
            HintError, match=r"the hint 0,0,161,10 does not lie in 'image 1', which is 160 x 160 pixels"
        ):
            pictures(2).fit({1: said((0, 0, 161, 10))})


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0.5, 0.25, 1.0, 0.75), (0, 0, 1, 1)),
        ((0.625, 0.375, 0.75, 0.5), (0.25, 0.25, 0.5, 0.5)),
        ((0.0, 0.0, 0.5, 0.25), (-1, -0.5, 0, 0)),  # beside it
    ],
)
def test_within_region(window: Corners, expected: Corners) -> None:
    assert within_region(window, Region(0.5, 0.25, 1.0, 0.75)) == pytest.approx(expected)


# ---- the shipped model on example photographs

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("kingfisher.jpg", "nuthatch.jpg", "owl.jpg", "purple_heron.jpg", "scarlet_macaw.jpg")


def boxes_of(name: str) -> list[Corners]:
    with (EXAMPLES / "boxes.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] == name]
    return [(float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"])) for row in rows]


Looked = tuple[Localizer, list[PreparedImage], list[ImageFeatures]]


@pytest.fixture(scope="module")
def birds() -> Looked:
    """Five photographs of a bird, and what the network gives for each."""
    localizer = Localizer.load(device="cpu", threads=1, precision="fp32")
    prepared = [localizer.prepare(EXAMPLES / "images" / name) for name in NAMES]
    return localizer, prepared, [localizer.run([image])[0] for image in prepared]


def fit_birds(birds: Looked, hints: Mapping[int, ImageHints]) -> tuple[FittedSet, list[ImageResult]]:
    localizer, prepared, features = birds
    fitted = localizer.fit_features([image.image for image in prepared], features, hints=hints)
    return fitted, [
        localizer.finish(
            image, features[index], fitted.common, looks=fitted.looks.get(index), hint=hints.get(index), max_boxes=3
        )
        for index, image in enumerate(prepared)
    ]


class TestExamples:
    def test_a_hint_on_a_bird_joins_what_the_images_share(self, birds: Looked) -> None:
        hint = boxes_of(NAMES[0])[0]
        fitted, results = fit_birds(birds, {0: ImageHints((hint,)), 2: ABSENT})
        assert not is_taught(fitted)
        assert results[0].boxes[0].as_tuple() == hint
        assert (results[0].boxes[0].score, results[0].confidence, results[0].contains_common_object) == (1.0, 1.0, True)
        assert (results[2].boxes, results[2].contains_common_object) == ((), False)
        for index in (1, 3, 4):
            assert overlap(results[index], boxes_of(NAMES[index])[0]) > 0.3
            assert results[index].contains_common_object

    def test_a_hint_for_a_part_is_taught(self, birds: Looked) -> None:
        x0, y0, x1, _ = boxes_of("owl.jpg")[0]
        head = (x0, y0, x1, y0 + 0.75 * (x1 - x0))
        fitted, results = fit_birds(birds, {2: ImageHints((head,))})
        assert is_taught(fitted)
        assert results[2].boxes[0].as_tuple() == head
        for index in (0, 1, 3, 4):
            assert results[index].error is None
            assert len(results[index]) >= 1
            for box in results[index].boxes:
                assert 0 <= box.x0 < box.x1 <= results[index].width
                assert 0 <= box.y0 < box.y1 <= results[index].height
