"""What waits, what is being worked on, and whose turn it is: the scheduler's state, under one lock.

Nothing here takes long: threads ask for work, do it without the lock, and tell what came of it.
"""

import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from colocalization.errors import ImageError
from colocalization.hints import HintError, ImageHints
from colocalization.localizer import FittedSet, PreparedImage
from service.inference.fair_queue import FairQueue
from service.inference.interface import InferenceFailed, Monitor, Overloaded, SchedulerLimits, Stopped
from service.inference.job import Answer, Job, JobImage, Stage
from service.inference.rate import RateMeter

__all__ = ["Batch", "Task", "Work"]

Batch = list[tuple[Job, JobImage]]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Something for a thread of the pool.

    Attributes:
        kind: `decode` and `finish` are of one image, `fit` of all of the job's that are held.
        job: The job.
        images: Those that it is about.
        hints: What was said of them, by their place.
    """

    kind: Literal["decode", "fit", "finish"]
    job: Job
    images: Sequence[JobImage]
    hints: Mapping[int, ImageHints] = field(default_factory=dict)


class Work:
    """All jobs that are not over. Every method may be called from any thread; only those called `next_...` wait."""

    def __init__(self, limits: SchedulerLimits, monitor: Monitor) -> None:
        self._limits = limits
        self._most_ahead = 2 * limits.lanes * limits.max_batch
        self._monitor = monitor
        lock = threading.RLock()
        self._lock = lock
        self._pool_wake, self._lane_wake = threading.Condition(lock), threading.Condition(lock)
        self._decode_queue: FairQueue[Job, JobImage] = FairQueue()
        self._ready_queue: FairQueue[Job, JobImage] = FairQueue()
        self._fit_queue: FairQueue[Job, None] = FairQueue()  # jobs whose common object is to be estimated
        self._finish_queue: FairQueue[Job, JobImage] = FairQueue()
        self._jobs: dict[Job, None] = {}
        self._large_decoding = False  # large images are decoded one at a time
        self._rate = RateMeter()
        self._pending = 0
        self._decoding = 0
        self._fitting = 0
        # A fit over a large set takes seconds: one thread is left for the images of others.
        self._most_fitting = max(1, limits.pool_threads - 1)
        self._closed = False

    # ---- from outside

    @property
    def pending(self) -> int:
        """Images accepted and not yet answered."""
        return self._pending

    @property
    def rate(self) -> float | None:
        """Images per second while there is work, or None before the first measurement."""
        return self._rate.rate

    def oldest_age(self) -> float:
        """Seconds since the oldest unanswered job was accepted; 0 where there is none."""
        with self._lock:
            first = next(iter(self._jobs), None)
            return 0.0 if first is None else time.monotonic() - first.accepted_at

    def seconds_left(self) -> int:
        """Seconds that what is accepted will take, by the measured rate; at least 1."""
        with self._lock:
            return max(1, math.ceil(self._rate.seconds_for(self._pending) or 0.0))

    def check(self, images: int) -> None:
        """Raise `Overloaded` where a job of so many images would not be accepted now."""
        with self._lock:
            over = self._pending + images - self._limits.max_pending
            ahead = self._rate.seconds_for(self._pending + images) or 0.0
            late = ahead - self._limits.deadline if self._pending else 0.0
            if over > 0 or late > 0:
                wait = max(self._rate.seconds_for(max(over, 0)) or 0.0, late)
                raise Overloaded(max(1, math.ceil(wait)))

    def accept(self, job: Job) -> None:
        """Take a job on; `job.done` tells the end.

        Raises:
            Overloaded: There is no room, or it could not be answered in time.
            Stopped: Nothing is taken on any more.
        """
        with self._lock:
            if self._closed:
                raise Stopped("the scheduler is closed")
            self.check(job.unanswered)
            for error in job.errors.values():
                self._monitor.image(error.code)
            if job.unanswered == 0:
                job.done.set_result(None)
                return
            self._jobs[job] = None
            self._rate.resume()
            self._change_pending(job.unanswered)
            for image in job.images:
                self._decode_queue.push(job, image)
            self._pool_wake.notify(len(job.images))

    def drop(self, job: Job) -> None:
        """Give a job up: what waits is thrown away, what is being worked on is thrown away at its end."""
        with self._lock:
            if not job.closed:
                self._close_job(job)

    def close(self) -> None:
        """Give everything up, with `Stopped`, and let no thread wait any longer."""
        with self._lock:
            self._closed = True
            for job in list(self._jobs):
                self._fail(job, Stopped("the service stopped"))
            self._pool_wake.notify_all()
            self._lane_wake.notify_all()

    # ---- what is next

    def next_task(self) -> Task | None:
        """Wait for something for the pool; None once all is over. Finishing goes before decoding."""
        with self._lock:
            while not self._closed:
                if (task := self._pop_task()) is not None:
                    task.job.begin(len(task.images))
                    return task
                self._pool_wake.wait()
            return None

    def _pop_task(self) -> Task | None:
        if self._fitting < self._most_fitting and (fit := self._fit_queue.pop()) is not None:
            self._fitting += 1
            job = fit[0]
            return Task("fit", job, tuple(job.held), job.held_hints())
        if (finish := self._finish_queue.pop()) is not None:
            job, image = finish
            return Task("finish", job, (image,))
        # Only a little ahead of the lanes: images wait in their encoded form.
        ahead = len(self._ready_queue) + self._decoding
        if ahead < self._most_ahead and (decode := self._decode_queue.pop(self._may_decode)) is not None:
            self._decoding += 1
            job, image = decode
            return Task("decode", job, (image,))
        return None

    def _may_decode(self, job: Job) -> bool:
        return not (job.next_is_large and self._large_decoding)

    def next_batch(self) -> Batch | None:
        """Wait for images for the network, all for one model; None once all is over."""
        with self._lock:
            while not self._closed:
                if len(self._ready_queue):
                    self._wait_for_more()
                if (first := self._ready_queue.pop()) is not None:
                    batch = [first]
                    while len(batch) < self._limits.max_batch and (
                        more := self._ready_queue.pop(lambda job: job.localizer is first[0].localizer)
                    ):
                        batch.append(more)
                    for job, _ in batch:
                        job.begin()
                    self._pool_wake.notify(len(batch))
                    return batch
                self._lane_wake.wait()
            return None

    def _wait_for_more(self) -> None:
        """Wait for a full batch, but only for images that are on their way, and not for long."""
        until = time.monotonic() + self._limits.batch_wait
        while (
            not self._closed
            and self._decoding > 0
            and len(self._ready_queue) < self._limits.max_batch
            and (left := until - time.monotonic()) > 0
        ):
            self._lane_wake.wait(left)

    # ---- what came of it

    def begin_large(self, job: Job, image: JobImage) -> bool:
        """Take the turn of decoding a large image; False, and the image waits, where another has it.

        Its thread goes on with what else there is: waiting for the turn it would be missing to small images.
        """
        with self._lock:
            job.next_is_large = self._large_decoding
            if not self._large_decoding:
                self._large_decoding = True
                return True
            self._decoding -= 1
            job.end("decode", 0.0)
            if job.closed:
                self._change_pending(-1)
            else:
                self._decode_queue.put_back(job, image)
            return False

    def decoded(self, job: Job, image: JobImage, outcome: PreparedImage | ImageError, seconds: float) -> None:
        """An image was decoded in so many seconds, or could not be."""
        with self._lock:
            self._decoding -= 1
            if self._stop_working(job, "decode", seconds):
                if isinstance(outcome, ImageError):
                    job.unreadable(image, outcome)
                    self._count_answer(outcome.code)
                else:
                    image.prepared = outcome
                    self._ready_queue.push(job, image)
                self._advance(job)
            self._lane_wake.notify()

    def end_large(self) -> None:
        """The turn of decoding a large image is given on."""
        with self._lock:
            self._large_decoding = False
            self._pool_wake.notify()

    def inferred(self, batch: Batch, seconds: float) -> None:
        """The network ran on a batch in so many seconds."""
        with self._lock:
            self._monitor.stage("inference", seconds)
            self._monitor.batch(len(batch))
            for job in {job for job, _ in batch}:
                job.times.inference += seconds
            for job, image in batch:
                if self._stop_working(job, "inference", 0.0):
                    self._queue_finish(job, job.inferred(image))
                    self._advance(job)

    def begin_again(self, batch: Batch) -> bool:
        """Take a part of a batch that failed in hand again, all of one job; False where that is over meanwhile."""
        job = batch[0][0]
        with self._lock:
            if job.closed:
                return False
            for _ in batch:
                job.begin()
            return True

    def not_inferred(self, batch: Batch) -> None:
        """The network raised on a batch."""
        with self._lock:
            for job, _ in batch:
                self._stop_working(job, "inference", 0.0)

    def fitted(self, task: Task, fit: FittedSet | None, seconds: float) -> None:
        """The step over a set took so many seconds; None where it came to nothing since the job is over or failed."""
        job, images = task.job, len(task.images)
        with self._lock:
            self._fitting -= 1
            self._pool_wake.notify()
            self._monitor.stage("postprocess", seconds)
            job.end("postprocess", seconds, images)
            if job.closed:
                self._change_pending(-images)
            elif fit is not None:
                self._after_fit(job, fit)

    def finished(self, job: Job, image: JobImage, outcome: Answer | ImageError | None, seconds: float) -> None:
        """An image's part of the answer took so many seconds; None where it failed, and its job with it."""
        with self._lock:
            if self._stop_working(job, "postprocess", seconds) and outcome is not None:
                if isinstance(outcome, ImageError):
                    job.unlocalizable(image, outcome)
                    self._count_answer(outcome.code)
                else:
                    job.answered(image, outcome)
                    self._count_answer("ok")
                self._advance(job)

    def failed(self, job: Job, caught: Exception) -> None:
        """A job cannot be answered, for a reason that is none of its images'."""
        _logger.error("a request failed", exc_info=caught, extra={"request_id": job.request_id})
        failure = InferenceFailed("the images could not be localized")
        failure.__cause__ = caught
        with self._lock:
            self._fail(job, failure)

    def refused(self, job: Job, error: HintError) -> None:
        """A job cannot be answered, for what its hints say; its client is told."""
        with self._lock:
            self._fail(job, error)

    # ---- under the lock

    def _advance(self, job: Job) -> None:
        """Start the step over the set when its last image is there, or end the job."""
        if job.awaits_fit:
            job.begin_fit()
            try:
                job.check_held_hints()
            except HintError as error:
                self._fail(job, error)
                return
            if len(job.held) == 1:  # nothing to estimate, so it need not wait behind the sets of others
                self._after_fit(job, FittedSet(None))
            else:
                self._fit_queue.push(job, None)
                self._pool_wake.notify()
        if job.unanswered == 0 and not job.closed:
            self._close_job(job)
            job.done.set_result(None)

    def _after_fit(self, job: Job, fit: FittedSet) -> None:
        images = job.fitted(fit)
        if not job.only_fits:
            self._queue_finish(job, images)
            return
        for image in images:
            job.answered(image, Answer())
            self._count_answer("ok")
        self._advance(job)

    def _queue_finish(self, job: Job, images: Sequence[JobImage]) -> None:
        for image in images:
            self._finish_queue.push(job, image)
        self._pool_wake.notify(len(images))

    def _stop_working(self, job: Job, stage: Stage, seconds: float) -> bool:
        """One image of a job left the hands of a thread; False where the job is over and it is to be dropped."""
        job.end(stage, seconds)
        if stage != "inference":  # a batch's time is told once, not for each image
            self._monitor.stage(stage, seconds)
        if job.closed:
            self._change_pending(-1)
            return False
        return True

    def _count_answer(self, code: str) -> None:
        self._monitor.image(code)
        if code == "ok":  # on nearly all of the others the network did not run, and they took next to no time
            self._rate.finished()
        self._change_pending(-1)

    def _close_job(self, job: Job) -> None:
        self._jobs.pop(job, None)
        for queue in (self._decode_queue, self._ready_queue, self._fit_queue, self._finish_queue):
            queue.drop(job)
        job.close()
        for _ in range(job.unanswered):
            self._monitor.image("dropped")
        self._change_pending(job.working - job.unanswered)  # those being worked on are still held

    def _change_pending(self, by: int) -> None:
        self._pending += by
        self._monitor.pending(self._pending)
        if self._pending == 0:
            self._rate.pause()

    def _fail(self, job: Job, error: Exception) -> None:
        if not job.closed:
            self._close_job(job)
            job.done.set_exception(error)
