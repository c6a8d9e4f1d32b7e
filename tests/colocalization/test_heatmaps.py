"""Heat maps and overlays, pixel by pixel."""

import io

import numpy as np
import pytest
from PIL import Image

from colocalization.boxes import Box
from colocalization.heatmaps import BOX_COLOURS, colorize, encode_png, overlay
from colocalization.transform import Frame
from tests.colocalization.sample_images import blank

WHITE, BLACK = BOX_COLOURS


def test_anchors_of_inferno() -> None:
    found = colorize(np.array([[0.0, 128 / 255, 1.0]], np.float32))
    assert (found.shape, found.dtype) == ((1, 3, 3), np.uint8)
    assert found[0, 0].tolist() == [0, 0, 4]
    assert found[0, 2].tolist() == [252, 255, 164]
    assert np.abs(found[0, 1].astype(int) - [188, 55, 84]).max() <= 1


def test_colours_rise_in_lightness() -> None:
    found = colorize(np.linspace(0, 1, 256, dtype=np.float32)[None])[0]
    lightness = found @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) >= -0.5).all()
    assert lightness[-1] > 240


def test_values_outside_are_clipped() -> None:
    assert np.array_equal(colorize(np.array([[-5.0, 9.0]], np.float32)), colorize(np.array([[0.0, 1.0]], np.float32)))


class TestOverlay:
    IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)

    @pytest.mark.parametrize("heatmap", [None, np.zeros((20, 30), np.float32)], ids=["none", "cold"])
    def test_image_without_heat_and_boxes_is_not_touched(self, heatmap: np.ndarray | None) -> None:
        before = self.IMAGE.copy()
        assert np.array_equal(overlay(self.IMAGE, heatmap), before)
        assert np.array_equal(self.IMAGE, before)

    def test_blend_by_hand(self) -> None:
        found = overlay(blank(2, 1, 100), np.array([[1.0, 0.5]], np.float32), opacity=0.5)
        # Half of 100 and half of (252, 255, 164); then three quarters of 100 and a quarter of inferno's middle.
        assert found[0, 0].tolist() == [176, 178, 132]
        assert np.abs(found[0, 1].astype(int) - [75 + 188 / 4, 75 + 55 / 4, 75 + 84 / 4]).max() <= 1

    def test_opacity_of_one_leaves_nothing_of_the_image_where_it_is_hot(self) -> None:
        found = overlay(self.IMAGE, np.ones((20, 30), np.float32), opacity=1.0)
        assert (found == [252, 255, 164]).all()

    def test_box_is_drawn_on_its_pixels_and_nowhere_else(self) -> None:
        image = blank(40, 30, 100)
        found = overlay(image, None, [Box(5, 6, 25, 20, 0.9)])
        changed = (found != 100).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        # Half-open: the last row and column drawn are 19 and 24.
        assert (rows[0], rows[-1], columns[0], columns[-1]) == (6, 19, 5, 24)
        assert tuple(found[6, 5]) == BLACK
        assert tuple(found[7, 6]) == WHITE
        assert not changed[12:14, 12:18].any()

    def test_best_box_has_the_thicker_line(self) -> None:
        image = blank(100, 50, 100)
        found = overlay(image, None, [Box(2, 2, 40, 48, 0.9), Box(60, 2, 98, 48, 0.5)])
        changed = (found[25] != 100).any(axis=1)
        assert changed[:20].sum() > changed[60:80].sum() > 0

    def test_boxes_are_scaled_to_the_image(self) -> None:
        found = overlay(
            blank(40, 30, 100), None, [Box(50, 60, 250, 200, 0.9)], frame=Frame.over(400, 300, columns=40, rows=30)
        )
        assert np.array_equal(found, overlay(blank(40, 30, 100), None, [Box(5, 6, 25, 20, 0.9)]))

    @pytest.mark.parametrize("box", [(0, 0, 1, 1), (3, 3, 3, 3), (0, 0, 40, 30), (39, 29, 40, 30), (-5, -5, 50, 50)])
    def test_boxes_without_room(self, box: tuple[float, float, float, float]) -> None:
        assert overlay(blank(40, 30), None, [Box(*box, 0.5)]).shape == (30, 40, 3)

    def test_other_size(self) -> None:
        with pytest.raises(ValueError, match=r"heat map is \(30, 20\), the image \(20, 30\)"):
            overlay(self.IMAGE, np.zeros((30, 20), np.float32))


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7)])
def test_png_round_trip(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), pixels)
