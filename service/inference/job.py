"""One request's images on their way through the scheduler."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

from colocalization.common_object import CommonObject
from colocalization.errors import ImageError
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage, SecondLooks
from colocalization.results import ImageResult, Mode

__all__ = ["Job", "JobImage", "Render", "Stage", "StageTimes"]

Stage = Literal["decode", "inference", "postprocess"]

Render = Callable[[int, ImageResult, PreparedImage | None], bytes]
"""Writes one image's part of the answer: its index, its result, and its pixels where it could be read."""


@dataclass(slots=True)
class StageTimes:
    """Where a job's time went, in seconds; `queue` is while none of its images was being worked on."""

    queue: float = 0.0
    decode: float = 0.0
    inference: float = 0.0
    postprocess: float = 0.0
    _working: int = 0
    _idle_since: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Some of the job's images are being worked on from now on."""
        if self._working == 0:
            self.queue += time.monotonic() - self._idle_since
        self._working += 1

    def end(self, stage: Stage, seconds: float) -> None:
        """What began is over, and took so long in this stage."""
        setattr(self, stage, getattr(self, stage) + seconds)
        self._working -= 1
        if self._working == 0:
            self._idle_since = time.monotonic()


@dataclass(eq=False, slots=True)
class JobImage:
    """One image of a job; what is no longer needed is let go at once.

    Attributes:
        index: Place in the request.
        source: Encoded bytes, until decoded.
        prepared: Pixels, from decoding to the answer.
        features: What the network gave, from inference to the answer.
        looks: What it gave for regions of the image, from the step over the set to the answer.
    """

    index: int
    source: bytes | None
    prepared: PreparedImage | None = None
    features: ImageFeatures | None = None
    looks: SecondLooks | None = None


class Job:
    """One request's images, and how far they are.

    All but `done` is touched by the scheduler's threads only, under its lock.

    Attributes:
        localizer: The model that all images of the job go through, also when another is loaded meanwhile.
        mode: The mode asked for; `attention` at the end where `common` found only one readable image, or nothing
            that the images share.
        max_boxes: Most boxes in an image.
        render: Writes one image's part of the answer.
        answers: The parts of the answer, in the order of the images.
        errors: The errors of the images that could not be read or localized, by their index.
        times: Where the time went.
        done: Gives None when all answers are there, or raises.
    """

    def __init__(
        self,
        sources: Sequence[bytes | ImageError],
        *,
        localizer: Localizer,
        mode: Mode,
        max_boxes: int,
        render: Render,
    ) -> None:
        self.localizer = localizer
        self.mode: Mode = mode
        self.max_boxes = max_boxes
        self.render = render
        self.answers: list[bytes] = [b""] * len(sources)
        self.errors: dict[int, ImageError] = {}
        self.times = StageTimes()
        self.done: Future[None] = Future()
        self.done.set_running_or_notify_cancel()  # from here on only the scheduler may end it
        self.images = [JobImage(i, source) for i, source in enumerate(sources) if isinstance(source, bytes)]
        for index, source in enumerate(sources):
            if isinstance(source, ImageError):
                self.refuse(index, source)
        self.undecoded = self.unanswered = len(self.images)
        self.uninferred = 0
        self.working = 0
        self.held: list[JobImage] = []
        self.next_is_large = False
        self.common: CommonObject | None = None
        self.closed = False
        self.accepted_at = time.monotonic()

    def refuse(self, index: int, error: ImageError) -> None:
        """Answer one image with an error."""
        self.errors[index] = error
        self.answers[index] = self.render(index, ImageResult.failed(error), None)
