"""The network's input from an image, and regions of it."""

from typing import Any

import numpy as np
import pytest

from colocalization.boxes import Box
from colocalization.images import ImageLimits, decode
from colocalization.transform import Frame, InputTransform, Region
from tests.colocalization.sample_images import blank, corners, png

PLAIN: Any = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
IMAGENET = InputTransform(8, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_normalisation_of_each_channel() -> None:
    pixels = blank(20, 10)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = 255, 51, 0
    found = IMAGENET(pixels)
    assert (found.shape, found.dtype, found.flags.c_contiguous) == ((3, 8, 8), np.float32, True)
    for channel, value in enumerate([(1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, -0.406 / 0.225]):
        np.testing.assert_allclose(found[channel], value, rtol=1e-5)


def test_normalisation_is_exact() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    transform = InputTransform(64, IMAGENET.mean, IMAGENET.std)
    std = np.array(transform.std, np.float32)
    expected = pixels.astype(np.float32) * (np.float32(1 / 255) / std) - np.array(transform.mean, np.float32) / std
    assert np.array_equal(transform(pixels), expected.transpose(2, 0, 1))


def test_at_its_own_size_an_image_is_not_changed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    found = InputTransform(8, **PLAIN)(pixels)
    np.testing.assert_allclose(found.transpose(1, 2, 0) * 255, pixels, atol=1e-3)


def test_image_is_squashed_and_keeps_its_corners() -> None:
    found = InputTransform(16, **PLAIN)(corners(640, 20))
    assert found[:, 0, 0].round(2).tolist() == [1, 0, 0]
    assert found[:, 0, -1].round(2).tolist() == [0, 1, 0]
    assert found[:, -1, 0].round(2).tolist() == [0, 0, 1]
    assert found[:, -1, -1].round(2).tolist() == [1, 1, 1]


def test_region_is_what_cropping_gives() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 80, 3), dtype=np.uint8)
    transform = InputTransform(16, **PLAIN)
    found = transform(pixels, Region(0.25, 0.5, 0.75, 1.0))
    assert np.array_equal(found, transform(pixels[20:40, 20:60]))


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        # 6.3 to 20.4 and 9.9 to 27: every pixel that is touched.
        (Region(0.21, 0.33, 0.68, 0.9), (6, 9, 21, 27)),
        (Region(0.999, 0.0, 1.0, 0.001), (29, 0, 30, 1)),
        (Region(0.0, 0.0, 1.0, 1.0), (0, 0, 30, 30)),
    ],
)
def test_region_in_pixels(region: Region, expected: tuple[int, int, int, int]) -> None:
    assert region.in_pixels(30, 30) == expected


def test_a_large_image_is_averaged_before_it_is_interpolated() -> None:
    # Columns alternate: taken one by one they would be black or white, of the average all are grey.
    pixels = np.zeros((32, 256, 3), np.uint8)
    pixels[:, ::2] = 255
    found = InputTransform(16, **PLAIN)(pixels)
    np.testing.assert_allclose(found, 0.5, atol=0.01)


