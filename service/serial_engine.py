"""One run of the network at a time on a device, whoever asks for it."""

import threading

import numpy as np
from numpy.typing import NDArray

from colocalization.engine import Engine, NetworkOutput
from colocalization.metadata import ModelMetadata

__all__ = ["SerialEngine"]


class SerialEngine:
    """An engine whose runs wait for each other.

    In mode `common` the step over the set and the second look at each picture run the network from the scheduler's
    pool, besides its lane. Each run takes all threads of the device; side by side they would only get in each other's
    way. The lock is given up between two runs, so the pictures of other requests get their turn.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()

    @property
    def metadata(self) -> ModelMetadata:
        """What the model says about itself."""
        return self._engine.metadata

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the model file."""
        return self._engine.sha256

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return self._engine.provider

    @property
    def provider_warning(self) -> str | None:
        """Why the provider is not the one hoped for, or None."""
        return self._engine.provider_warning

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Run the network when it is free.

        Args:
            images: (N, 3, S, S) float32, normalised by the model's transform.
        """
        with self._turn:
            return self._engine.run(images)
