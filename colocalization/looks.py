"""Looking: what the network gives for an image, for a region of it, and for tiles over all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from colocalization.engine import Engine
from colocalization.errors import ImageError
from colocalization.maps import cropped
from colocalization.outside_prior import OutsidePrior
from colocalization.tiles import TileGrid
from colocalization.transform import InputTransform, Region

__all__ = ["ImageFeatures", "Looker", "SecondLooks", "check_finite"]


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What the network gives for one look.

    Attributes:
        attention: (h, w) float32.
        features: (C, h, w) float32.
        foreground: (h', w') float32 [0, 1], the prior's map, cut at 0.5; None where there is no prior. With one from
            outside, the mean of the model's own and that.
        outside: (S, S) float32 [0, 1], what a prior from outside alone sees in the whole image; None of regions, and
            where there is none.
        is_finite: Whether all of them is finite. Half precision can overflow on single images.
    """

    attention: NDArray[np.float32]
    features: NDArray[np.float32]
    foreground: NDArray[np.float32] | None = None
    outside: NDArray[np.float32] | None = None
    is_finite: bool = field(init=False)

    def __post_init__(self) -> None:
        maps = (self.attention, self.features, self.foreground, self.outside)
        finite = all(bool(np.isfinite(values).all()) for values in maps if values is not None)
        object.__setattr__(self, "is_finite", finite)


SecondLooks = Mapping[Region, ImageFeatures]
"""What the network gave for regions of an image, so that it need not run over them a second time."""


class Looker:
    """Takes images, or parts of them, through the network.

    Attributes:
        transform: From an image to the network's input.
    """

    def __init__(self, engine: Engine, prior: OutsidePrior | None = None) -> None:
        """Take an engine, and a prior from outside that joins the one that the engine's model may have."""
        self._engine = engine
        self._prior = prior
        self.transform: InputTransform = engine.metadata.transform()

    def run(self, inputs: NDArray[np.float32], images: Sequence[NDArray[np.uint8]] = ()) -> list[ImageFeatures]:
        """Look at whole images, all in one batch.

        Args:
            inputs: (N, 3, S, S) float32, made by `transform`.
            images: The N images, each (H, W, 3) uint8; needed where there is a prior from outside.
        """
        looks = self._run(inputs)
        if self._prior is None:
            return looks
        return [_joined(look, self._prior.map(rgb)) for look, rgb in zip(looks, images, strict=True)]

    def region(self, rgb: NDArray[np.uint8], region: Region, whole: ImageFeatures) -> ImageFeatures:
        """Look at a region of an image; alone in its batch, so that nothing else changes the result.

        A region of all pixels was looked at before: of a tenth of the images of fourteen sets.

        Args:
            rgb: (H, W, 3) uint8.
            region: The region.
            whole: The look at the whole image: of a prior from outside the region's part of its map is taken, since
                such networks see what stands out in all of an image.
        """
        height, width = rgb.shape[:2]
        all_of_it = region.in_pixels(width, height) == (0, 0, width, height)
        look = whole if all_of_it else self._run(self.transform(rgb, region)[None])[0]
        if all_of_it or whole.outside is None:
            return look
        corners = region.x0, region.y0, region.x1, region.y1
        rows, columns = look.attention.shape
        return replace(_joined(look, cropped(whole.outside, corners, columns, rows)), outside=None)

    def _run(self, inputs: NDArray[np.float32]) -> list[ImageFeatures]:
        output = self._engine.run(inputs)
        foreground = [None] * len(inputs) if output.foreground is None else output.foreground
        output.features.flags.writeable = False  # so that what follows from them can be kept, see `descriptors`
        return [
            ImageFeatures(attention, features, prior)
            for attention, features, prior in zip(output.attention, output.features, foreground, strict=True)
        ]

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
        return grid.joined([look.features for look in self._tile_looks(rgb, whole, grid)])

    def whole_by_tiles(self, rgb: NDArray[np.uint8], whole: ImageFeatures, grid: TileGrid) -> ImageFeatures:
        """Attention and features of an image by looks at its tiles, on the one grid of `tiles`; without a prior's map.

        Args:
            rgb: See `tiles`.
            whole: See `tiles`.
            grid: See `tiles`.

        Raises:
            ImageError: What the network gives for a tile is not finite.
        """
        looks = self._tile_looks(rgb, whole, grid)
        return ImageFeatures(
            grid.joined([look.attention[None] for look in looks])[0],
            grid.joined([look.features for look in looks]),
        )

    def _tile_looks(self, rgb: NDArray[np.uint8], whole: ImageFeatures, grid: TileGrid) -> list[ImageFeatures]:
        looks = [whole] if grid.count == 1 else [self.region(rgb, region, whole) for region in grid.regions()]
        for look in looks:
            check_finite(look)
        return looks

    def grid(self, count: int) -> TileGrid:
        """The grid of so many tiles in a row."""
        return TileGrid(count, self._engine.metadata.map_size)


def _joined(look: ImageFeatures, outside: NDArray[np.float32]) -> ImageFeatures:
    """A look with what a prior from outside sees in the same part of the image."""
    if look.foreground is None:
        return replace(look, foreground=outside, outside=outside)
    rows, columns = outside.shape
    own = cropped(look.foreground, (0.0, 0.0, 1.0, 1.0), columns, rows)
    return replace(look, foreground=(own + outside) / np.float32(2), outside=outside)


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
