"""From images to boxes: over the dummy engine by hand, and the shipped model on the example photographs."""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colocalization.common_object import CommonObject
from colocalization.corloc import CorLoc, CorLocScores
from colocalization.errors import ImageError, ModelError, ObjectError
from colocalization.hints import HintError
from colocalization.images import ImageLimits
from colocalization.localizer import DEFAULT_MODEL, ImageFeatures, Localizer, PreparedImage
from colocalization.results import Effort, ImageResult, Mode, SetResult
from tests.colocalization import objects
from tests.colocalization.sample_images import blank, corners, png, png_header, square
from tests.dummy_engine import DummyEngine

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BIRDS = sorted((EXAMPLES / "images").iterdir())
WITHOUT = sorted((EXAMPLES / "without").iterdir())
FEW = [*BIRDS[:3], WITHOUT[0]]
"""As few images as agree in something."""

ORDER_TOLERANCE = 1.0
"""Pixels by which a box may depend on the order of its set: sums over the set are rounded in another order, which may
move a cut by one pixel. Measured: 0."""

CONFIDENCE_TOLERANCE = 1e-4
"""The same for a confidence. Measured: 3e-8."""


def corners_of(result: ImageResult) -> list[tuple[float, float, float, float]]:
    return [box.as_tuple() for box in result.boxes]


