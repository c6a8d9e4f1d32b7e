"""GrabCut from a coarse heat map to an edge in the image."""

import cv2
import numpy as np
import pytest

from colocalization.maps import upsample
from colocalization.outline import refine
from tests.colocalization.sample_images import blank, square


def noisy(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-20, 21, pixels.shape)
    return np.clip(pixels.astype(int) + noise, 0, 255).astype(np.uint8)


def coarse(width: int, height: int) -> np.ndarray:
    """A blurred map of the middle, whose cut at 0.5 is not where the square of the tests ends."""
    cells = np.zeros((6, 6), np.float32)
    cells[1:5, 1:5] = 0.6
    cells[2:4, 2:4] = 1
    return upsample(cells, width, height)


def test_edge_is_found_exactly() -> None:
    image = noisy(square(96, 96, 24, 20, 70, 76))
    heatmap = coarse(96, 96)
    truth = np.zeros((96, 96), dtype=bool)
    truth[20:76, 24:70] = True
    assert (refine(image, heatmap, margin=0.45) == truth).all()
    assert not ((heatmap > 0.5) == truth).all()


def test_sure_pixels_stay() -> None:
    heatmap = coarse(96, 96)
    found = refine(noisy(square(96, 96, 60, 60, 96, 96)), heatmap)  # the colours speak against the map
    assert found[heatmap > 0.75].all()
    assert not found[heatmap < 0.25].any()


def blob(width: int, height: int, edge: float) -> np.ndarray:
    """A round map in the middle that falls from 1 to 0 over so many pixels."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2)
    return np.clip(0.5 + (min(width, height) / 4 - distance) / edge, 0, 1).astype(np.float32)


def test_a_steep_map_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    image, steep = noisy(square(96, 96, 24, 20, 70, 76)), blob(96, 96, 10)
    monkeypatch.setattr(cv2, "grabCut", None)
    # Cut at 0.35 and at 0.65 its boxes are of 51 and 48 pixels, which overlap by 0.89.
    assert np.array_equal(refine(image, steep), steep > 0.5)
    with pytest.raises(TypeError):
        refine(image, blob(96, 96, 60))  # of 66 and 30 pixels: 0.21


@pytest.mark.parametrize("level", [0.0, 0.5, 0.9])
def test_nothing_to_decide(level: float) -> None:
    found = refine(blank(8, 6), np.full((6, 8), level, np.float32))
    assert found.dtype == np.bool_
    assert (found == (level > 0.5)).all()


def test_same_image_same_outline() -> None:
    # Colours that decide nothing, so that the random start of OpenCV's k-means does.
    image, heatmap = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), coarse(64, 64)
    first = refine(image, heatmap, margin=0.45)
    for seed in range(1, 20):
        cv2.setRNGSeed(seed)
        assert np.array_equal(refine(image, heatmap, margin=0.45), first)


@pytest.mark.parametrize(("width", "height"), [(2, 1), (1, 2), (3, 3), (5, 1)])
@pytest.mark.parametrize("colour", [0, 128])
def test_few_pixels_of_one_colour(width: int, height: int, colour: int) -> None:
    heatmap = np.linspace(0.4, 0.6, width * height, dtype=np.float32).reshape(height, width)
    assert refine(blank(width, height, colour), heatmap).shape == (height, width)


def test_image_and_map_are_left_as_they_are() -> None:
    image, heatmap = noisy(square(32, 32, 8, 8, 20, 20)), coarse(32, 32)
    copies = image.copy(), heatmap.copy()
    refine(image, heatmap)
    assert np.array_equal(image, copies[0])
    assert np.array_equal(heatmap, copies[1])


@pytest.mark.parametrize("x", range(0, 80, 10))
def test_flat_colours_leave_something_of_both_sides(x: int) -> None:
    # As of a drawing, by a map of which nothing is sure: half of the object's likelihood, a third of the rest's.
    image = square(160, 80, x, 20, x + 60, 60)
    heatmap = np.where(image[:, :, 0] > 0, 0.7, 0.3).astype(np.float32)
    heatmap = cv2.GaussianBlur(heatmap, (0, 0), 9)
    found = refine(image, heatmap)
    assert 0 < np.count_nonzero(found) < found.size
