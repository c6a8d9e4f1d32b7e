"""From a picture to the network's input, and from the input's frame back to the picture."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["InputTransform", "Resize"]

Resize = Literal["squash"]
"""How a picture becomes square. `squash`: both sides to the input size, the aspect ratio is not kept (PsyNet's test
protocol), so that relative coordinates are the same in the picture, the input and the map."""


@dataclass(frozen=True, slots=True)
class InputTransform:
    """Resize and normalisation of the network's input; one class for training's evaluation, export and serving.

    Attributes:
        size: Side of the square input, in pixels.
        mean: Mean of each channel (R, G, B), in units of [0, 1].
        std: Standard deviation of each channel, in units of [0, 1].
        resize: How the picture becomes square.

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
        if any(value <= 0 for value in self.std):
            raise ValueError(f"every std must be positive, got {self.std}")
        if self.resize != "squash":
            raise ValueError(f"resize must be 'squash', got {self.resize!r}")

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Resize (bicubic, antialiased) and normalise one picture.

        Args:
            rgb: (H, W, 3) uint8 [0, 255].

        Returns:
            (3, size, size) float32, `(rgb / 255 - mean) / std`.

        Raises:
            ValueError: The array has another shape or type.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"expected an (H, W, 3) uint8 array, got shape {rgb.shape} of {rgb.dtype}")
        resized = Image.fromarray(rgb).resize((self.size, self.size), Image.Resampling.BICUBIC, reducing_gap=2.0)
        std = np.asarray(self.std, dtype=np.float32)
        scale = np.float32(1 / 255) / std
        shift = np.asarray(self.mean, dtype=np.float32) / std
        normalised = np.asarray(resized, dtype=np.float32) * scale - shift
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))
