"""Batching across requests: decode in a bounded pool, infer in lanes, take turns between requests.

        submit -> [decode queue] -> pool -> [ready queue] -> lanes -> [finish queue] -> pool -> answer

Every queue serves the requests in turn, one image each, so that a set of many does not hold up a single one. The
pool prefers finishing over decoding, and decodes only a little ahead of the lanes: images wait in their encoded form.
A GPU has one lane. A CPU has several, as runs side by side take less time than one run in all threads after the other.
All state is guarded by one lock; the work is done outside of it.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import groupby

from colocalization.common_object import CommonObject
from colocalization.errors import ImageError
from service.inference.decoding import LARGE_PIXELS, header_pixels
from service.inference.fair_queue import FairQueue
from service.inference.interface import InferenceFailed, Monitor, Overloaded, SchedulerLimits, Stopped
from service.inference.job import Job, JobImage, Stage
from service.inference.rate import RateMeter

__all__ = ["Scheduler"]

_logger = logging.getLogger(__name__)


class Scheduler:
    """Runs jobs. `submit` and `cancel` may be called from any thread and return at once."""

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
        names = [
            *((f"lane-{i}", self._lane_loop) for i in range(limits.lanes)),
            *((f"pool-{i}", self._pool_loop) for i in range(limits.pool_threads)),
        ]
        # Daemons: a network that hangs must not keep the process from leaving.
        self._threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in names]
        for thread in self._threads:
            thread.start()

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

    def submit(self, job: Job) -> None:
        """Accept a job; its `done` tells the end.

        Raises:
            Overloaded: There is no room, or it could not be answered in time.
            Stopped: The scheduler is closed.
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

    def cancel(self, job: Job) -> None:
        """Drop a job: what waits is thrown away, what is being worked on is thrown away at its end."""
        with self._lock:
            if not job.closed:
                self._close_job(job)

    def close(self, timeout: float = 5.0) -> None:
        """Stop all threads; unfinished jobs get `Stopped`."""
        with self._lock:
            self._closed = True
            for job in list(self._jobs):
                self._fail(job, Stopped("the service stopped"))
            self._pool_wake.notify_all()
            self._lane_wake.notify_all()
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    # ---- the pool

    def _pool_loop(self) -> None:
        while (task := self._next_task()) is not None:
            task()

    def _next_task(self) -> Callable[[], None] | None:
        with self._lock:
            while not self._closed:
                if self._fitting < self._most_fitting and (fit := self._fit_queue.pop()) is not None:
                    job = fit[0]
                    job.times.begin()
                    job.working += len(job.held)
                    self._fitting += 1
                    return partial(self._fit, job, list(job.held))
                if (finish := self._finish_queue.pop()) is not None:
                    job, image = finish
                    job.times.begin()
                    job.working += 1
                    return partial(self._finish, job, image)
                ahead = len(self._ready_queue) + self._decoding
                if ahead < self._most_ahead and (decode := self._decode_queue.pop(self._may_decode)) is not None:
                    job, image = decode
                    job.times.begin()
                    job.working += 1
                    self._decoding += 1
                    return partial(self._decode, job, image)
                self._pool_wake.wait()
            return None

    def _may_decode(self, job: Job) -> bool:
        return not (job.next_is_large and self._large_decoding)

    def _decode(self, job: Job, image: JobImage) -> None:
        started = time.monotonic()
        large = header_pixels(image.source or b"") > LARGE_PIXELS
        if large and not self._begin_large(job, image):
            return
        source, image.source = image.source or b"", None
        error: ImageError | None = None
        try:
            image.prepared = job.localizer.prepare(source)
        except ImageError as caught:
            error = caught
        except Exception:
            # Whatever a decoder throws, the other images of the set are fine.
            _logger.exception("a decoder failed unexpectedly")
            error = ImageError("undecodable", "the image could not be decoded")
        with self._lock:
            self._decoding -= 1
            if large:
                self._large_decoding = False
                self._pool_wake.notify()
            if self._stop_working(job, "decode", started):
                job.undecoded -= 1
                if error is not None:
                    job.refuse(image.index, error)
                    self._answered(job, error.code)
                else:
                    job.uninferred += 1
                    self._ready_queue.push(job, image)
                self._advance(job)
            self._lane_wake.notify()

    def _begin_large(self, job: Job, image: JobImage) -> bool:
        """Take the turn of decoding a large image; False, and the image waits, where another has it.

        Its thread goes on with what else there is: waiting for the turn it would be missing to small images.
        """
        with self._lock:
            job.next_is_large = self._large_decoding
            if not self._large_decoding:
                self._large_decoding = True
                return True
            self._decoding -= 1
            job.working -= 1
            job.times.end("decode", 0.0)
            if job.closed:
                self._change_pending(-1)
            else:
                self._decode_queue.put_back(job, image)
            return False

    def _fit(self, job: Job, held: list[JobImage]) -> None:
        started = time.monotonic()
        common: CommonObject | None = None
        failure: Exception | None = None
        try:
            common = _fit(job, held)
        except _Dropped:
            pass
        except Exception as caught:
            failure = caught
        elapsed = time.monotonic() - started
        with self._lock:
            self._fitting -= 1
            self._pool_wake.notify()
            self._monitor.stage("postprocess", elapsed)
            job.times.end("postprocess", elapsed)
            job.working -= len(held)
            if job.closed:
                self._change_pending(-len(held))
            elif failure is None:
                job.common = common
                if common is None:  # the images have nothing in common
                    job.mode = "attention"
                self._queue_finish(job)
        if failure is not None:
            self._fail_unexpectedly(job, failure)

    def _finish(self, job: Job, image: JobImage) -> None:
        started = time.monotonic()
        if image.prepared is None or image.features is None:
            raise RuntimeError("an image was to be finished before it was decoded and inferred")
        prepared, features, looks = image.prepared, image.features, image.looks
        image.prepared = image.features = image.looks = None
        try:
            result = job.localizer.finish(prepared, features, job.common, looks=looks, max_boxes=job.max_boxes)
            answer: bytes | ImageError = job.render(image.index, result, prepared)
        except ImageError as error:
            answer = error
        except Exception as caught:
            with self._lock:
                self._stop_working(job, "postprocess", started)
            self._fail_unexpectedly(job, caught)
            return
        with self._lock:
            if self._stop_working(job, "postprocess", started):
                if isinstance(answer, ImageError):
                    job.refuse(image.index, answer)
                    self._answered(job, answer.code)
                else:
                    job.answers[image.index] = answer
                    self._answered(job, "ok")
                self._advance(job)

    # ---- the lanes

    def _lane_loop(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._infer(batch)

    def _next_batch(self) -> list[tuple[Job, JobImage]] | None:
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
                        job.times.begin()
                        job.working += 1
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

    def _infer(self, batch: list[tuple[Job, JobImage]]) -> None:
        """Run a batch; where that fails, each job's part by itself, so that only those that cause it fail."""
        started = time.monotonic()
        localizer = batch[0][0].localizer
        try:
            features = localizer.run([image.prepared for _, image in batch if image.prepared is not None])
            for (_, image), found in zip(batch, features, strict=True):
                image.features = found
        except Exception as caught:
            with self._lock:
                for job, _ in batch:
                    self._stop_working(job, "inference", started)
            self._isolate(batch, caught)
            return
        with self._lock:
            self._monitor.stage("inference", time.monotonic() - started)
            self._monitor.batch(len(batch))
            for job in {job for job, _ in batch}:
                job.times.inference += time.monotonic() - started
            for job, image in batch:
                if image.prepared is not None:
                    image.prepared = image.prepared.without_input()
                if self._stop_working(job, "inference", started):
                    job.uninferred -= 1
                    self._inferred(job, image)

    def _isolate(self, batch: list[tuple[Job, JobImage]], caught: Exception) -> None:
        jobs = [list(group) for _, group in groupby(sorted(batch, key=lambda entry: id(entry[0])), lambda e: e[0])]
        if len(jobs) == 1:
            self._fail_unexpectedly(batch[0][0], caught)
            return
        for part in jobs:
            with self._lock:
                job = part[0][0]
                if job.closed:
                    continue
                for _ in part:
                    job.times.begin()
                    job.working += 1
            self._infer(part)

    # ---- under the lock

    def _inferred(self, job: Job, image: JobImage) -> None:
        if job.mode == "attention":
            self._finish_queue.push(job, image)
            self._pool_wake.notify()
        else:
            job.held.append(image)
            self._advance(job)

    def _advance(self, job: Job) -> None:
        """Start the step over the set when its last image is there, or end the job."""
        if job.undecoded == 0 and job.uninferred == 0 and job.held and job.common is None:
            if len(job.held) > 1:
                job.held.sort(key=lambda image: image.index)
                self._fit_queue.push(job, None)
                self._pool_wake.notify()
            else:
                job.mode = "attention"
                self._queue_finish(job)
        if job.unanswered == 0 and not job.closed:
            self._close_job(job)
            job.done.set_result(None)

    def _queue_finish(self, job: Job) -> None:
        held, job.held = job.held, []
        for image in held:
            self._finish_queue.push(job, image)
        self._pool_wake.notify(len(held))

    def _stop_working(self, job: Job, stage: Stage, started: float) -> bool:
        """One image of a job left the hands of a thread; False where the job is closed and it is to be dropped."""
        elapsed = time.monotonic() - started
        job.working -= 1
        if stage == "inference":  # a batch's time is noted once, not for each image
            job.times.end(stage, 0.0)
        else:
            job.times.end(stage, elapsed)
            self._monitor.stage(stage, elapsed)
        if job.closed:
            self._change_pending(-1)
            return False
        return True

    def _answered(self, job: Job, code: str) -> None:
        job.unanswered -= 1
        self._monitor.image(code)
        if code == "ok":  # on nearly all of the others the network did not run, and they took next to no time
            self._rate.finished()
        self._change_pending(-1)

    def _close_job(self, job: Job) -> None:
        job.closed = True
        self._jobs.pop(job, None)
        for queue in (self._decode_queue, self._ready_queue, self._fit_queue, self._finish_queue):
            queue.drop(job)
        job.held.clear()
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

    def _fail_unexpectedly(self, job: Job, caught: Exception) -> None:
        _logger.error("a request failed", exc_info=caught)
        failure = InferenceFailed("the images could not be localized")
        failure.__cause__ = caught
        with self._lock:
            self._fail(job, failure)


class _Dropped(Exception):  # noqa: N818 -- a state, not a fault
    """Nobody waits for the job any more."""


def _fit(job: Job, held: list[JobImage]) -> CommonObject | None:
    """Estimate the common object of a job's images, which keep what was seen of them."""

    def check() -> None:
        if job.closed:
            raise _Dropped

    known = [
        (image, image.prepared.image, image.features)
        for image in held
        if image.prepared is not None and image.features is not None
    ]
    fitted = job.localizer.fit_features(
        [decoded for _, decoded, _ in known], [features for *_, features in known], check=check
    )
    for index, looks in fitted.looks.items():
        known[index][0].looks = looks
    return fitted.common
