"""From an image to the network's input, and boxes from there back to the image."""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colocalization.boxes import Box

__all__ = ["Frame", "InputTransform", "Region", "Resize"]

Resize = Literal["squash"]
"""How an image becomes square. `squash`: both sides to the input size, the aspect ratio is not kept (PsyNet's test
protocol), so that relative coordinates are the same in the image, the input and the map."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of an image, half-open `x0, y0, x1, y1` as shares of its width and height, in [0, 1].

    Example:
        >>> Region(0.25, 0.0, 0.75, 1.0).in_pixels(100, 50)
        (25, 0, 75, 50)
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 <= 1 and 0 <= self.y0 < self.y1 <= 1):
            raise ValueError(f"a region must lie in [0, 1] and have an area, got {self}")

    def in_pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The whole pixels that the region touches in an image of this size, half-open, at least one."""
        left, top = min(int(self.x0 * width), width - 1), min(int(self.y0 * height), height - 1)
        return left, top, max(left + 1, ceil(self.x1 * width)), max(top + 1, ceil(self.y1 * height))

    def expanded(self, factor: float, smallest: float) -> "Region":
        """The region grown about its centre, as far as the image reaches.

        Args:
            factor: Factor of both sides.
            smallest: Least side before the cut at the image's border, as a share.

        Example:
            >>> Region(0.25, 0.0, 0.5, 0.5).expanded(2.0, 0.25)
            Region(x0=0.125, y0=0.0, x1=0.625, y1=0.75)
        """
        across = max((self.x1 - self.x0) * factor, smallest) / 2
        down = max((self.y1 - self.y0) * factor, smallest) / 2
        x, y = (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2
        return Region(max(0.0, x - across), max(0.0, y - down), min(1.0, x + across), min(1.0, y + down))


@dataclass(frozen=True, slots=True)
class Frame:
    """A grid of pixels or cells laid over an image or a part of it, and a box's way from each to the other.

    The image at its working size lies so over the original (`DecodedImage.frame`), the network's input over the image
    (`InputTransform.frame`), and a map over the region that was looked at.

    Attributes:
        columns: Width of the grid, in cells.
        rows: Height of the grid, in cells.
        left: Left edge of the part, in pixels of the image.
        top: Top edge of the part.
        right: Right edge of the part, beyond its last pixel.
        bottom: Bottom edge of the part, likewise.

    Example:
        >>> frame = Frame.over(100, 50, columns=10, rows=10, region=Region(0.5, 0.0, 1.0, 1.0))
        >>> frame.to_image(Box(0.0, 2.0, 4.0, 10.0, 0.9))
        Box(x0=50.0, y0=10.0, x1=70.0, y1=50.0, score=0.9)
        >>> frame.from_image(Box(50.0, 10.0, 70.0, 50.0, 0.9))
        Box(x0=0.0, y0=2.0, x1=4.0, y1=10.0, score=0.9)
    """

    columns: int
    rows: int
    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.columns < 1 or self.rows < 1 or self.right <= self.left or self.bottom <= self.top:
            raise ValueError(f"a grid must have cells, and the part that it lies over an area, got {self}")

    @classmethod
    def over(cls, width: int, height: int, *, columns: int, rows: int, region: Region | None = None) -> "Frame":
        """A grid over an image of a size, or over the whole pixels of a region of it.

        Args:
            width: Width of the image, in pixels.
            height: Height of the image, in pixels.
            columns: Width of the grid, in cells.
            rows: Height of the grid, in cells.
            region: The part of the image; all of it if left out.
        """
        return cls(columns, rows, *((0, 0, width, height) if region is None else region.in_pixels(width, height)))

    @property
    def across(self) -> float:
        """Pixels of the image in a cell's width."""
        return (self.right - self.left) / self.columns

    @property
    def down(self) -> float:
        """Pixels of the image in a cell's height."""
        return (self.bottom - self.top) / self.rows

    def to_image(self, box: Box) -> Box:
        """A box on the grid, in pixels of the image; rounding may lead a little beyond it (`Box.within`)."""
        across, down, left, top = self.across, self.down, self.left, self.top
        return Box(box.x0 * across + left, box.y0 * down + top, box.x1 * across + left, box.y1 * down + top, box.score)

    def from_image(self, box: Box) -> Box:
        """A box in pixels of the image, on the grid."""
        across, down = self.columns / (self.right - self.left), self.rows / (self.bottom - self.top)
        return Box(
            (box.x0 - self.left) * across,
            (box.y0 - self.top) * down,
            (box.x1 - self.left) * across,
            (box.y1 - self.top) * down,
            box.score,
        )


@dataclass(frozen=True, slots=True)
class InputTransform:
    """Resize and normalisation of the network's input; one class for training's evaluation, export and serving.

    Calling it takes an image there; `frame` takes boxes there and back.

    Attributes:
        size: Side of the square input, in pixels.
        mean: Mean of each channel (R, G, B), in units of [0, 1].
        std: Standard deviation of each channel, in units of [0, 1].
        resize: How the image becomes square.

    Example:
        >>> transform = InputTransform(size=2, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        >>> transform(np.full((4, 6, 3), 255, np.uint8)).max()
        np.float32(1.0)
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Resize = "squash"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size}")
        if len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError(f"mean and std must have a value for each of R, G, B, got {self.mean} and {self.std}")
        if not all(0 <= value <= 1 for value in self.mean):
            raise ValueError(f"every mean must be in [0, 1], got {self.mean}")
        if not all(value > 0 for value in self.std):
            raise ValueError(f"every std must be positive, got {self.std}")
        if self.resize != "squash":
            raise ValueError(f"resize must be 'squash', got {self.resize!r}")

    def __call__(self, rgb: NDArray[np.uint8], region: Region | None = None) -> NDArray[np.float32]:
        """Resize and normalise one image, or a region of it.

        Blocks of whole pixels are averaged as long as the size allows; what is left, a factor below 2, is interpolated
        bilinearly.

        Args:
            rgb: (H, W, 3) uint8 [0, 255].
            region: The part of the image that fills the input; all of it if left out.

        Returns:
            (3, size, size) float32, `(rgb / 255 - mean) / std`.

        Raises:
            ValueError: The array has another shape or type.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"expected an (H, W, 3) uint8 array, got shape {rgb.shape} of {rgb.dtype}")
        frame = self.frame(rgb.shape[1], rgb.shape[0], region)
        rgb = rgb[frame.top : frame.bottom, frame.left : frame.right]
        across, down = max(1, int(frame.across)), max(1, int(frame.down))
        if across > 1 or down > 1:
            rgb = np.asarray(Image.fromarray(rgb).reduce((across, down)))
        side = (self.size, self.size)
        resized = cv2.resize(rgb, side, interpolation=cv2.INTER_LINEAR)
        normalised = np.empty((3, *side), dtype=np.float32)
        for channel, table, out in zip(cv2.split(resized), self._tables(), normalised, strict=True):
            cv2.LUT(channel, table, out)
        return normalised

    def frame(self, width: int, height: int, region: Region | None = None) -> Frame:
        """How the input lies over an image of a size, or over the region of it that fills the input.

        Example:
            >>> transform = InputTransform(size=320, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
            >>> transform.frame(640, 480).to_image(Box(0.0, 160.0, 320.0, 320.0, 1.0))
            Box(x0=0.0, y0=240.0, x1=640.0, y1=480.0, score=1.0)
        """
        return Frame.over(width, height, columns=self.size, rows=self.size, region=region)

    def _tables(self) -> NDArray[np.float32]:
        """(3, 256) float32: what each of a channel's values becomes; looked up, not computed for every pixel."""
        std = np.asarray(self.std, dtype=np.float32)[:, None]
        mean = np.asarray(self.mean, dtype=np.float32)[:, None]
        return np.asarray(np.arange(256, dtype=np.float32) * (np.float32(1 / 255) / std) - mean / std)