def corloc_of(results: Sequence[ImageResult]) -> CorLocScores:
    """CorLoc of the birds, which come first in the result."""
    truth = defaultdict(list)
    with (EXAMPLES / "boxes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            truth[row["file"]].append([float(row[side]) for side in ("x0", "y0", "x1", "y1")])
    corloc = CorLoc()
    for path, one in zip(BIRDS, results, strict=False):
        corloc.add(corners_of(one), truth[path.name])
    return corloc.compute()


def equal(first: ImageResult, second: ImageResult) -> bool:
    assert first.heatmap is not None
    assert second.heatmap is not None
    return (first.boxes, first.confidence, first.contains_common_object) == (
        second.boxes,
        second.confidence,
        second.contains_common_object,
    ) and np.array_equal(first.heatmap, second.heatmap)


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return Localizer.load(device="cpu", threads=1, precision="fp32")


Looked = tuple[list[PreparedImage], list[ImageFeatures]]


@pytest.fixture(scope="module")
def looked(localizer: Localizer) -> Looked:
    """All example photographs, and what the network gives for each alone."""
    prepared = [localizer.prepare(path) for path in (*BIRDS, *WITHOUT)]
    return prepared, [localizer.run([one])[0] for one in prepared]


def common_results(localizer: Localizer, looked: Looked) -> list[ImageResult]:
    """What `localize` does with readable images, see `test_steps_give_what_localize_gives`."""
    common = localizer.fit_features([one.image for one in looked[0]], looked[1]).common
    assert common is not None
    return [localizer.finish(one, features, common) for one, features in zip(*looked, strict=True)]


def attention_results(localizer: Localizer, looked: Looked, max_boxes: int = 1) -> list[ImageResult]:
    return [localizer.finish(one, found, None, max_boxes=max_boxes) for one, found in zip(*looked, strict=True)]


@pytest.fixture(scope="module")
def everything(localizer: Localizer, looked: Looked) -> list[ImageResult]:
    """All example photographs as one set."""
    return common_results(localizer, looked)


@pytest.fixture(scope="module")
def few(localizer: Localizer) -> SetResult:
    return localizer.localize(FEW)


class TestDummy:
    """Numbers by hand: the dummy engine's attention is the brightness of each of 8 x 8 cells."""

    def test_box_of_a_bright_square(self, dummy_localizer: Localizer) -> None:
        result = dummy_localizer.localize([png(square(160, 80, 40, 20, 100, 60))], mode="attention")
        (one,) = result.images
        assert (result.mode, one.width, one.height, one.error) == ("attention", 160, 80, None)
        # A cell is 20 x 10 pixels; the square ends at cells' edges, where the upsampled map has half its height.
        np.testing.assert_allclose(one.boxes[0].as_tuple(), (40, 20, 100, 60), atol=3)
        assert one.contains_common_object is None  # one image says nothing of a set
        assert one.confidence == pytest.approx(1.0)  # a map of two values is told apart entirely
        assert one.heatmap is not None
        assert one.heatmap.shape == (80, 160)
        assert one.heatmap[40, 70] == pytest.approx(1.0, abs=0.01)
        assert one.heatmap[5, 5] == 0.0

    def test_boxes_are_in_pixels_of_the_original(self, dummy_engine: DummyEngine) -> None:
        localizer = Localizer(dummy_engine, ImageLimits(working_side=80))
        (one,) = localizer.localize([png(square(1600, 800, 400, 200, 1000, 600))], mode="attention").images
        assert (one.width, one.height) == (1600, 800)
        assert one.heatmap is not None
        assert one.heatmap.shape == (40, 80)
        np.testing.assert_allclose(one.boxes[0].as_tuple(), (400, 200, 1000, 600), atol=30)

    def test_common_object_of_a_set(self, dummy_localizer: Localizer) -> None:
        places = [(40, 20), (20, 30), (60, 10), (80, 30)]
        sources = [png(square(160, 80, x, y, x + 60, y + 40)) for x, y in places]
        result = dummy_localizer.localize(sources)
        assert result.mode == "common"
        for (x, y), one in zip(places, result.images, strict=True):
            np.testing.assert_allclose(one.boxes[0].as_tuple(), (x, y, x + 60, y + 40), atol=3)
            assert one.contains_common_object

    @pytest.mark.parametrize("mode", ["common", "attention"])
    def test_single_image_falls_back_and_says_so(self, dummy_localizer: Localizer, mode: str) -> None:
        source = png(square(160, 80, 40, 20, 100, 60))
        result = dummy_localizer.localize([source], mode=mode)  # type: ignore[arg-type]
        assert result.mode == "attention"
        assert result.images[0].boxes == dummy_localizer.localize([source], mode="attention").images[0].boxes

    def test_single_readable_image_falls_back_too(self, dummy_localizer: Localizer) -> None:
        source = png(square(160, 80, 40, 20, 100, 60))
        result = dummy_localizer.localize([b"", source, b"no image"])
        assert result.mode == "attention"
        assert [one.error is None for one in result.images] == [False, True, False]

    def test_bad_images_do_not_fail_their_set(self, dummy_localizer: Localizer, tmp_path: Path) -> None:
        good = [png(square(160, 80, x, 20, x + 60, 60)) for x in (20, 40, 60)]
        bad: dict[str, bytes | Path] = {
            "empty_file": b"",
            "unsupported_format": b"text",
            "truncated": png(corners(300, 300))[:400],
            "image_too_large": png_header(60_000, 60_000),
            "not_found": tmp_path / "none.jpg",
            "not_readable": tmp_path,
        }
        sources = [good[0], *list(bad.values())[:3], good[1], *list(bad.values())[3:], good[2]]
        result = dummy_localizer.localize(sources)
        assert result.mode == "common"
        found = [one.error.code for one in result.images if one.error is not None]
        assert found == list(bad)
        alone = dummy_localizer.localize(good)
        kept = [one for one in result.images if one.error is None]
        assert [one.boxes for one in kept] == [one.boxes for one in alone.images]
        for one in result.images:
            assert (one.error is None) == (one.heatmap is not None) == bool(one.boxes)

    def test_nothing_but_bad_images(self, dummy_localizer: Localizer) -> None:
        result = dummy_localizer.localize([b"", b"text"])
        assert result.mode == "attention"
        assert [one.error is not None for one in result.images] == [True, True]

    def test_empty_set(self, dummy_localizer: Localizer) -> None:
        assert dummy_localizer.localize([]) == SetResult("attention", ())

    def test_blank_set(self, dummy_localizer: Localizer) -> None:
        result = dummy_localizer.localize([png(blank(20, 10, level)) for level in (0, 128, 255)])
        for one in result.images:
            assert (one.boxes, one.confidence, one.contains_common_object, one.error) == ((), 0.0, False, None)
            assert one.heatmap is not None
            assert not one.heatmap.any()

    def test_sources_of_every_kind(self, dummy_localizer: Localizer, tmp_path: Path) -> None:
        content = png(square(160, 80, 40, 20, 100, 60))
        path = tmp_path / "a.png"
        path.write_bytes(content)
        result = dummy_localizer.localize([content, path, io.BytesIO(content)])
        assert result.images[0].boxes == result.images[1].boxes == result.images[2].boxes

    # One an image, and the second look, which is fitted on and with full effort then used for the box; of fewer than 8
    # images no outlines are learnt, and second looks would serve nothing else in `fast`.
    @pytest.mark.parametrize(("effort", "images", "runs"), [("full", 3, 6), ("fast", 3, 3), ("fast", 8, 16)])
    def test_runs_of_the_network(self, dummy_engine: DummyEngine, effort: str, images: int, runs: int) -> None:
        localizer = Localizer(dummy_engine, effort=effort)  # type: ignore[arg-type]
        result = localizer.localize([png(square(160, 80, 10 * x, 20, 10 * x + 60, 60)) for x in range(images)])
        assert dummy_engine.batch_sizes == [1] * runs
        assert result.mode == "common"
        for x, one in enumerate(result.images):
            np.testing.assert_allclose(one.boxes[0].as_tuple(), (10 * x, 20, 10 * x + 60, 60), atol=12)

    @pytest.mark.parametrize(("effort", "images"), [("full", 3), ("full", 8), ("fast", 8)])
    def test_what_was_looked_at_again_needs_no_run(self, dummy_engine: DummyEngine, effort: str, images: int) -> None:
        localizer = Localizer(dummy_engine, effort=effort)  # type: ignore[arg-type]
        prepared = [localizer.prepare(png(square(160, 80, 10 * x, 20, 10 * x + 60, 60))) for x in range(images)]
        features = [localizer.run([one])[0] for one in prepared]
        with ThreadPoolExecutor(2) as pool:
            fitted = localizer.fit_features([one.image for one in prepared], features, pool=pool)
        common = fitted.common
        assert common is not None
        assert (common.outlined is not None) == (images == 8)  # of fewer images outlines are not learnt from
        assert [len(fitted.looks[index]) for index in range(images)] == [1] * images
        runs = len(dummy_engine.batch_sizes)
        first = localizer.finish(prepared[0], features[0], common, looks=fitted.looks[0])
        assert len(dummy_engine.batch_sizes) == runs
        again = localizer.finish(prepared[0], features[0], common)
        assert equal(first, again)
        assert len(dummy_engine.batch_sizes) - runs == (0 if (effort, images) == ("fast", 8) else 1)

    @pytest.mark.parametrize("effort", ["full", "fast"])
    @pytest.mark.parametrize("mode", ["attention", "common"])
    def test_what_is_not_finite_is_the_error_of_its_image(
        self, dummy_engine: DummyEngine, mode: Mode, effort: Effort
    ) -> None:
        localizer = Localizer(dummy_engine, effort=effort)
        good = [png(square(160, 80, x, 20, x + 60, 60)) for x in (20, 40, 60)]
        alone = localizer.localize(good, mode=mode)
        dummy_engine.spoils = lambda one: float(one.max()) < 0.9
        result = localizer.localize([good[0], png(square(160, 80, 20, 20, 80, 60) // 2), *good[1:]], mode=mode)
        assert result.mode == mode
        spoilt = result.images[1]
        assert spoilt.error is not None
        assert (spoilt.error.code, spoilt.boxes, spoilt.heatmap) == ("not_finite", (), None)
        for one, other in zip((result.images[0], *result.images[2:]), alone.images, strict=True):
            assert equal(one, other)

    @pytest.mark.parametrize(("sample", "run", "failed"), [(4, 5, 1), (2, 7, 3)])
    def test_a_second_look_that_is_not_finite_is_too(
        self, dummy_engine: DummyEngine, sample: int, run: int, failed: int
    ) -> None:
        localizer = Localizer(dummy_engine)
        # Runs 0 to 3 are the first looks. Fitted on all four, 4 to 7 are the second looks of the fit; fitted on the
        # first and the third, 4 and 5 are, and 6 and 7 those of `finish` at the second and the fourth.
        localizer.set_sample_size = sample
        dummy_engine.spoils = lambda _: len(dummy_engine.batch_sizes) == run + 1
        result = localizer.localize([png(square(160, 80, x, 20, x + 60, 60)) for x in (20, 40, 60, 80)])
        assert result.mode == "common"
        codes = [None if one.error is None else one.error.code for one in result.images]
        assert codes == ["not_finite" if index == failed else None for index in range(4)]

    def test_a_network_that_gives_nothing_finite_leaves_nothing_to_fit(self, dummy_engine: DummyEngine) -> None:
        dummy_engine.spoils = lambda one: True
        result = Localizer(dummy_engine).localize([png(square(160, 80, x, 20, x + 60, 60)) for x in (20, 40)])
        assert result.mode == "attention"
        assert [one.error is not None and one.error.code for one in result.images] == ["not_finite"] * 2

    def test_large_sets_are_estimated_from_a_sample(self, dummy_engine: DummyEngine) -> None:
        localizer = Localizer(dummy_engine)
        localizer.set_sample_size = 4
        localizer.localize([png(square(64, 64, x, 16, x + 24, 40)) for x in range(0, 36, 4)])
        assert len(dummy_engine.batch_sizes) == 9 + 4 + 5

    def test_what_is_not_finite_does_not_use_up_the_sample(self, dummy_engine: DummyEngine) -> None:
        localizer = Localizer(dummy_engine)
        localizer.set_sample_size = 4
        dummy_engine.spoils = lambda image: float(image.max()) < 0.9
        squares = [square(64, 64, x, 16, x + 24, 40) for x in range(0, 32, 4)]
        result = localizer.localize([png(shown // (2 if x % 2 == 0 else 1)) for x, shown in enumerate(squares)])
        assert result.mode == "common"  # the even ones, of which an evenly spread sample of four consists, are spoilt
        assert [image.error is None for image in result.images] == [False, True] * 4

    def test_a_single_image_has_nothing_in_common(self, dummy_localizer: Localizer) -> None:
        prepared = dummy_localizer.prepare(png(square(64, 64, 16, 16, 40, 40)))
        features = dummy_localizer.run([prepared])
        assert dummy_localizer.fit_features([], []).common is None
        assert dummy_localizer.fit_features([prepared.image], features).mode == "attention"
        with pytest.raises(ValueError, match="as many images as features, got 2 and 1"):
            dummy_localizer.fit_features([prepared.image] * 2, features)

    @pytest.mark.parametrize(
        ("sources", "name"),
        [
            ("one/path.jpg", "str"),
            (Path("one/path.jpg"), type(Path()).__name__),
            (b"encoded", "bytes"),
            (bytearray(b"encoded"), "bytearray"),
            (io.BytesIO(b"encoded"), "BytesIO"),
            (None, "NoneType"),
            (Image.new("RGB", (8, 8)), "Image"),
        ],
    )
    def test_a_single_source_is_no_set(self, dummy_engine: DummyEngine, sources: object, name: str) -> None:
        with pytest.raises(TypeError, match=rf"must be a list, each the encoded bytes .* got a single {name}$"):
            Localizer(dummy_engine).localize(sources)  # type: ignore[arg-type]
        assert dummy_engine.batch_sizes == []

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            (7, "int"),
            (None, "NoneType"),
            ([1, 2], "list"),
            (io.StringIO("text"), "StringIO"),
        ],
    )
    def test_a_source_of_another_type_is_named(self, dummy_localizer: Localizer, source: object, name: str) -> None:
        sources = [png(square(64, 64, 16, 16, 40, 40)), source]
        with pytest.raises(TypeError, match=rf"^sources\[1\] must be the encoded bytes .* or .*, got {name}$"):
            dummy_localizer.localize(sources)  # type: ignore[arg-type]

    def test_sources_may_come_from_a_generator(self, dummy_localizer: Localizer) -> None:
        image = png(square(64, 64, 16, 16, 40, 40))
        result = dummy_localizer.localize(one for one in (image, io.BytesIO(image)))  # type: ignore[arg-type]
        assert [one.error for one in result.images] == [None, None]

    def test_options_are_checked_before_any_work(self, dummy_engine: DummyEngine) -> None:
        localizer = Localizer(dummy_engine)
        sources = [png(square(64, 64, 16, 16, 40, 40))]
        with pytest.raises(ValueError, match="mode must be 'attention' or 'common', got 'both'"):
            localizer.localize(sources, mode="both")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="max_boxes must be at least 1, or 0 for all, got -1"):
            localizer.localize(sources, max_boxes=-1)
        for wrong in ("3", 1.5, True, None):
            with pytest.raises(TypeError, match="max_boxes must be a whole number, at least 1, or 0 for all, got"):
                localizer.localize(sources, max_boxes=wrong)  # type: ignore[arg-type]
        common = objects.PLAIN
        with pytest.raises(ValueError, match="mode 'attention' uses neither hints nor a common object"):
            localizer.localize(sources, mode="attention", common=common)
        with pytest.raises(ValueError, match="mode 'attention' uses neither hints nor a common object"):
            localizer.localize(sources, mode="attention", hints={0: None})
        with pytest.raises(ValueError, match="give hints or a common object, not both"):
            localizer.localize(sources, hints={0: None}, common=common)
        assert dummy_engine.batch_sizes == []

    @pytest.mark.parametrize(("max_boxes", "expected"), [(1, 1), (2, 2), (0, 3)])
    def test_most_boxes_and_all_of_them(self, dummy_localizer: Localizer, max_boxes: int, expected: int) -> None:
        three = square(160, 160, 0, 0, 60, 60) | square(160, 160, 100, 20, 140, 60) | square(160, 160, 40, 100, 80, 140)
        (found,) = dummy_localizer.localize([png(three)], mode="attention", max_boxes=max_boxes).images
        assert len(found.boxes) == expected

    def test_effort_is_checked(self, dummy_engine: DummyEngine) -> None:
        with pytest.raises(ValueError, match="effort must be 'full' or 'fast' or 'thorough', got 'slow'"):
            Localizer(dummy_engine, effort="slow")  # type: ignore[arg-type]

    def test_bad_image_alone_raises_from_prepare(self, dummy_localizer: Localizer) -> None:
        with pytest.raises(ImageError, match="0 bytes"):
            dummy_localizer.prepare(b"")

    def test_missing_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"none\.onnx"):
            Localizer.load(tmp_path / "none.onnx")


class TestExamples:
    """The shipped model on real photographs; floors are about ten points under what was measured."""

    def test_default_model(self, localizer: Localizer) -> None:
        metadata = localizer.engine.metadata
        assert DEFAULT_MODEL == "efficientnet_lite0_ptap.onnx"
        assert (metadata.backbone, metadata.pooling, metadata.channels) == ("tf_efficientnet_lite0", "ptap", 320)

    def test_birds_show_the_common_object_and_the_others_do_not(self, everything: list[ImageResult]) -> None:
        shown = [one.contains_common_object for one in everything]
        assert shown == [True] * len(BIRDS) + [False] * len(WITHOUT)
        # Measured: birds 0.71 to 0.99, the others at most 0.14.
        assert min(one.confidence for one in everything[: len(BIRDS)]) > 0.6
        assert max(one.confidence for one in everything[len(BIRDS) :]) < 0.25

    def test_corloc(self, everything: list[ImageResult]) -> None:
        scores = corloc_of(everything)
        # Measured, with the three images without a bird in the set: 93.3, 86.7, 73.3; one image is 6.7 points.
        assert scores.missing == 0
        assert scores.at[0.3] >= 83
        assert scores.at[0.5] >= 76
        assert scores.at[0.7] >= 63

    def test_corloc_of_one_look(self, localizer: Localizer, looked: Looked) -> None:
        fast = common_results(Localizer(localizer.engine, effort="fast"), looked)
        # Measured: 93.3, 80.0, 46.7.
        assert corloc_of(fast).at[0.5] >= 70
        assert [one.contains_common_object for one in fast] == [True] * len(BIRDS) + [False] * len(WITHOUT)

    def test_corloc_of_the_attention_map_alone(self, localizer: Localizer, looked: Looked) -> None:
        scores = corloc_of(attention_results(localizer, looked))
        # Measured: 86.7, 60.0, 46.7.
        assert scores.at[0.3] >= 76
        assert scores.at[0.5] >= 50

    def test_boxes_lie_in_the_image_and_heat_between_0_and_1(self, everything: list[ImageResult]) -> None:
        for one in everything:
            for box in one.boxes:
                assert 0 <= box.x0 < box.x1 <= one.width
                assert 0 <= box.y0 < box.y1 <= one.height
                assert 0 <= box.score <= 1
            assert one.heatmap is not None
            assert one.heatmap.dtype == np.float32
            assert one.heatmap.shape == (one.height, one.width)
            assert 0 <= one.heatmap.min() <= one.heatmap.max() <= 1

    def test_two_calls_give_the_same(self, localizer: Localizer, few: SetResult) -> None:
        again = localizer.localize(FEW)
        assert all(equal(first, second) for first, second in zip(few.images, again.images, strict=True))

    def test_order_of_the_set_does_not_matter(self, localizer: Localizer, few: SetResult) -> None:
        turned = localizer.localize(FEW[::-1])
        for first, second in zip(few.images, turned.images[::-1], strict=True):
            assert len(first.boxes) == len(second.boxes)
            np.testing.assert_allclose(corners_of(first), corners_of(second), atol=ORDER_TOLERANCE)
            assert first.confidence == pytest.approx(second.confidence, abs=CONFIDENCE_TOLERANCE)

    def test_attention_does_not_depend_on_the_other_images(self, localizer: Localizer) -> None:
        together = localizer.localize(FEW, mode="attention").images
        for path, one in zip(FEW, together, strict=True):
            assert equal(localizer.localize([path], mode="attention").images[0], one)

    def test_a_batch_gives_what_single_images_give(self, localizer: Localizer, looked: Looked) -> None:
        prepared = looked[0][:4]
        for one, batched, alone in zip(prepared, localizer.run(prepared), looked[1], strict=False):
            np.testing.assert_allclose(batched.attention, alone.attention, atol=1e-4 * alone.attention.max())
            boxes = [corners_of(localizer.finish(one, features, None)) for features in (batched, alone)]
            np.testing.assert_allclose(boxes[0], boxes[1], atol=1.0)

    def test_more_boxes_leave_the_best_one(self, localizer: Localizer, few: SetResult, looked: Looked) -> None:
        most = []
        for single, several in (
            (few.images, localizer.localize(FEW, max_boxes=4).images),
            (attention_results(localizer, looked), attention_results(localizer, looked, max_boxes=4)),
        ):
            for first, more in zip(single, several, strict=True):
                assert more.boxes[:1] == first.boxes
                assert len(more.boxes) <= 4
                assert [box.score for box in more.boxes] == sorted((box.score for box in more.boxes), reverse=True)
            most.append(max(len(one.boxes) for one in several))
        assert max(most) > 1

    def test_steps_give_what_localize_gives(self, localizer: Localizer, few: SetResult, looked: Looked) -> None:
        indices = [0, 1, 2, len(BIRDS)]
        prepared, features = ([part[index] for index in indices] for part in looked)
        common = localizer.fit_features([one.image for one in prepared], features).common
        assert common is not None
        for index in (2, 0, 3, 1):  # servers finish in any order
            assert equal(few.images[index], localizer.finish(prepared[index], features[index], common))

    def test_set_of_two_of_a_kind(self, localizer: Localizer) -> None:
        result = localizer.localize([BIRDS[0], BIRDS[0]])
        assert result.mode == "common"
        assert equal(*result.images)
        assert result.images[0].contains_common_object

    def test_set_of_two_with_nothing_in_common(self, localizer: Localizer) -> None:
        result = localizer.localize([BIRDS[0], WITHOUT[0]])
        assert [one.contains_common_object for one in result.images] == [False, False]

    def test_blank_images_only(self, localizer: Localizer) -> None:
        result = localizer.localize([png(blank(80, 60, level)) for level in (0, 128, 255)])
        assert [(one.boxes, one.contains_common_object) for one in result.images] == [((), False)] * 3

    @pytest.mark.parametrize("mode", ["common", "attention"])
    def test_odd_sizes(self, localizer: Localizer, mode: str) -> None:
        stripes = np.tile(np.arange(10, dtype=np.uint8)[:, None, None] * 20, (1, 20_000, 3))
        two = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
        sources = [png(blank(1, 1, 200)), png(stripes), png(two), BIRDS[0], BIRDS[1]]
        result = localizer.localize(sources, mode=mode)  # type: ignore[arg-type]
        assert [(one.width, one.height) for one in result.images[:3]] == [(1, 1), (20_000, 10), (2, 1)]
        for one in result.images:
            assert one.error is None
            for box in one.boxes:
                assert 0 <= box.x0 < box.x1 <= one.width
                assert 0 <= box.y0 < box.y1 <= one.height


SQUARES = [png(square(64, 64, 16, 16, 40, 40)), png(square(64, 64, 8, 24, 32, 48)), png(square(80, 64, 30, 8, 60, 40))]


class TestFit:
    """`fit`, hints, and common objects that were fitted before; over the dummy engine."""

    def test_a_loaded_object_gives_the_boxes_of_the_run_that_fitted_it(
        self, dummy_localizer: Localizer, tmp_path: Path
    ) -> None:
        together = dummy_localizer.localize(SQUARES)
        dummy_localizer.fit(SQUARES).save(tmp_path / "squares.npz")
        common = CommonObject.load(tmp_path / "squares.npz")
        for source, expected in zip(SQUARES, together, strict=True):
            alone = dummy_localizer.localize([source], common=common)
            assert alone.mode == "common"
            assert equal(alone[0], expected)

    def test_it_says_what_it_was_fitted_with_and_on(self, dummy_localizer: Localizer) -> None:
        origin = dummy_localizer.fit([*SQUARES, b"no image"], hints={0: (16, 16, 40, 40), 1: None}).origin
        assert origin is not None
        assert (origin.model, origin.model_sha256, origin.effort) == ("dummy", "0" * 64, "full")
        assert (origin.images, origin.hinted) == (3, 2)

    def test_arrays_and_pil_images_are_sources(self, dummy_localizer: Localizer) -> None:
        arrays = [np.asarray(Image.open(io.BytesIO(source)).convert("RGB")) for source in SQUARES]
        expected = dummy_localizer.localize(SQUARES)
        for sources in (arrays, [Image.fromarray(array) for array in arrays]):
            for one, other in zip(dummy_localizer.localize(sources), expected, strict=True):
                assert equal(one, other)
        with pytest.raises(ValueError, match=r"^sources\[1\]: expected an \(H, W, 3\)"):
            dummy_localizer.localize([arrays[0], np.zeros((4, 4, 3))])

    @pytest.mark.parametrize(
        ("sources", "message"),
        [
            ([], "needs at least two images, and 0 can be used$"),
            ([SQUARES[0]], "needs at least two images, and 1 can be used$"),
            ([SQUARES[0], b"", b"x"], r"1 can be used; 2 cannot be read, such as sources\[1\]: "),
            ([png(blank(64, 64))] * 2, "the 2 images have no common object"),
        ],
    )
    def test_a_set_without_common_object_says_why(
        self, dummy_localizer: Localizer, sources: list[bytes], message: str
    ) -> None:
        with pytest.raises(ObjectError, match=message):
            dummy_localizer.fit(sources)

    def test_hints_come_back_as_the_best_boxes(self, dummy_localizer: Localizer) -> None:
        result = dummy_localizer.localize(SQUARES, hints={0: (15, 15, 41, 41), 2: None})
        assert corners_of(result[0]) == [(15, 15, 41, 41)]
        assert (result[0].scores.tolist(), result[0].confidence) == ([1.0], 1.0)
        assert (len(result[2]), result[2].contains_common_object) == (0, False)

    def test_a_hint_outside_its_image_is_named(self, dummy_localizer: Localizer, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(SQUARES[1])
        sources = [SQUARES[0], tmp_path / "a.png"]
        for work in (dummy_localizer.fit, dummy_localizer.localize):
            with pytest.raises(HintError, match=r"the hint 1,1,65,5 does not lie in '.*a.png', which is 64 x 64"):
                work(sources, hints={tmp_path / "a.png": (1, 1, 65, 5)})

    def test_a_hint_for_an_image_that_cannot_be_read_is_named(self, dummy_localizer: Localizer) -> None:
        hints = {1: (1, 1, 5, 5)}
        result = dummy_localizer.localize([SQUARES[0], b"no image", *SQUARES[1:]], hints=hints)
        assert result[1].error is not None
        assert result[1].error.message.endswith("; the hint 'sources[1]:1,1,5,5' is not used")
        assert result.mode == "common"
        with pytest.raises(HintError, match=r"the hint .* is not used"):
            dummy_localizer.fit([SQUARES[0], b"no image", *SQUARES[1:]], hints=hints)

    def test_hinted_images_belong_to_the_sample(self, dummy_engine: DummyEngine) -> None:
        localizer = Localizer(dummy_engine)
        localizer.set_sample_size = 4
        tried: list[int] = []
        dummy_engine.before_run = tried.append
        origin = localizer.fit(SQUARES * 7, hints={20: (30, 8, 60, 40), 19: None}).origin
        assert origin is not None
        assert (origin.images, origin.hinted) == (4, 2)

    def test_the_object_of_another_model_is_refused_with_both_names(self, dummy_localizer: Localizer) -> None:
        common = dummy_localizer.fit(SQUARES)
        other = Localizer(DummyEngine(sha256="1" * 64))
        with pytest.raises(
            ObjectError, match=r"model 'dummy' \(000000000000\), and this is 'dummy' \(111111111111, fp32\)"
        ):
            other.localize(SQUARES[:1], common=common)
        prepared = other.prepare(SQUARES[0])
        with pytest.raises(ObjectError, match="fit it again"):
            other.finish(prepared, other.run([prepared])[0], common)

    def test_an_object_of_other_features_is_refused(self, dummy_localizer: Localizer) -> None:
        first = objects.PLAIN.first
        wide = replace(objects.PLAIN, first=replace(first, object=replace(first.object, direction=np.ones(9))))
        with pytest.raises(ObjectError, match="features of 9 channels, and 'dummy' has 4"):
            dummy_localizer.localize(SQUARES[:1], common=wide)

    def test_bad_images_do_not_fail_a_set_with_an_object(self, dummy_localizer: Localizer) -> None:
        result = dummy_localizer.localize([b"", SQUARES[0]], common=dummy_localizer.fit(SQUARES))
        assert result[0].error is not None
        assert len(result[1]) == 1


def test_example_photographs_by_a_loaded_object(localizer: Localizer, few: SetResult, tmp_path: Path) -> None:
    localizer.fit(FEW).save(tmp_path / "birds.npz")
    result = localizer.localize(FEW[:1], common=CommonObject.load(tmp_path / "birds.npz"))
    assert equal(result[0], few[0])


def test_a_hinted_part_is_found_by_a_loaded_object(localizer: Localizer, tmp_path: Path) -> None:
    """What a hint taught goes with the file: small parts are looked for by tiles, in images that nobody hinted."""
    sources, box = BIRDS[:2], (150.0, 60.0, 230.0, 140.0)
    expected = localizer.localize(sources, hints={0: box}, max_boxes=0)
    localizer.fit(sources, hints={sources[0]: box}).save(tmp_path / "part.npz")
    common = CommonObject.load(tmp_path / "part.npz")
    assert common.exemplar is not None
    result = localizer.localize(sources[1:2], common=common, max_boxes=0)
    assert equal(result[0], expected[1])
