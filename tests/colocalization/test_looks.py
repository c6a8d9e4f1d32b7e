"""Looks at regions and tiles, by the cells' brightness."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from colocalization.engine import NetworkOutput
from colocalization.errors import ImageError
from colocalization.looks import ImageFeatures, Looker, check_finite
from colocalization.outside_prior import OutsidePrior
from colocalization.tiles import TileGrid
from colocalization.transform import Region
from tests.colocalization.saliency import write_saliency
from tests.colocalization.sample_images import blank, square
from tests.dummy_engine import DummyEngine


def looked(attention: float = 0.0, features: float = 0.0) -> ImageFeatures:
    return ImageFeatures(np.full((2, 2), attention, np.float32), np.full((3, 2, 2), features, np.float32))


class TestFinite:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_single_value_spoils_a_look(self, value: float) -> None:
        for look in (looked(attention=value), looked(features=value)):
            assert not look.is_finite
            with pytest.raises(ImageError, match="is not finite") as caught:
                check_finite(look)
            assert caught.value.code == "not_finite"

    def test_what_is_finite_passes(self) -> None:
        assert looked().is_finite
        check_finite(looked())


def test_a_batch_is_one_run(dummy_engine: DummyEngine) -> None:
    levels = np.array([0.25, 0.5, 0.75], np.float32)
    looks = Looker(dummy_engine).run(np.broadcast_to(levels[:, None, None, None], (3, 3, 32, 32)).copy())
    assert dummy_engine.batch_sizes == [3]
    assert [float(look.attention.mean()) for look in looks] == pytest.approx([0.25, 0.5, 0.75])
    assert [look.features.shape for look in looks] == [(4, 8, 8)] * 3


def test_a_region_fills_the_input(dummy_engine: DummyEngine) -> None:
    # The right half of the image, of which the left quarter is white: 2 of 8 columns.
    rgb, looker = square(64, 32, 32, 0, 40, 32), Looker(dummy_engine)
    (whole,) = looker.run(looker.transform(rgb)[None])
    dummy_engine.batch_sizes.clear()
    look = looker.region(rgb, Region(0.5, 0.0, 1.0, 1.0), whole)
    np.testing.assert_allclose(look.attention, np.broadcast_to([1, 1, 0, 0, 0, 0, 0, 0], (8, 8)), atol=1e-6)
    assert dummy_engine.batch_sizes == [1]


@pytest.mark.parametrize(
    ("region", "runs"),
    [
        (Region(0.0, 0.0, 1.0, 1.0), 0),
        (Region(0.01, 0.02, 0.99, 0.97), 0),  # touches the last pixel on every side of 64 x 32
        (Region(0.02, 0.0, 1.0, 1.0), 1),  # begins in the second column
    ],
)
def test_a_region_of_all_pixels_was_looked_at_before(dummy_engine: DummyEngine, region: Region, runs: int) -> None:
    looker, rgb = Looker(dummy_engine), square(64, 32, 32, 0, 40, 32)
    (whole,) = looker.run(looker.transform(rgb)[None])
    dummy_engine.batch_sizes.clear()
    look = looker.region(rgb, region, whole)
    assert len(dummy_engine.batch_sizes) == runs
    again = looker.run(looker.transform(rgb, region)[None])[0]
    assert np.array_equal(look.features, again.features)


class TestTiles:
    def test_grid_of_the_networks_map(self, dummy_engine: DummyEngine) -> None:
        assert Looker(dummy_engine).grid(3) == TileGrid(3, 8)

    def test_a_single_tile_is_the_look_at_the_whole_image(self, dummy_engine: DummyEngine) -> None:
        looker, whole = Looker(dummy_engine), looked(features=3)
        assert looker.tiles(blank(8, 8), whole, looker.grid(1)) is whole.features
        assert dummy_engine.batch_sizes == []

    @pytest.mark.parametrize("count", [2, 3])
    def test_cells_are_those_of_the_image(self, dummy_engine: DummyEngine, count: int) -> None:
        looker = Looker(dummy_engine)
        grid = looker.grid(count)
        # A cell of the grid is 8 x 8 pixels, a tile 64 x 64, which is halved for the input.
        levels = np.random.default_rng(0).integers(0, 256, (grid.side, grid.side), dtype=np.uint8)
        rgb = np.repeat(np.kron(levels, np.ones((8, 8), np.uint8))[:, :, None], 3, axis=2)
        found = looker.tiles(rgb, looked(), grid)
        assert dummy_engine.batch_sizes == [1] * count**2  # each alone, so that nothing else changes it
        assert (found.shape, found.dtype) == ((4, grid.side, grid.side), np.float32)
        np.testing.assert_allclose(found[0], levels / 255, atol=1e-5)

    def test_a_tile_that_is_not_finite(self, dummy_engine: DummyEngine) -> None:
        looker = Looker(dummy_engine)
        dummy_engine.spoils = lambda pixels: float(pixels.max()) > 0.9
        with pytest.raises(ImageError, match="is not finite"):
            looker.tiles(square(96, 96, 90, 90, 96, 96), looked(), looker.grid(2))
        assert looker.tiles(blank(96, 96), looked(), looker.grid(2)).shape == (4, 12, 12)

    def test_a_whole_that_is_not_finite(self, dummy_engine: DummyEngine) -> None:
        looker = Looker(dummy_engine)
        with pytest.raises(ImageError, match="is not finite"):
            looker.tiles(blank(8, 8), looked(features=np.nan), looker.grid(1))

    @pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 500), (500, 2)])
    def test_images_smaller_than_their_tiles(self, dummy_engine: DummyEngine, width: int, height: int) -> None:
        looker = Looker(dummy_engine)
        rgb = blank(width, height, 51)
        (whole,) = looker.run(looker.transform(rgb)[None])
        found = looker.tiles(rgb, whole, looker.grid(6))
        np.testing.assert_allclose(found[0], 0.2, atol=1e-5)


class TestPriorFromOutside:
    """One that is the brightness, on 8 x 8 cells, over an image whose left half is white."""

    @pytest.fixture
    def prior(self, tmp_path: Path) -> OutsidePrior:
        return OutsidePrior(write_saliency(tmp_path / "u2net.onnx"), threads=1)

    @pytest.fixture
    def rgb(self) -> np.ndarray:
        return square(64, 64, 0, 0, 32, 64)

    def test_it_alone_is_the_prior_of_a_model_without_one(
        self, dummy_engine: DummyEngine, prior: OutsidePrior, rgb: np.ndarray
    ) -> None:
        looker = Looker(dummy_engine, prior)
        (whole,) = looker.run(looker.transform(rgb)[None], [rgb])
        assert whole.foreground is not None
        assert whole.foreground is whole.outside
        np.testing.assert_allclose(whole.foreground, np.broadcast_to([1, 1, 1, 1, 0, 0, 0, 0], (8, 8)), atol=1e-5)
        right = looker.region(rgb, Region(0.5, 0.0, 1.0, 1.0), whole)
        assert right.outside is None
        assert right.foreground is not None
        assert right.foreground[:, 2:].max() == pytest.approx(0, abs=1e-5)

    def test_it_joins_the_one_that_a_model_has(
        self, dummy_engine: DummyEngine, prior: OutsidePrior, rgb: np.ndarray
    ) -> None:
        own = np.full((1, 4, 4), 0.5, np.float32)
        engine = WithForeground(dummy_engine, own)
        looker = Looker(engine, prior)
        (whole,) = looker.run(looker.transform(rgb)[None], [rgb])
        assert whole.foreground is not None
        expected = np.broadcast_to([0.75] * 4 + [0.25] * 4, (8, 8))
        np.testing.assert_allclose(whole.foreground, expected, atol=1e-5)
        left = looker.region(rgb, Region(0.0, 0.0, 0.5, 1.0), whole)
        assert left.foreground is not None
        np.testing.assert_allclose(left.foreground[:, :6], 0.75, atol=1e-5)

    def test_what_is_not_finite_in_it_spoils_the_look(self) -> None:
        assert not replace(looked(), outside=np.full((2, 2), np.nan, np.float32)).is_finite


class WithForeground:
    """An engine whose model has a prior of its own."""

    def __init__(self, engine: DummyEngine, foreground: np.ndarray) -> None:
        self._engine, self._foreground = engine, foreground
        self.metadata, self.sha256 = engine.metadata, engine.sha256
        self.provider, self.provider_warning = engine.provider, engine.provider_warning

    def run(self, inputs: np.ndarray) -> NetworkOutput:
        return replace(self._engine.run(inputs), foreground=self._foreground)
