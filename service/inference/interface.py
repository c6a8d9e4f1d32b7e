"""What the scheduler promises, takes and tells."""

from dataclasses import dataclass
from typing import Protocol

from service.inference.job import Stage

__all__ = ["InferenceFailed", "Monitor", "Overloaded", "SchedulerLimits", "Stopped"]


class Overloaded(Exception):  # noqa: N818 -- a state, not a fault
    """The job does not fit in now.

    Attributes:
        retry_after: Seconds after which it should, by the measured rate.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after


class InferenceFailed(Exception):  # noqa: N818 -- reads as it is said
    """The network raised on a job's images, or its answer could not be made."""


class Stopped(Exception):  # noqa: N818 -- a state, not a fault
    """The scheduler is closed."""


class Monitor(Protocol):
    """Is told what happens, from any thread; must not block."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """One image (decode, postprocess) or batch (inference) went through a stage."""

    def batch(self, size: int) -> None:
        """The network ran on so many images."""

    def image(self, code: str) -> None:
        """An image was answered with `ok` or an error's code, or dropped."""

    def pending(self, images: int) -> None:
        """So many images are accepted and not yet answered."""


@dataclass(frozen=True, slots=True)
class SchedulerLimits:
    """What the scheduler takes on.

    Attributes:
        max_pending: Most images accepted and not yet answered.
        lanes: Threads that run the network.
        max_batch: Most images in one run of the network.
        batch_wait: Seconds that a batch waits for images that are being decoded.
        pool_threads: Threads that decode and finish.
        deadline: Seconds within which a request must be answered; what cannot be is not accepted.
    """

    max_pending: int
    lanes: int
    max_batch: int
    batch_wait: float
    pool_threads: int
    deadline: float
