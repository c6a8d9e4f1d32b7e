"""Objects that grow: what is exact is exact, and what is not stays within what docs/method.md states."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from colocalization.boxes import box_iou
from colocalization.common_object import CommonObject
from colocalization.discriminant import ClassStatistics, fisher_discriminant
from colocalization.errors import ObjectError
from colocalization.localizer import Localizer
from colocalization.set_sums import ClassSums, DescriptorRows, SymmetricMatrix
from tests.dummy_engine import DummyEngine

EXAMPLES = sorted(Path("examples/images").glob("*.jpg"))


def rows(seed: int, count: int, channels: int = 6) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(count, channels)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_a_symmetric_matrix_is_whole_again() -> None:
    matrix = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    packed = SymmetricMatrix.of(matrix)
    assert packed.upper.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(packed.full(3), matrix)


def test_sums_in_parts_give_the_discriminant_of_all() -> None:
    def discriminant(parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        classes = ClassStatistics(6), ClassStatistics(6)
        for low, high in parts:
            kept = [ClassSums.of(one).statistics() for one in classes]  # as over a file
            kept[0].add(low)
            kept[1].add(high)
            classes = kept[0], kept[1]
        found = fisher_discriminant(*classes, weight=0.5)
        assert found is not None
        return found.direction

    low, high = rows(1, 300), rows(2, 200) + np.float32(0.3)
    parts = [(low[:100], high[:20]), (low[100:101], high[20:21]), (low[101:], high[21:])]
    np.testing.assert_allclose(discriminant(parts), discriminant([(low, high)]), rtol=1e-4, atol=1e-6)


pytestmark = pytest.mark.timeout(900)  # the real network looks at fifty images


@pytest.fixture(scope="module")
def real() -> Localizer:
    return Localizer.load(threads=1, precision="fp32")  # on every machine the same


@pytest.fixture(scope="module")
def half(real: Localizer) -> CommonObject:
    return real.fit(EXAMPLES[::2], growing=True)


def boxes(localizer: Localizer, common: CommonObject) -> np.ndarray:
    return np.concatenate([one.boxes_array for one in localizer.localize(EXAMPLES[:6], common=common)])


@pytest.mark.slow
def test_fitted_in_parts_is_nearly_fitted_at_once(real: Localizer, half: CommonObject) -> None:
    grown = real.partial_fit(half, EXAMPLES[1::2])
    whole = real.fit(EXAMPLES, growing=True)
    assert grown.sums is not None
    assert whole.sums is not None
    assert grown.origin is not None
    assert (grown.sums.images, grown.origin.images) == (len(EXAMPLES), len(EXAMPLES))
    # Exact: what no label goes into.
    np.testing.assert_allclose(grown.sums.descriptors, whole.sums.descriptors, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(grown.first.prototype.centre, whole.first.prototype.centre, rtol=1e-4, atol=1e-6)
    # Approximate: boxes.
    overlaps = np.diag(box_iou(boxes(real, grown), boxes(real, whole)))
    assert overlaps.mean() > 0.85
    assert overlaps.min() > 0.5


def test_growing_leaves_the_object_itself_and_boxes_as_they_are(
    real: Localizer, half: CommonObject, tmp_path: Path
) -> None:
    plain = real.fit(EXAMPLES[::2])
    assert half.digest == plain.digest == half.without_sums().digest
    assert half.without_sums().to_bytes() == plain.to_bytes()
    half.save(tmp_path / "half.npz")
    assert (tmp_path / "half.npz").stat().st_size < 3 * 2**20
    loaded = CommonObject.load(tmp_path / "half.npz")
    assert loaded.to_bytes() == half.to_bytes()


def test_the_order_of_what_is_added_at_once_does_not_matter(real: Localizer, half: CommonObject) -> None:
    forwards, backwards = (real.partial_fit(half, order) for order in (EXAMPLES[1:5], EXAMPLES[4:0:-1]))
    np.testing.assert_allclose(forwards.first.object.direction, backwards.first.object.direction, rtol=1e-3, atol=1e-5)


def test_what_cannot_grow_is_refused_in_one_line(
    real: Localizer, half: CommonObject, dummy_engine: DummyEngine
) -> None:
    with pytest.raises(ObjectError, match="cannot grow: it was not fitted for it"):
        real.partial_fit(half.without_sums(), EXAMPLES[:1])
    with pytest.raises(ObjectError, match="none of the images can be read, such as sources"):
        real.partial_fit(half, [b"no image"])
    with pytest.raises(ObjectError, match="was fitted with the model"):
        Localizer(dummy_engine).partial_fit(half, EXAMPLES[:1])


def test_sums_that_cannot_be_are_refused(half: CommonObject) -> None:
    sums = half.sums
    assert sums is not None
    low = sums.first.low
    for wrong in (
        replace(sums, first=replace(sums.first, low=replace(low, count=1))),  # fewer than the products say
        replace(sums, first=replace(sums.first, cut=0.1, sure=0.2)),
        replace(sums, foregrounds=DescriptorRows(np.zeros((2, 3), np.float32))),
        replace(sums, first=replace(sums.first, low=replace(low, products=SymmetricMatrix(low.products.upper[1:])))),
        replace(sums, outlined=sums.images + 1),
    ):
        with pytest.raises(ObjectError, match="is no common object"):
            CommonObject.from_bytes(replace(half, sums=wrong).to_bytes())
