"""An engine that tells colours apart, so that an image can hold different things."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colocalization.engine import NetworkOutput
from tests.dummy_engine import INPUT_SIZE, MAP_SIZE, DummyEngine

GREY = 40
"""Level of the background: a dark grey."""


@dataclass
class ColourEngine(DummyEngine):
    """Attention is the brightness of each of 8 x 8 cells, as the dummy engine's; features are its colour and 0.5."""

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Mean colour of each cell."""
        attention = super().run(images).attention
        cell = INPUT_SIZE // MAP_SIZE
        cells = images.reshape(len(images), 3, MAP_SIZE, cell, MAP_SIZE, cell).mean(axis=(3, 5), dtype=np.float64)
        features = np.concatenate([cells, np.full_like(cells[:, :1], 0.5)], axis=1)
        features[~np.isfinite(attention).all(axis=(1, 2))] = np.nan
        return NetworkOutput(attention, features.astype(np.float32))


def painted(side: int, *things: tuple[tuple[int, int, int, int], tuple[int, int, int]]) -> NDArray[np.uint8]:
    """A (side, side, 3) image of dark grey with boxes `x0, y0, x1, y1` of a colour, later ones on top."""
    pixels = np.full((side, side, 3), GREY, dtype=np.uint8)
    for (x0, y0, x1, y1), colour in things:
        pixels[y0:y1, x0:x1] = colour
    return pixels
