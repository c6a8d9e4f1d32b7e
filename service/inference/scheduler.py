"""Batching across requests: decode in a bounded pool, infer in lanes, take turns between requests.

        submit -> [decode queue] -> pool -> [ready queue] -> lanes -> [finish queue] -> pool -> answer

Every queue serves the requests in turn, one image each, so that a set of many does not hold up a single one. A GPU has
one lane. A CPU has several, as runs side by side take less time than one run in all threads after the other. Here are
the threads and what they do; `work` knows what is to be done next.
"""

import logging
import threading
import time
from itertools import groupby

from colocalization.errors import ImageError
from colocalization.hints import HintError
from colocalization.localizer import FittedSet, PreparedImage
from service.inference.decoding import LARGE_PIXELS, header_pixels
from service.inference.interface import Monitor, SchedulerLimits
from service.inference.job import Answer, Job, JobImage
from service.inference.work import Batch, Task, Work

__all__ = ["Scheduler"]

_logger = logging.getLogger(__name__)


class Scheduler:
    """Runs jobs. `submit` and `cancel` may be called from any thread and return at once.

    Attributes:
        work: The jobs, and how far they are.
    """

    def __init__(self, limits: SchedulerLimits, monitor: Monitor) -> None:
        self.work = Work(limits, monitor)
        names = [
            *((f"lane-{i}", self._lane_loop) for i in range(limits.lanes)),
            *((f"pool-{i}", self._pool_loop) for i in range(limits.pool_threads)),
        ]
        # Daemons: a network that hangs must not keep the process from leaving.
        self._threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in names]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Accept a job; its `done` tells the end.

        Raises:
            Overloaded: There is no room, or it could not be answered in time.
            Stopped: The scheduler is closed.
        """
        self.work.accept(job)

    def cancel(self, job: Job) -> None:
        """Drop a job: what waits is thrown away, what is being worked on is thrown away at its end."""
        self.work.drop(job)

    def close(self, timeout: float = 5.0) -> None:
        """Stop all threads; unfinished jobs get `Stopped`."""
        self.work.close()
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    # ---- the pool

    def _pool_loop(self) -> None:
        while (task := self.work.next_task()) is not None:
            if task.kind == "fit":
                self._fit(task)
            elif task.kind == "finish":
                self._finish(task.job, task.images[0])
            else:
                self._decode(task.job, task.images[0])

    def _decode(self, job: Job, image: JobImage) -> None:
        started = time.monotonic()
        large = header_pixels(image.source or b"") > LARGE_PIXELS
        if large and not self.work.begin_large(job, image):
            return
        source, image.source = image.source or b"", None
        try:
            outcome: PreparedImage | ImageError = job.localizer.prepare(source)
        except ImageError as error:
            outcome = error
        except Exception:
            # Whatever a decoder throws, the other images of the set are fine.
            _logger.exception("a decoder failed unexpectedly", extra={"request_id": job.request_id})
            outcome = ImageError("undecodable", "the image could not be decoded")
        if isinstance(outcome, PreparedImage):
            try:
                job.check_hint(image, outcome)
            except HintError as error:
                self.work.refused(job, error)
        if large:
            self.work.end_large()
        self.work.decoded(job, image, outcome, time.monotonic() - started)

    def _fit(self, task: Task) -> None:
        started = time.monotonic()
        fit: FittedSet | None = None
        failure: Exception | None = None
        try:
            fit = _fit_set(task)
        except _Dropped:
            pass
        except Exception as caught:
            failure = caught
        self.work.fitted(task, fit, time.monotonic() - started)
        if failure is not None:
            self.work.failed(task.job, failure)

    def _finish(self, job: Job, image: JobImage) -> None:
        started = time.monotonic()
        outcome: Answer | ImageError | None = None
        failure: Exception | None = None
        try:
            outcome = _finish_image(job, image)
        except ImageError as error:
            outcome = error
        except Exception as caught:
            failure = caught
        self.work.finished(job, image, outcome, time.monotonic() - started)
        if failure is not None:
            self.work.failed(job, failure)

    # ---- the lanes

    def _lane_loop(self) -> None:
        while (batch := self.work.next_batch()) is not None:
            self._infer(batch)

    def _infer(self, batch: Batch) -> None:
        """Run a batch; where that fails, each job's part by itself, so that only those that cause it fail."""
        started = time.monotonic()
        try:
            prepared = [image.prepared for _, image in batch if image.prepared is not None]
            features = batch[0][0].localizer.run(prepared)
            for (_, image), with_input, found in zip(batch, prepared, features, strict=True):
                image.features, image.prepared = found, with_input.without_input()
        except Exception as caught:
            self.work.not_inferred(batch)
            self._isolate(batch, caught)
        else:
            self.work.inferred(batch, time.monotonic() - started)

    def _isolate(self, batch: Batch, caught: Exception) -> None:
        jobs = [list(group) for _, group in groupby(sorted(batch, key=lambda entry: id(entry[0])), lambda e: e[0])]
        if len(jobs) == 1:
            self.work.failed(batch[0][0], caught)
            return
        for part in jobs:
            if self.work.begin_again(part):
                self._infer(part)


class _Dropped(Exception):  # noqa: N818 -- a state, not a fault
    """Nobody waits for the job any more."""


def _fit_set(task: Task) -> FittedSet:
    """Estimate the common object of the images of a job."""

    def check() -> None:
        if task.job.closed:
            raise _Dropped

    known = [(i.prepared.image, i.features) for i in task.images if i.prepared is not None and i.features is not None]
    if len(known) != len(task.images):
        raise RuntimeError("the step over a set was to begin before all of its images were inferred")
    return task.job.localizer.fit_features(
        [image for image, _ in known], [found for _, found in known], hints=task.hints, check=check
    )


def _finish_image(job: Job, image: JobImage) -> Answer:
    """Write an image's part of the answer.

    Raises:
        ImageError: What the network gave for it is of no use.
    """
    if image.prepared is None or image.features is None:
        raise RuntimeError("an image was to be finished before it was decoded and inferred")
    prepared, features, looks = image.prepared, image.features, image.looks
    image.prepared = image.features = image.looks = None
    result = job.localizer.finish(
        prepared, features, job.common, looks=looks, hint=job.hints.get(image.index), max_boxes=job.max_boxes
    )
    return Answer(job.render(image.index, result, prepared), result.judged_score)