def test_a_small_image_is_interpolated_bilinearly() -> None:
    pixels = np.array([[[0, 0, 0], [200, 100, 40]]], np.uint8)
    found = InputTransform(4, **PLAIN)(pixels)
    # Centres of the four columns lie at -0.25, 0.25, 0.75 and 1.25 of the way between the two pixels.
    np.testing.assert_allclose(found[0] * 255, np.tile([0, 50, 150, 200], (4, 1)), atol=0.51)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_thin_images_and_parts_of_a_pixel(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 102, np.uint8)
    transform = InputTransform(8, **PLAIN)
    for region in (None, Region(0.0, 0.0, 0.25, 0.25)):
        np.testing.assert_allclose(transform(pixels, region), 0.4, atol=1e-6)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected an \(H, W, 3\) uint8 array, got shape"):
        IMAGENET(pixels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "size must be at least 1 pixel, got 0"),
        ({"std": (1.0, 0.0, 1.0)}, "every std must be positive"),
        ({"std": (1.0, float("nan"), 1.0)}, "every std must be positive"),
        ({"mean": (0.5, 0.5)}, "a value for each of R, G, B"),
        ({"std": (0.5,)}, "a value for each of R, G, B"),
        ({"mean": (0.5, 0.5, 127.0)}, r"every mean must be in \[0, 1\]"),
        ({"resize": "crop"}, "resize must be 'squash', got 'crop'"),
    ],
)
def test_settings_are_checked(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InputTransform(**{"size": 8, **PLAIN, **changes})


@pytest.mark.parametrize(
    "corners", [(0.5, 0, 0.5, 1), (0, 0.6, 1, 0.5), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (float("nan"), 0, 1, 1)]
)
def test_region_outside_or_empty(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\] and have an area"):
        Region(*corners)


@pytest.mark.parametrize(
    ("region", "factor", "smallest", "expected"),
    [
        # Grown about the centre (0.5, 0.5): half sides 0.1 * 2 and 0.2 * 2.
        ((0.4, 0.3, 0.6, 0.7), 2.0, 0.0, (0.3, 0.1, 0.7, 0.9)),
        # Cut at the border.
        ((0.0, 0.3, 0.2, 0.7), 2.0, 0.0, (0.0, 0.1, 0.3, 0.9)),
        # The least side, about the centre.
        ((0.49, 0.49, 0.51, 0.51), 1.0, 0.25, (0.375, 0.375, 0.625, 0.625)),
        ((0.0, 0.0, 1.0, 1.0), 1.25, 0.25, (0.0, 0.0, 1.0, 1.0)),
    ],
)
def test_expanded(
    region: tuple[float, ...], factor: float, smallest: float, expected: tuple[float, float, float, float]
) -> None:
    found = Region(*region).expanded(factor, smallest)
    np.testing.assert_allclose((found.x0, found.y0, found.x1, found.y1), expected, atol=1e-12)


WHOLE_TO_HALF = Frame(50, 20, 0, 0, 100, 80)  # 2 pixels across, 4 down


class TestFrame:
    def test_there_and_back(self) -> None:
        box = Box(1, 2, 3, 5, 0.25)
        assert WHOLE_TO_HALF.to_image(box) == Box(2, 8, 6, 20, 0.25)
        assert WHOLE_TO_HALF.from_image(WHOLE_TO_HALF.to_image(box)) == box

    def test_region_takes_whole_pixels(self) -> None:
        # Of 10 x 10 pixels a third from 2.5 to 5.8: those from 2 to 6.
        frame = Frame.over(10, 10, columns=8, rows=4, region=Region(0.25, 0.25, 0.58, 0.58))
        assert (frame.left, frame.top, frame.right, frame.bottom) == (2, 2, 6, 6)
        assert frame.to_image(Box(0, 0, 8, 4, 1)) == Box(2, 2, 6, 6, 1)
        assert frame.to_image(Box(2, 1, 4, 2, 1)) == Box(3, 3, 4, 4, 1)
        assert frame.from_image(Box(3, 3, 4, 4, 1)) == Box(2, 1, 4, 2, 1)

    def test_network_input(self) -> None:
        frame = InputTransform(size=8, **PLAIN).frame(16, 4)
        assert frame.to_image(Box(0, 0, 8, 8, 1)) == Box(0, 0, 16, 4, 1)
        assert (frame.across, frame.down) == (2.0, 0.5)

    def test_working_size_over_the_original(self) -> None:
        found = decode(png(corners(480, 320)), ImageLimits(working_side=48))
        assert found.frame == Frame(48, 32, 0, 0, 480, 320)
        assert found.frame.to_image(Box(24, 0, 48, 16, 1)) == Box(240, 0, 480, 160, 1)

    def test_content_lands_where_the_frame_says(self) -> None:
        # The lower right quarter is white: in the input of a region, and back.
        pixels = np.zeros((40, 80, 3), np.uint8)
        pixels[20:, 40:] = 255
        transform = InputTransform(size=20, **PLAIN)
        region = Region(0.25, 0.25, 1.0, 1.0)
        seen = np.argwhere(transform(pixels, region)[0] > transform(pixels)[0].mean())
        (y0, x0), (y1, x1) = seen.min(axis=0), seen.max(axis=0) + 1
        back = transform.frame(80, 40, region).to_image(Box(float(x0), float(y0), float(x1), float(y1), 1))
        np.testing.assert_allclose(back.as_tuple(), (40, 20, 80, 40), atol=3.0)

    @pytest.mark.parametrize("sides", [(0, 1, 0, 0, 1, 1), (1, 1, 2, 0, 2, 1), (1, 1, 0, 3, 1, 2)])
    def test_nothing_to_lie_over(self, sides: tuple[int, int, int, int, int, int]) -> None:
        with pytest.raises(ValueError, match="a grid must have cells"):
            Frame(*sides)
