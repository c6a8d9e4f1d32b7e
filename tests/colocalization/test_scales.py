"""Whether a set's things are small or many: maps drawn by hand, and sets through the network of colours."""

import numpy as np
import pytest

from colocalization.fitting import FittedSet
from colocalization.results import Effort, Scale
from colocalization.scales import scale_of, view_parts
from tests.colocalization import objects
from tests.colocalization.colour_engine import painted
from tests.colocalization.test_fitting import WHITE, Set, is_taught, overlap


def drawn(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A map of 40 x 40 cells, 0.9 in boxes `x0, y0, x1, y1` and 0.1 around."""
    scores = np.full((40, 40), 0.1, np.float32)
    for x0, y0, x1, y1 in boxes:
        scores[y0:y1, x0:x1] = 0.9
    return scores


MANY = drawn((2, 2, 8, 8), (14, 2, 20, 8), (2, 20, 8, 26), (24, 24, 30, 30))
ONE = drawn((5, 5, 30, 30), (34, 34, 37, 37))


def test_many_parts_of_one_size_ask_for_tiles() -> None:
    view = view_parts([MANY] * 6)
    assert view.dominance == pytest.approx(1 / 4, abs=0.01)
    assert view.alike == 4
    assert view.asks_for_tiles
    assert len(view.examples) == 3  # the better half
    x0, y0, x1, y1 = view.examples[0]
    assert (x1 - x0, y1 - y0) == pytest.approx((6 / 40, 6 / 40), abs=0.02)


def test_one_large_part_does_not() -> None:
    """625 cells of 634."""
    view = view_parts([ONE] * 6)
    assert view.dominance == pytest.approx(625 / 634, abs=0.01)
    assert not view.asks_for_tiles


def test_parts_at_the_border_are_no_examples() -> None:
    view = view_parts([drawn((0, 0, 6, 6), (34, 10, 40, 16), (10, 34, 16, 40))] * 6)
    assert not view.examples
    assert not view.asks_for_tiles


def test_parts_that_few_images_show_are_not_enough() -> None:
    assert not view_parts([MANY] * 2 + [drawn()] * 6).asks_for_tiles


def test_scale_that_hints_have_chosen() -> None:
    assert scale_of(None) is None
    assert scale_of(objects.PLAIN) is None
    scale = scale_of(objects.WHOLE)
    assert scale is not None
    assert scale.tiles == 3
    assert scale.text == "3 x 3 tiles an image: what was drawn by hand has 11 % of their image's side"


def test_nothing_found() -> None:
    assert not view_parts([drawn()] * 3).asks_for_tiles


PLACES = [(20 + 60 * (place % 4), 20 + 60 * (place // 4)) for place in range(16)]


def flock(index: int) -> np.ndarray:
    """Nine small squares at places that differ from image to image."""
    random = np.random.default_rng(index)
    chosen = [PLACES[place] for place in random.permutation(16)[:9]]
    return painted(256, *(((x, y, x + 22, y + 22), WHITE) for x, y in chosen))


def fitted(images: list[np.ndarray], effort: Effort) -> tuple[Set, FittedSet]:
    through = Set(images, effort)
    return through, through.fit({})


def test_a_set_of_many_small_things_teaches_itself() -> None:
    images, common = fitted([flock(index) for index in range(12)], "thorough")
    assert is_taught(common)
    assert common.common is not None
    assert common.common.origin is not None
    assert (common.common.origin.effort, common.common.origin.hinted) == ("thorough", 0)
    scale = scale_of(common.common)
    assert scale is not None
    assert (scale.tiles, scale.side) == (3, pytest.approx(22 / 256, abs=0.05))
    assert "many parts of one size" in scale.text
    found = images.finish(common, 3, most=20)
    assert found.contains_common_object
    assert 7 <= len(found) <= 11
    truth = [(x, y, x + 22, y + 22) for x, y in PLACES]
    for index in range(len(found)):
        assert max(overlap(found[index], box) for box in truth) > 0.5


def test_full_effort_does_not_look_at_tiles() -> None:
    images, common = fitted([flock(index) for index in range(12)], "full")
    assert not is_taught(common)
    assert len(images.engine.batch_sizes) <= 12  # one second look an image


def test_a_set_of_one_large_thing_is_found_as_with_full_effort() -> None:
    pictures = [painted(256, ((40 + 4 * n, 60, 160 + 4 * n, 180), WHITE)) for n in range(12)]
    (thorough, by_thorough), (full, by_full) = fitted(pictures, "thorough"), fitted(pictures, "full")
    assert not is_taught(by_thorough)
    assert scale_of(by_full.common) is None
    assert scale_of(by_thorough.common) == Scale(
        1, None, "one look at the whole image: tiles show no many parts of one size"
    )
    # At most 12 images by 9 tiles more, whatever the size of the set.
    assert len(thorough.engine.batch_sizes) <= len(full.engine.batch_sizes) + 12 * 9
    for index in range(12):
        assert thorough.finish(by_thorough, index).boxes == full.finish(by_full, index).boxes
