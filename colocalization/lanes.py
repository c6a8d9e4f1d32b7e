"""How the service runs the network: in so many lanes, taking turns, whoever asks for it."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from colocalization.engine import Engine, NetworkOutput
from colocalization.metadata import ModelMetadata

__all__ = ["ElasticEngine", "LaneEngine", "Lanes"]


class Lanes:
    """Bounds the runs that go on side by side on a device; who waits longest is next.

    Attributes:
        count: Most runs at one time.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._running: dict[object, float] = {}

    def busy_for(self) -> float:
        """Seconds that the longest of the current runs takes so far; 0 while there is none."""
        with self._changed:
            return time.monotonic() - min(self._running.values()) if self._running else 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a free lane and hold it to the end of the block."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and len(self._running) < self.count)
            self._waiting.popleft()
            self._running[ticket] = time.monotonic()
            self._changed.notify_all()  # there may be a lane for the next one, too
        try:
            yield
        finally:
            with self._changed:
                del self._running[ticket]
                self._changed.notify_all()


class _Wrapped:
    """Says of itself what the engine inside says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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


class LaneEngine(_Wrapped):
    """An engine whose runs take turns in lanes.

    In mode `common` the step over the set and the second look at each image run the network from the scheduler's
    pool, besides its lanes. A lane is given up between two runs, so the images of other requests get their turn.
    """

    def __init__(self, engine: Engine, lanes: Lanes) -> None:
        super().__init__(engine)
        self._lanes = lanes

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Run the network when there is a free lane.

        Args:
            images: (N, 3, S, S) float32, normalised by the model's transform.
        """
        with self._lanes.turn():
            return self._engine.run(images)


class ElasticEngine(_Wrapped):
    """All cores for a run that is alone, fewer for each of several.

    Operators that are split over threads lose some time at every split: runs side by side with a thread each give the
    most images a second, a run in all threads gives a single image soonest. The two give the same numbers.
    """

    def __init__(self, several: Engine, alone: Engine) -> None:
        """Take two engines of one model.

        Args:
            several: Runs while another run goes on.
            alone: Runs where none does.
        """
        super().__init__(several)
        self._alone = alone
        self._lock = threading.Lock()
        self._running = 0

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Run the network.

        Args:
            images: (N, 3, S, S) float32, normalised by the model's transform.
        """
        with self._lock:
            self._running += 1
            engine = self._alone if self._running == 1 else self._engine
        try:
            return engine.run(images)
        finally:
            with self._lock:
                self._running -= 1
