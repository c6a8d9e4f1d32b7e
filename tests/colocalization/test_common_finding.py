"""How much work the best box takes: counted in runs of an engine that tells colours apart."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from colocalization.boxes import Box
from colocalization.common_finding import find_common, looks_for
from colocalization.common_object import CommonObject
from colocalization.extent import Extent, confirmed, joined
from colocalization.localizer import Localizer, PreparedImage
from colocalization.looks import ImageFeatures, Looker
from tests.colocalization.colour_engine import ColourEngine, painted

WHITE = (255, 255, 255)
PLACES = [(20 + 8 * n, 60, 120 + 8 * n, 160) for n in range(12)]


def square_shares(box: tuple[int, int, int, int], cells: int = 32) -> NDArray[np.float32]:
    """What a prior would see of a box in an image of 256 pixels: 1 inside, 0 around."""
    shares = np.zeros((cells, cells), np.float32)
    x0, y0, x1, y1 = (value * cells // 256 for value in box)
    shares[y0:y1, x0:x1] = 1
    return shares


class Seen:
    """A set of twelve white squares, fitted with the prior's help; and how often the engine has run since."""

    def __init__(self) -> None:
        self.engine = ColourEngine()
        localizer = Localizer(self.engine)
        self.looker = Looker(self.engine)
        self.prepared: list[PreparedImage] = [localizer.prepare(painted(256, (box, WHITE))) for box in PLACES]
        self.features: list[ImageFeatures] = [
            replace(localizer.run([one])[0], foreground=square_shares(box))
            for one, box in zip(self.prepared, PLACES, strict=True)
        ]
        fitted = localizer.fit_features([one.image for one in self.prepared], self.features)
        assert fitted.common is not None
        self.common: CommonObject = replace(fitted.common, prior="joins")
        self.engine.batch_sizes.clear()

    def find(self, foreground: NDArray[np.float32] | None, most: int = 1, *, again: bool = True) -> Extent:
        features = replace(self.features[3], foreground=foreground)
        return find_common(self.looker, self.prepared[3].image, features, self.common, {}, most, again=again)

    @property
    def looks(self) -> int:
        return sum(self.engine.batch_sizes)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def test_what_the_prior_confirms_is_not_looked_at_again(seen: Seen) -> None:
    found = seen.find(square_shares(PLACES[3]))
    assert seen.looks == 0
    np.testing.assert_allclose(found.boxes[0].as_tuple(), PLACES[3], atol=16)


@pytest.mark.parametrize("elsewhere", [(0, 0, 60, 60), (44, 60, 80, 160)])
def test_what_it_does_not_confirm_is(seen: Seen, elsewhere: tuple[int, int, int, int]) -> None:
    found = seen.find(square_shares(elsewhere))
    assert seen.looks == 1
    assert len(found.boxes) == 1


def test_without_a_prior_every_image_is_looked_at_again(seen: Seen) -> None:
    seen.find(None)
    assert seen.looks == 1
    seen.common = replace(seen.common, prior=None)
    seen.find(square_shares(PLACES[3]))
    assert seen.looks == 2


def test_fast_effort_never_looks_again(seen: Seen) -> None:
    seen.find(square_shares((0, 0, 60, 60)), again=False)
    assert seen.looks == 0


def test_a_map_is_not_asked_about_twice(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """With effort `fast` the map of the last resort is that of the first look, which was not confirmed before."""
    asked: list[int] = []
    monkeypatch.setattr(
        "colocalization.common_finding.confirmed", lambda boxes, _prior, _least: bool(asked.append(len(boxes)))
    )
    seen.find(square_shares(PLACES[3]), again=False)
    assert asked == [1]
    seen.find(square_shares(PLACES[3]))
    assert asked == [1, 1, 1]


def test_best_box_does_not_depend_on_how_many_are_asked_for(seen: Seen) -> None:
    for foreground in (square_shares(PLACES[3]), square_shares((0, 0, 60, 60)), None):
        alone, several = seen.find(foreground, 1), seen.find(foreground, 5)
        assert several.boxes[0].as_tuple() == alone.boxes[0].as_tuple()


def test_known_looks_are_not_taken_again(seen: Seen) -> None:
    features = replace(seen.features[3], foreground=None)
    first = looks_for(seen.looker, seen.prepared[3].image, features, seen.common, {}, 1)
    region = first[0][0]
    known = {region: seen.looker.region(seen.prepared[3].image.rgb, region, features)}
    taken = seen.looks
    second = looks_for(seen.looker, seen.prepared[3].image, features, seen.common, known, 1)
    assert seen.looks == taken
    np.testing.assert_array_equal(first[0][1], second[0][1])


def test_a_box_is_confirmed_by_any_of_the_priors() -> None:
    box = [Box(0, 0, 10, 10, 0.9)]
    other, same = Box(50, 50, 60, 60, 0.9), Box(0, 0, 10, 7, 0.5)
    assert confirmed(box, [other, same], 0.7)
    assert not confirmed(box, [other, same], 0.71)
    assert not confirmed(box, [other], 0.1)
    assert not confirmed([], [same], 0.1)
    assert not confirmed(box, [], 0.1)


def test_joined_extents_keep_each_object_once() -> None:
    first = Extent((Box(0, 0, 10, 10, 0.6),), np.array([[0.5, 0.0]], np.float32))
    second = Extent((Box(0, 0, 10, 9, 0.9), Box(20, 0, 30, 10, 0.8)), np.array([[0.4, 0.7]], np.float32))
    both = joined(first, second, 5)
    assert both.boxes == (Box(0, 0, 10, 10, 0.6), Box(20, 0, 30, 10, 0.6))
    np.testing.assert_array_equal(both.heatmap, np.array([[0.5, 0.7]], np.float32))
    assert joined(first, second, 1).boxes == first.boxes
