"""Looking: what the network gives for an image, for a region of it, and for tiles over all of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from colocalization.engine import Engine
from colocalization.errors import ImageError
from colocalization.tiles import TileGrid
from colocalization.transform import InputTransform, Region

__all__ = ["ImageFeatures", "Looker", "SecondLooks", "check_finite"]


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What the network gives for one look.

    Attributes:
        attention: (h, w) float32.
        features: (C, h, w) float32.
        is_finite: Whether all of both is finite. Half precision can overflow on single images.
    """

    attention: NDArray[np.float32]
    features: NDArray[np.float32]
    is_finite: bool = field(init=False)

    def __post_init__(self) -> None:
        finite = bool(np.isfinite(self.attention).all() and np.isfinite(self.features).all())
        object.__setattr__(self, "is_finite", finite)


SecondLooks = Mapping[Region, ImageFeatures]
"""What the network gave for regions of an image, so that it need not run over them a second time."""


class Looker:
    """Takes images, or parts of them, through the network.

    Attributes:
        transform: From an image to the network's input.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.transform: InputTransform = engine.metadata.transform()

    def run(self, inputs: NDArray[np.float32]) -> list[ImageFeatures]:
        """What the network gives for (N, 3, S, S) float32 inputs, all in one batch."""
        output = self._engine.run(inputs)
        return [ImageFeatures(a, f) for a, f in zip(output.attention, output.features, strict=True)]

    def region(self, rgb: NDArray[np.uint8], region: Region) -> ImageFeatures:
        """Look at a region of an (H, W, 3) uint8 image; alone in its batch, so that nothing else changes the result."""
        return self.run(self.transform(rgb, region)[None])[0]

    def tiles(self, rgb: NDArray[np.uint8], whole: ImageFeatures, grid: TileGrid) -> NDArray[np.float32]:
        """The feature map of an image by looks at its tiles.

        Args:
            rgb: (H, W, 3) uint8.
            whole: The look at the whole image, which is the one tile of a grid of one.
            grid: The tiles.

        Returns:
            (C, side, side) float32, see `TileGrid`.

        Raises:
            ImageError: What the network gives for a tile is not finite.
        """
        looks = [whole] if grid.count == 1 else [self.region(rgb, region) for region in grid.regions()]
        for look in looks:
            check_finite(look)
        return grid.joined([look.features for look in looks])

    def grid(self, count: int) -> TileGrid:
        """The grid of so many tiles in a row."""
        return TileGrid(count, self._engine.metadata.map_size)


def check_finite(features: ImageFeatures) -> None:
    """Refuse what is not finite.

    Raises:
        ImageError: It is not.
    """
    if not features.is_finite:
        raise ImageError(
            "not_finite",
            "what the network gives for the image is not finite (NaN or infinity): the model is damaged, or its "
            "precision too low for this image",
        )
