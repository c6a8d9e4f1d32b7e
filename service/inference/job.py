"""One request's images on their way through the scheduler."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Literal

from colocalization.advice import Advice, advise
from colocalization.common_object import CommonObject
from colocalization.errors import ImageError
from colocalization.hints import HintError, ImageHints
from colocalization.localizer import NO_HINTS, FittedSet, ImageFeatures, Localizer, PreparedImage, SecondLooks
from colocalization.results import ImageResult, Mode, Scale
from colocalization.scales import scale_of

__all__ = ["STAGES", "Answer", "Job", "JobImage", "JobOptions", "Render", "Stage", "StageTimes"]

Stage = Literal["decode", "inference", "postprocess"]

STAGES: Final[tuple[Stage, ...]] = ("decode", "inference", "postprocess")

Render = Callable[[int, ImageResult, PreparedImage], bytes]
"""Writes one image's part of the answer: from its index, its result and its pixels."""


def _render_nothing(*_: object) -> bytes:
    return b""


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


@dataclass(frozen=True, slots=True)
class Answer:
    """One image's part of the answer, and what remains known of its result.

    Attributes:
        content: The part of the answer.
        judged_score: Score of its best box, where it says something of the set.
    """

    content: bytes = b""
    judged_score: float | None = None


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What is to be done with the images of a job.

    Attributes:
        mode: The mode asked for.
        max_boxes: Most boxes in an image.
        hints: What was said of images, by their index.
        common: The common object to look for, where it is known.
        only_fits: Whether the common object is all that is wanted, and no image is finished.
    """

    mode: Mode = "common"
    max_boxes: int = 1
    hints: Mapping[int, ImageHints] = field(default_factory=lambda: NO_HINTS)
    common: CommonObject | None = None
    only_fits: bool = False


class Job:
    """One request's images, and how far they are.

    All but `done` is touched by the scheduler's threads only, under its lock. An image goes through `begin` and `end`
    for each stage, and in between from `inferred` to `answered`; or it ends with `unreadable` or `unlocalizable`.

    Attributes:
        images: The images that came whole.
        localizer: The model that all images of the job go through, also when another is loaded meanwhile.
        names: What the images are called, for what is said of their hints.
        hints: What was said of images, by their index.
        only_fits: Whether the common object is all that is wanted, and no image is finished.
        mode: The mode asked for; `attention` at the end where `common` found nothing that the images share.
        max_boxes: Most boxes in an image.
        render: Writes one image's part of the answer.
        request_id: Name of the request, for the log.
        answers: The parts of the answer, in the order of the images; empty for those with an error.
        errors: The errors of the images that could not be read or localized, by their index.
        times: Where the time went.
        unanswered: Images that are neither answered nor refused.
        working: Images that a thread has in its hands.
        held: Images that wait for the step over the set, in the order of the request once all are there.
        next_is_large: Whether the next image to be decoded has been found to be large.
        common: The common object, once it is estimated, or from the start where one is looked for that is known.
        closed: Whether the job is over, and what still goes on is for nothing.
        accepted_at: When it was made, on the monotonic clock.
        done: Gives None when all answers are there, or raises.
    """

    def __init__(
        self,
        sources: Sequence[bytes | ImageError],
        *,
        localizer: Localizer,
        options: JobOptions = JobOptions(),
        render: Render = _render_nothing,
        names: Sequence[str] = (),
        request_id: str | None = None,
    ) -> None:
        self.localizer = localizer
        self.mode: Mode = options.mode
        self.max_boxes = options.max_boxes
        self.render = render
        self.names = names
        self.hints = options.hints
        self.only_fits = options.only_fits
        self.request_id = request_id
        self.answers: list[bytes] = [b""] * len(sources)
        self._judged: list[float] = []
        self.errors = {index: source for index, source in enumerate(sources) if isinstance(source, ImageError)}
        self.images = [JobImage(index, source) for index, source in enumerate(sources) if isinstance(source, bytes)]
        self.times = StageTimes()
        self.unanswered = len(self.images)
        self.working = 0
        self.held: list[JobImage] = []
        self.next_is_large = False
        self.common = options.common
        self.closed = False
        self.accepted_at = time.monotonic()
        self.done: Future[None] = Future()
        self.done.set_running_or_notify_cancel()  # from here on only the scheduler may end it
        self._before_set = len(self.images)  # neither refused nor through the network
        self._fit_begun = False
        self._is_set = options.mode == "common" and options.common is None  # what its images share is to be estimated

    def begin(self, images: int = 1) -> None:
        """A thread takes so many of the images in its hands."""
        self.times.begin()
        self.working += images

    def end(self, stage: Stage, seconds: float, images: int = 1) -> None:
        """A thread lets go of images that it took with one `begin`, after so many seconds in a stage."""
        self.times.end(stage, seconds)
        self.working -= images

    def unreadable(self, image: JobImage, error: ImageError) -> None:
        """An image cannot be decoded; it is no part of the set."""
        self._before_set -= 1
        self._refuse(image, error)

    def inferred(self, image: JobImage) -> list[JobImage]:
        """The network has run on an image.

        Returns:
            The images that can be finished now: this one in mode `attention`, or where the common object is known;
            else it is held.
        """
        self._before_set -= 1
        if not self._is_set:
            return [image]
        self.held.append(image)
        return []

    @property
    def awaits_fit(self) -> bool:
        """Whether the step over the set can begin: all images that can be are through the network."""
        return bool(self.held) and self._before_set == 0 and not self._fit_begun

    def check_hint(self, image: JobImage, prepared: PreparedImage) -> None:
        """Check what was said of an image that has been decoded.

        Raises:
            HintError: A box does not lie in it.
        """
        if (said := self.hints.get(image.index)) is not None:
            said.shares(self.names[image.index], prepared.image.width, prepared.image.height)

    def check_held_hints(self) -> None:
        """Check that something is left of the hints, once all images are there that can be read.

        Raises:
            HintError: Boxes were hinted, and none of their images could be read.
        """
        hinted = [index for index, said in self.hints.items() if said.boxes]
        if hinted and all(index in self.errors for index in hinted):
            name, error = self.names[hinted[0]], self.errors[hinted[0]]
            raise HintError(f"the hint is for {name!r}, which cannot be used: {error.message}")

    def held_hints(self) -> dict[int, ImageHints]:
        """What was said of the images that are held, by their place among them."""
        return {place: self.hints[image.index] for place, image in enumerate(self.held) if image.index in self.hints}

    def begin_fit(self) -> None:
        """The step over the set is about to begin."""
        self._fit_begun = True
        self.held.sort(key=lambda image: image.index)

    def fitted(self, fit: FittedSet) -> list[JobImage]:
        """The step over the set is over.

        Args:
            fit: What came of it, over the images that are held.

        Returns:
            The images that can be finished now: all that were held.
        """
        self.common = fit.common
        self.mode = fit.mode
        for index, looks in fit.looks.items():
            self.held[index].looks = looks
        ready, self.held = self.held, []
        return ready

    def unlocalizable(self, image: JobImage, error: ImageError) -> None:
        """What the network gave for an image is of no use."""
        self._refuse(image, error)

    @property
    def advice(self) -> Advice | None:
        """What to make of the boxes of the images that are answered; None where there is none to judge."""
        # In an order of their own, so that the sum does not depend on which image was done first.
        total, hinted = sum(sorted(self._judged)), any(said.boxes for said in self.hints.values())
        return advise(total, len(self._judged), hinted=hinted, finer=self.scale is not None)

    @property
    def scale(self) -> Scale | None:
        """At which scale the images are looked at, where that was chosen for the set."""
        return scale_of(self.common)

    def answered(self, image: JobImage, answer: Answer) -> None:
        """An image's part of the answer is there."""
        self.answers[image.index] = answer.content
        if answer.judged_score is not None:
            self._judged.append(answer.judged_score)
        self.unanswered -= 1

    def close(self) -> None:
        """Nothing more is to be done."""
        self.closed = True
        self.held.clear()

    def _refuse(self, image: JobImage, error: ImageError) -> None:
        self.errors[image.index] = error
        self.unanswered -= 1
