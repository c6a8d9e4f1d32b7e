"""Looks at overlapping tiles, put together to one fine feature map of the whole image.

A thing of 0.3 % of an image is one or two cells of the map of a look at all of it. Looks at tiles show it as large as
other things are in a whole image (slicing, as SAHI does for detectors).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colocalization.transform import Region

__all__ = ["TileGrid"]

_OVERLAP = 4
"""Cells that neighbouring tiles share: at its rim a look sees padding in place of what lies there."""

_CELLS_OF_OBJECT = 10.0
"""Cells of the grid that the object's side should span: enough to tell its parts, few enough to need few tiles."""


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tiles by `count` x `count`, whose cells lie on one grid.

    Attributes:
        count: Tiles in a row, at least 1; 1 is the look at the whole image.
        cells: Side of a look's map, in cells.

    Example:
        >>> grid = TileGrid(2, 28)
        >>> grid.side, len(grid.regions())
        (52, 4)
    """

    count: int
    cells: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.cells <= _OVERLAP:
            raise ValueError(f"count must be at least 1 and cells above {_OVERLAP}, got {self.count} and {self.cells}")

    @classmethod
    def for_size(cls, side: float, cells: int, most: int) -> "TileGrid":
        """The grid on which an object spans enough cells.

        Args:
            side: Side of the object, as a share of the image's (the root of its share of the area), in (0, 1].
            cells: Side of a look's map.
            most: Most tiles in a row.

        Example:
            >>> TileGrid.for_size(0.5, 28, 6).count, TileGrid.for_size(0.13, 28, 6).count
            (1, 3)
        """
        wanted = (_CELLS_OF_OBJECT / side - cells) / (cells - _OVERLAP)
        return cls(1 + min(max(round(wanted), 0), most - 1), cells)

    @property
    def side(self) -> int:
        """Side of the whole grid, in cells."""
        return self.cells + (self.count - 1) * (self.cells - _OVERLAP)

    def regions(self) -> list[Region]:
        """The tiles, row by row."""
        starts = [index * (self.cells - _OVERLAP) for index in range(self.count)]
        ends = [start + self.cells for start in starts]
        return [
            Region(x0 / self.side, y0 / self.side, x1 / self.side, y1 / self.side)
            for y0, y1 in zip(starts, ends, strict=True)
            for x0, x1 in zip(starts, ends, strict=True)
        ]

    def joined(self, tiles: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Feature maps of the tiles as one; where tiles overlap their mean, weighed by the distance to their rims.

        Args:
            tiles: (C, cells, cells) of each tile, in the order of `regions`.

        Returns:
            (C, side, side) float32.
        """
        if self.count == 1:
            return tiles[0]
        ramp = np.minimum(np.arange(1, self.cells + 1), np.arange(self.cells, 0, -1)).clip(max=_OVERLAP)
        weights = np.outer(ramp, ramp).astype(np.float32)
        total = np.zeros((tiles[0].shape[0], self.side, self.side), dtype=np.float32)
        weight = np.zeros((self.side, self.side), dtype=np.float32)
        step = self.cells - _OVERLAP
        for index, tile in enumerate(tiles):
            y, x = (step * place for place in divmod(index, self.count))
            total[:, y : y + self.cells, x : x + self.cells] += tile * weights
            weight[y : y + self.cells, x : x + self.cells] += weights
        total /= weight
        return total
