"""Tiles: their geometry by hand, and that joining them gives back what they are cut from."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from colocalization.tiles import TileGrid

OVERLAP = 4


class TestGeometry:
    def test_two_by_two_of_eight_cells(self) -> None:
        grid = TileGrid(2, 8)
        assert grid.side == 12  # 8 and 8, of which 4 are shared
        found = [(12 * region.x0, 12 * region.y0, 12 * region.x1, 12 * region.y1) for region in grid.regions()]
        expected = [(0, 0, 8, 8), (4, 0, 12, 8), (0, 4, 8, 12), (4, 4, 12, 12)]  # row by row
        np.testing.assert_allclose(found, expected, atol=1e-12)

    def test_a_single_tile_is_the_whole_image(self) -> None:
        grid = TileGrid(1, 28)
        (region,) = grid.regions()
        assert (grid.side, region.x0, region.y0, region.x1, region.y1) == (28, 0, 0, 1, 1)

    @given(st.integers(1, 12), st.integers(OVERLAP + 1, 40))
    def test_tiles_cover_the_grid_and_neighbours_share_four_cells(self, count: int, cells: int) -> None:
        grid = TileGrid(count, cells)
        regions = grid.regions()
        assert len(regions) == count**2
        first_row = regions[:count]
        assert (first_row[0].x0, first_row[-1].x1, regions[-1].y1) == (0, 1, 1)
        for left, right in pairwise(first_row):
            assert (left.x1 - right.x0) * grid.side == pytest.approx(OVERLAP)
        for region in regions:
            assert (region.x1 - region.x0) * grid.side == pytest.approx(cells)
            assert (region.y1 - region.y0) * grid.side == pytest.approx(cells)

    @pytest.mark.parametrize(("count", "cells"), [(0, 28), (-1, 28), (2, 4), (2, 0)])
    def test_what_is_no_grid(self, count: int, cells: int) -> None:
        with pytest.raises(ValueError, match=f"count must be at least 1 and cells above 4, got {count} and {cells}"):
            TileGrid(count, cells)


class TestForSize:
    @given(st.floats(1e-3, 1), st.floats(1e-3, 1), st.integers(1, 8))
    def test_smaller_objects_have_as_many_tiles_or_more_up_to_the_most(
        self, first: float, second: float, most: int
    ) -> None:
        small, large = (TileGrid.for_size(side, 28, most).count for side in sorted((first, second)))
        assert 1 <= large <= small <= most

    def test_a_large_object_needs_one_look_and_a_speck_all_tiles(self) -> None:
        assert TileGrid.for_size(1.0, 28, 6) == TileGrid(1, 28)
        assert TileGrid.for_size(0.001, 28, 6) == TileGrid(6, 28)

    def test_finer_maps_need_fewer_tiles(self) -> None:
        assert TileGrid.for_size(0.1, 56, 6).count < TileGrid.for_size(0.1, 28, 6).count


class TestJoined:
    def test_a_single_tile_is_itself(self) -> None:
        tile = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
        assert TileGrid(1, 8).joined([tile]) is tile

    def test_mean_weighed_by_the_distance_to_the_rims(self) -> None:
        grid = TileGrid(2, 8)
        tiles = [np.full((1, 8, 8), value, np.float32) for value in (0, 1, 0, 1)]  # 0 on the left, 1 on the right
        joined = grid.joined(tiles)
        assert (joined.shape, joined.dtype) == ((1, 12, 12), np.float32)
        # In the four shared columns the left tile weighs 4, 3, 2, 1 and the right one 1, 2, 3, 4.
        expected = [0, 0, 0, 0, 1 / 5, 2 / 5, 3 / 5, 4 / 5, 1, 1, 1, 1]
        np.testing.assert_allclose(joined, np.broadcast_to(expected, (1, 12, 12)), atol=1e-6)

    def test_tiles_lie_row_by_row(self) -> None:
        joined = TileGrid(2, 8).joined([np.full((1, 8, 8), value, np.float32) for value in (0, 1, 2, 3)])[0]
        assert [joined[0, 0], joined[0, -1], joined[-1, 0], joined[-1, -1]] == [0, 1, 2, 3]
        # Where all four meet their weights are products: 4 and 1 a fifth and four fifths in each direction.
        assert joined[4, 4] == pytest.approx(0.8 * 0.2 * 1 + 0.2 * 0.8 * 2 + 0.2 * 0.2 * 3)

    @given(st.integers(1, 5), st.integers(OVERLAP + 1, 12), st.integers(0, 99))
    def test_tiles_cut_from_a_map_give_the_map(self, count: int, cells: int, seed: int) -> None:
        grid = TileGrid(count, cells)
        whole = np.random.default_rng(seed).standard_normal((2, grid.side, grid.side)).astype(np.float32)
        step = cells - OVERLAP
        tiles = [
            whole[:, step * row : step * row + cells, step * column : step * column + cells]
            for row in range(count)
            for column in range(count)
        ]
        np.testing.assert_allclose(grid.joined(tiles), whole, atol=1e-5)

    def test_tiles_are_left_as_they_are(self) -> None:
        tiles = [np.ones((2, 8, 8), np.float32) for _ in range(4)]
        TileGrid(2, 8).joined(tiles)
        assert all((tile == 1).all() for tile in tiles)
