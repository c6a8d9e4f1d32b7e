"""An engine without a network, so that everything around it can be tested quickly and by hand.

The attention map is the mean brightness of each cell, so a white square on black gives a box at the square.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from colocalization.engine import NetworkOutput
from colocalization.metadata import ModelMetadata

INPUT_SIZE, MAP_SIZE, CHANNELS = 32, 8, 4

METADATA = ModelMetadata(
    name="dummy",
    version="0.0.0",
    backbone="none",
    feature_map="brightness",
    pooling="avg",
    k=1.0,
    gate=False,
    input_size=INPUT_SIZE,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    resize="squash",
    channels=CHANNELS,
    map_size=MAP_SIZE,
    precision="fp32",
    licence="Apache-2.0",
    training_data="none",
)


@dataclass
class DummyEngine:
    """Gives the brightness of each cell as attention, and multiples of it and of its complement as features.

    Attributes:
        delay_s: Seconds that one run takes.
        before_run: Called with the number of images before each run; may raise or block.
        spoils: Tells of a (3, S, S) input whether what comes out for it is NaN.
        batch_sizes: Number of images of each run so far.
    """

    metadata: ModelMetadata = METADATA
    sha256: str = "0" * 64
    provider: str = "CPUExecutionProvider"
    provider_warning: str | None = None
    delay_s: float = 0.0
    before_run: Callable[[int], None] | None = None
    spoils: Callable[[NDArray[np.float32]], bool] | None = None
    batch_sizes: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Mean brightness of each of the 8 x 8 cells."""
        if self.before_run is not None:
            self.before_run(len(images))
        if self.delay_s:
            time.sleep(self.delay_s)
        with self._lock:
            self.batch_sizes.append(len(images))
        cell = INPUT_SIZE // MAP_SIZE
        cells = images.reshape(len(images), 3, MAP_SIZE, cell, MAP_SIZE, cell)
        attention = cells.mean(axis=(1, 3, 5), dtype=np.float64).astype(np.float32)
        if self.spoils is not None:
            attention[[self.spoils(one) for one in images]] = np.nan
        features = np.stack([attention, 2 * attention, 1 - attention, 0.5 + 0 * attention], axis=1)
        return NetworkOutput(attention, features.astype(np.float32))
