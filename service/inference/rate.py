"""How many images a second the service finishes, as a basis for honest promises."""

import math
import time
from collections.abc import Callable

__all__ = ["RateMeter"]


class RateMeter:
    """Images finished per second of work, averaged over about the last hundred.

    Time in which there was no work does not count. Not safe to use from several threads by itself.

    Attributes:
        rate: Images per second, or None before the first measurement.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, memory: float = 100.0) -> None:
        self.rate: float | None = None
        self._clock = clock
        self._keep = math.exp(-1.0 / memory)
        self._images = self._seconds = 0.0
        self._since: float | None = None

    def resume(self) -> None:
        """There is work from now on."""
        if self._since is None:
            self._since = self._clock()

    def pause(self) -> None:
        """There is no work for now."""
        self._since = None

    def finished(self, images: int = 1) -> None:
        """So many images were finished since the last call."""
        now = self._clock()
        elapsed = 0.0 if self._since is None else now - self._since
        self._since = now
        keep = self._keep**images
        self._images = self._images * keep + images
        self._seconds = self._seconds * keep + elapsed
        if self._seconds > 0:
            self.rate = self._images / self._seconds

    def seconds_for(self, images: int) -> float | None:
        """How long so many images will take, in seconds; None before the first measurement."""
        return None if self.rate is None else images / self.rate
