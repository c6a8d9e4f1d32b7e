"""Batching across requests, turns, refusals and the dropping of work."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from colocalization.errors import ImageError
from colocalization.hints import HintError, ImageHints
from colocalization.localizer import FittedSet, Localizer, PreparedImage
from service.inference import scheduler as scheduler_module
from service.inference.interface import InferenceFailed, Overloaded, SchedulerLimits, Stopped
from service.inference.job import Job, JobOptions
from service.inference.scheduler import Scheduler
from service.process.logs import JsonFormatter
from tests.dummy_engine import DummyEngine
from tests.service.conftest import encode, wait_until


class Recorder:
    """A monitor that keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.batches: list[int] = []
        self.codes: list[str] = []
        self.pending_images = 0

    def stage(self, stage: str, seconds: float) -> None:
        self.stages.append(stage)

    def batch(self, size: int) -> None:
        self.batches.append(size)

    def image(self, code: str) -> None:
        self.codes.append(code)

    def pending(self, images: int) -> None:
        self.pending_images = images


class Gate:
    """Holds the network until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, _: int) -> None:
        self.entered.set()
        assert self.open.wait(10)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def make(recorder: Recorder) -> Iterator[Callable[..., Scheduler]]:
    made: list[Scheduler] = []

    def scheduler(**changes: float) -> Scheduler:
        limits = {
            "max_pending": 64, "lanes": 1, "max_batch": 8, "batch_wait": 0.05, "pool_threads": 2, "deadline": 30.0,
            **changes,
        }  # fmt: skip
        made.append(Scheduler(SchedulerLimits(**limits), recorder))
        return made[-1]

    yield scheduler
    for one in made:
        one.close()


def job(
    localizer: Localizer, sources: list[bytes | ImageError], mode: str = "attention", log: list | None = None
) -> Job:
    def render(index: int, result: object, prepared: object) -> bytes:
        if log is not None:
            log.append(index)
        return str(index).encode()

    return Job(sources, localizer=localizer, options=JobOptions(mode), render=render)


def test_answers_are_in_the_order_of_the_images(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    one = job(dummy_localizer, [jpeg] * 20 + [b""] + [jpeg], "common")
    make().submit(one)
    one.done.result(10)
    assert one.answers == [str(i).encode() for i in range(20)] + [b"", b"21"]
    assert {index: error.code for index, error in one.errors.items()} == {20: "empty_file"}


def test_set_larger_than_a_batch_is_split_and_joined(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    dummy_localizer.effort = "fast"  # a second look at what it learns from alone, one run for each of 20 images
    seen: list[int] = []
    fit = dummy_localizer.fit_features
    dummy_localizer.fit_features = lambda images, features, hints, check: (
        seen.append(len(images)),
        fit(images, features),
    )[1]
    one = job(dummy_localizer, [jpeg] * 20, "common")
    make(max_batch=8).submit(one)
    one.done.result(10)
    assert sum(dummy_engine.batch_sizes) == 20 + 20
    assert dummy_engine.batch_sizes[-20:] == [1] * 20
    assert max(dummy_engine.batch_sizes) <= 8
    assert seen == [20]


def test_requests_share_batches(make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes) -> None:
    gate = Gate()
    dummy_engine.before_run = gate
    scheduler = make(max_batch=8)
    first = job(dummy_localizer, [jpeg])
    scheduler.submit(first)
    assert gate.entered.wait(5)
    others = [job(dummy_localizer, [jpeg]) for _ in range(8)]
    for other in others:
        scheduler.submit(other)
    wait_until(lambda: len(scheduler.work._ready_queue) == 8)
    gate.open.set()
    for other in others:
        other.done.result(10)
    assert dummy_engine.batch_sizes == [1, 8]


def test_estimates_over_sets_leave_a_thread_for_others(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    fit, gate, fitting = dummy_localizer.fit_features, Gate(), []

    def slow_fit(images: list, features: list, hints: dict, check: Callable[[], None]) -> object:
        fitting.append(len(images))
        gate(1)
        return fit(images, features)

    dummy_localizer.fit_features = slow_fit
    scheduler = make(pool_threads=2)
    sets = [job(dummy_localizer, [jpeg] * 2, "common") for _ in range(3)]
    for one in sets:
        scheduler.submit(one)
    assert gate.entered.wait(5)
    small = job(dummy_localizer, [jpeg])
    scheduler.submit(small)
    small.done.result(10)
    assert fitting == [2]
    gate.open.set()
    for one in sets:
        one.done.result(10)
    assert fitting == [2, 2, 2]


def test_dropped_set_is_estimated_no_further_and_counts_until_then(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    gate = Gate()
    scheduler = make(pool_threads=2)
    dropped = job(dummy_localizer, [jpeg] * 6, "common")
    dummy_engine.before_run = lambda _: gate(1) if scheduler.work._fitting else None
    scheduler.submit(dropped)
    assert gate.entered.wait(5)
    runs = len(dummy_engine.batch_sizes)
    scheduler.cancel(dropped)
    assert scheduler.work.pending == 6
    gate.open.set()
    wait_until(lambda: scheduler.work.pending == 0)
    assert len(dummy_engine.batch_sizes) == runs + 1  # the look that it was dropped at
    assert scheduler.work._fitting == 0


def test_large_images_that_wait_for_their_turn_leave_the_threads_to_small_ones(
    make, monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    large = encode(np.full((80, 80, 3), 255, np.uint8))
    monkeypatch.setattr(scheduler_module, "LARGE_PIXELS", 70 * 70)
    gate, most, now = Gate(), [], []

    class Slow(Localizer):
        def prepare(self, source: bytes) -> PreparedImage:
            if source != large:
                return super().prepare(source)
            now.append(1)
            most.append(len(now))
            gate(1)
            now.pop()
            return super().prepare(source)

    localizer = Slow(dummy_engine)
    scheduler = make(pool_threads=2)
    waiting = [job(localizer, [large] * 3 + [jpeg]), *(job(localizer, [large]) for _ in range(3))]
    for one in waiting:
        scheduler.submit(one)
    assert gate.entered.wait(5)
    for _ in range(2):
        small = job(localizer, [jpeg])
        scheduler.submit(small)
        small.done.result(5)
    dropped = waiting.pop()
    scheduler.cancel(dropped)
    gate.open.set()
    for one in waiting:
        one.done.result(10)
        assert one.answers == [str(index).encode() for index in range(len(one.answers))]
    assert most == [1] * 5  # one at a time
    assert scheduler.work.pending == 0


def test_idle_service_does_not_wait_for_more_images(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    scheduler = make(batch_wait=1.0, pool_threads=1)
    started = time.monotonic()
    one = job(dummy_localizer, [jpeg])
    scheduler.submit(one)
    one.done.result(10)
    assert time.monotonic() - started < 0.5


def test_small_request_overtakes_a_huge_one(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    dummy_engine.delay_s = 0.02
    scheduler = make(max_batch=1, max_pending=128)
    huge, small = job(dummy_localizer, [jpeg] * 60), job(dummy_localizer, [jpeg])
    scheduler.submit(huge)
    wait_until(lambda: len(dummy_engine.batch_sizes) >= 3)
    scheduler.submit(small)
    small.done.result(10)
    assert huge.unanswered > 40


@pytest.mark.parametrize("mode", ["attention", "common"])
def test_only_the_jobs_that_make_the_network_fail_fail(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes, mode: str
) -> None:
    # No common object: a second look at the white square would be white itself.
    dummy_localizer.fit_features = lambda images, features, hints, check: FittedSet(None)
    gate = Gate()
    dummy_engine.before_run = gate
    scheduler = make()
    first = job(dummy_localizer, [jpeg])
    scheduler.submit(first)
    assert gate.entered.wait(5)
    white = encode(np.full((64, 64, 3), 255, dtype=np.uint8))
    good, bad = job(dummy_localizer, [jpeg] * 2, mode), job(dummy_localizer, [white] * 2, mode)
    scheduler.submit(good)
    scheduler.submit(bad)
    wait_until(lambda: len(scheduler.work._ready_queue) == 4)
    run = dummy_engine.run

    def refuse_white(images: np.ndarray) -> object:
        if images.min() > 0.9 or images.mean() > 0.5:
            raise RuntimeError("white")
        return run(images)

    dummy_engine.run = refuse_white
    gate.open.set()
    good.done.result(10)
    with pytest.raises(InferenceFailed):
        bad.done.result(10)
    wait_until(lambda: scheduler.work.pending == 0)


def test_unexpected_errors_of_the_decoder_spare_the_set(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    prepare = dummy_localizer.prepare

    def fail_on_magic(source: bytes) -> object:
        if source == b"magic":
            raise AttributeError("nobody expects this")
        return prepare(source)

    dummy_localizer.prepare = fail_on_magic
    one = job(dummy_localizer, [jpeg, b"magic"])
    make().submit(one)
    one.done.result(10)
    assert (one.answers, one.errors[1].code) == ([b"0", b""], "undecodable")


@pytest.mark.parametrize("mode", ["attention", "common"])
def test_what_is_not_finite_is_the_error_of_its_image(
    make, recorder: Recorder, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes, mode: str
) -> None:
    dark = np.zeros((64, 64, 3), np.uint8)
    dark[16:32, 16:32] = 128
    dummy_engine.spoils = lambda one: float(one.max()) < 0.9
    one, scheduler = job(dummy_localizer, [jpeg, encode(dark), jpeg], mode), make()
    scheduler.submit(one)
    one.done.result(10)
    assert (one.answers, one.errors[1].code, one.mode) == ([b"0", b"", b"2"], "not_finite", mode)
    assert sorted(recorder.codes) == ["not_finite", "ok", "ok"]
    wait_until(lambda: scheduler.work.pending == 0)


def test_set_with_nothing_in_common_is_answered_in_attention_mode(
    make, dummy_localizer: Localizer, jpeg: bytes
) -> None:
    dummy_localizer.fit_features = lambda images, features, hints, check: FittedSet(None)
    one = job(dummy_localizer, [jpeg] * 3, "common")
    make().submit(one)
    one.done.result(10)
    assert (one.mode, one.answers) == ("attention", [b"0", b"1", b"2"])


def test_bound_is_in_images_and_retry_after_comes_from_the_rate(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    gate = Gate()
    scheduler = make(max_pending=10)
    dummy_engine.before_run = gate
    waiting = job(dummy_localizer, [jpeg] * 8)
    scheduler.submit(waiting)
    scheduler.work.check(2)
    with pytest.raises(Overloaded):
        scheduler.submit(job(dummy_localizer, [jpeg] * 3))
    scheduler.work._rate.rate = 0.5  # images a second
    scheduler.work._limits = SchedulerLimits(10, 1, 8, 0.05, 2, 1000.0)
    with pytest.raises(Overloaded) as caught:
        scheduler.work.check(5)  # three too many: six seconds
    assert caught.value.retry_after == 6
    gate.open.set()
    waiting.done.result(10)


def test_images_that_cannot_be_read_do_not_make_the_rate_look_better(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    dummy_engine.delay_s = 0.02
    scheduler = make(max_batch=1)
    for sources in ([jpeg] * 10, [b"no image"] * 60):
        one = job(dummy_localizer, sources)
        scheduler.submit(one)
        one.done.result(10)
    assert scheduler.work.rate < 50


def test_what_cannot_be_answered_in_time_is_not_accepted(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    gate = Gate()
    dummy_engine.before_run = gate
    scheduler = make(deadline=4.0)
    scheduler.work._rate.rate = 2.0
    scheduler.work.check(60)  # an idle service takes any job that has room
    waiting = job(dummy_localizer, [jpeg] * 6)
    scheduler.submit(waiting)
    scheduler.work.check(2)  # 8 images take 4 s
    with pytest.raises(Overloaded) as caught:
        scheduler.work.check(7)  # 13 images take 6.5 s
    assert caught.value.retry_after == 3
    gate.open.set()
    waiting.done.result(10)


def test_images_refused_before_they_came_are_counted(
    make, recorder: Recorder, dummy_localizer: Localizer, jpeg: bytes
) -> None:
    too_large = ImageError("file_too_large", "9 bytes, at most 8 are allowed")
    for sources in ([jpeg, too_large], [too_large]):
        one = job(dummy_localizer, sources)
        make().submit(one)
        one.done.result(10)
    assert sorted(recorder.codes) == ["file_too_large", "file_too_large", "ok"]


def test_inputs_are_let_go_once_the_network_has_run(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    sizes: list[int] = []
    finish = dummy_localizer.finish
    dummy_localizer.finish = lambda prepared, *rest, **more: (
        sizes.append(prepared.input.size),
        finish(prepared, *rest, **more),
    )[1]
    one = job(dummy_localizer, [jpeg] * 3, "common")
    make().submit(one)
    one.done.result(10)
    assert sizes == [0, 0, 0]


def test_cancelled_job_is_dropped_wherever_it_is(
    make, recorder: Recorder, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    gate = Gate()
    dummy_engine.before_run = gate
    scheduler = make(max_batch=2)
    log: list[int] = []
    dropped, kept = job(dummy_localizer, [jpeg] * 12, "common", log), job(dummy_localizer, [jpeg])
    scheduler.submit(dropped)
    assert gate.entered.wait(5)
    wait_until(lambda: scheduler.work._decoding == 0)
    scheduler.cancel(dropped)
    scheduler.cancel(dropped)  # a second time changes nothing
    scheduler.submit(kept)
    assert scheduler.work.pending == dropped.working + 1
    gate.open.set()
    kept.done.result(10)
    wait_until(lambda: scheduler.work.pending == 0)
    assert log == []
    assert sum(dummy_engine.batch_sizes) <= 3  # the batch that ran when it was dropped, and the kept one
    assert recorder.codes.count("dropped") == 12
    assert recorder.pending_images == 0


def test_new_model_is_used_by_new_jobs_only(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    gate = Gate()
    old_engine, new_engine = DummyEngine(before_run=gate), DummyEngine()
    scheduler = make()
    old, new = job(Localizer(old_engine), [jpeg] * 3), job(Localizer(new_engine), [jpeg] * 2)
    scheduler.submit(old)
    assert gate.entered.wait(5)
    scheduler.submit(new)
    wait_until(lambda: scheduler.work._decoding == 0)
    gate.open.set()
    old.done.result(10)
    new.done.result(10)
    assert (sum(old_engine.batch_sizes), sum(new_engine.batch_sizes)) == (3, 2)


def test_closing_ends_what_waits(make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes) -> None:
    gate = Gate()
    dummy_engine.before_run = gate
    scheduler = make()
    waiting = job(dummy_localizer, [jpeg] * 3)
    scheduler.submit(waiting)
    assert gate.entered.wait(5)
    threading.Timer(0.1, gate.open.set).start()
    scheduler.close()
    with pytest.raises(Stopped):
        waiting.done.result(1)
    with pytest.raises(Stopped):
        scheduler.submit(job(dummy_localizer, [jpeg]))


def test_age_is_told(make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes) -> None:
    gate = Gate()
    dummy_engine.before_run = gate
    scheduler = make()
    assert scheduler.work.oldest_age() == 0.0
    one = job(dummy_localizer, [jpeg])
    scheduler.submit(one)
    assert gate.entered.wait(5)
    time.sleep(0.05)
    assert scheduler.work.oldest_age() >= 0.05
    gate.open.set()
    one.done.result(10)
    assert scheduler.work.oldest_age() == 0.0


def test_lanes_run_side_by_side_and_one_that_hangs_does_not_stop_the_others(
    make, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes
) -> None:
    gate = Gate()
    dummy_engine.before_run = gate
    scheduler = make(lanes=2, max_batch=1)
    stuck = job(dummy_localizer, [jpeg])
    scheduler.submit(stuck)
    assert gate.entered.wait(5)
    dummy_engine.before_run = None
    others = [job(dummy_localizer, [jpeg] * 5, mode) for mode in ("attention", "common")]
    for other in others:
        scheduler.submit(other)
    for other in others:
        other.done.result(10)
        assert all(other.answers)
    assert not stuck.done.done()
    gate.open.set()
    stuck.done.result(10)


@pytest.mark.parametrize("lanes", [1, 3])
def test_many_jobs_from_many_threads_leave_nothing_behind(
    make, recorder: Recorder, dummy_localizer: Localizer, jpeg: bytes, lanes: int
) -> None:
    scheduler = make(max_pending=2000, pool_threads=4, lanes=lanes, max_batch=8 // lanes)
    jobs = [job(dummy_localizer, [jpeg] * (1 + i % 5), "common" if i % 2 else "attention") for i in range(60)]

    def submit(part: list[Job]) -> None:
        for index, one in enumerate(part):
            scheduler.submit(one)
            if index % 3 == 0:
                scheduler.cancel(one)

    threads = [threading.Thread(target=submit, args=(jobs[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [one for start in range(4) for index, one in enumerate(jobs[start::4]) if index % 3]
    for one in kept:
        one.done.result(20)
        assert all(one.answers)
    wait_until(lambda: scheduler.work.pending == 0)
    assert recorder.codes.count("ok") >= sum(len(one.answers) for one in kept)
    assert len(recorder.codes) == sum(len(one.answers) for one in jobs)


@pytest.mark.parametrize("broken", ["prepare", "run", "fit_features", "finish", "render"])
def test_log_lines_of_the_threads_name_the_request(
    make, dummy_localizer: Localizer, jpeg: bytes, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    one = job(dummy_localizer, [jpeg] * 3, "common")
    one.request_id = "mine"
    setattr(one if broken == "render" else dummy_localizer, broken, fail)
    make().submit(one)
    wait_until(one.done.done)
    records = [record for record in caplog.records if record.name.startswith("service.inference")]
    assert records
    assert {record.request_id for record in records} == {"mine"}
    entry = json.loads(JsonFormatter().format(records[0]))
    assert (entry["request_id"], "out of memory" in entry["exception"]) == ("mine", True)


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError(), OSError(12, "Cannot allocate memory"), KeyError("a")]
)
@pytest.mark.parametrize("broken", ["prepare", "run", "fit_features", "finish", "render"])
def test_every_call_that_raises_fails_its_request_and_no_other(
    make, recorder: Recorder, dummy_localizer: Localizer, dummy_engine: DummyEngine, jpeg: bytes, broken: str,
    error: Exception,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise error

    scheduler, sane = make(), Localizer(dummy_engine)
    bad = job(dummy_localizer, [jpeg] * 3, "common")
    setattr(bad if broken == "render" else dummy_localizer, broken, fail)
    good = [job(sane, [jpeg] * 3, "common") for _ in range(3)]
    for one in (good[0], bad, *good[1:]):
        scheduler.submit(one)
    for one in good:
        one.done.result(10)
        assert all(one.answers)
    if broken == "prepare":  # only the images' fault, as far as anybody can tell
        bad.done.result(10)
        assert {error.code for error in bad.errors.values()} == {"undecodable"}
    else:
        with pytest.raises(InferenceFailed):
            bad.done.result(10)
    wait_until(lambda: scheduler.work.pending == 0)
    assert len(recorder.codes) == 12
    again = job(sane, [jpeg])
    scheduler.submit(again)
    again.done.result(10)


def test_images_that_cannot_be_read_do_not_use_up_the_sample(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    dummy_localizer.set_sample_size = 4
    seen: list[int] = []
    fit = dummy_localizer.fit_features
    dummy_localizer.fit_features = lambda images, features, hints, check: (
        seen.append(len(images)),
        fit(images, features, check=check),
    )[1]
    sources = [b"no image"] * 10 + [jpeg, b""] * 4 + [ImageError("file_too_large", "9 bytes")] * 5
    one = job(dummy_localizer, sources, "common")
    make().submit(one)
    one.done.result(10)
    assert (seen, one.mode, len(one.errors)) == ([4], "common", 19)
    assert [index for index, answer in enumerate(one.answers) if answer] == [10, 12, 14, 16]


def test_image_alone_does_not_wait_behind_the_sets_of_others(make, dummy_localizer: Localizer, jpeg: bytes) -> None:
    fit, gate = dummy_localizer.fit_features, Gate()

    def slow_fit(images: list, features: list, hints: dict, check: Callable[[], None]) -> object:
        gate(1)
        return fit(images, features)

    dummy_localizer.fit_features = slow_fit
    scheduler = make(pool_threads=2)
    large = job(dummy_localizer, [jpeg] * 2, "common")
    scheduler.submit(large)
    assert gate.entered.wait(5)
    alone = job(dummy_localizer, [jpeg], "common")
    scheduler.submit(alone)
    alone.done.result(5)
    assert (alone.mode, large.done.done()) == ("attention", False)
    gate.open.set()
    large.done.result(10)


def test_hint_outside_its_image_ends_its_job_alone(
    make, dummy_localizer: Localizer, recorder: Recorder, jpeg: bytes
) -> None:
    scheduler = make()
    wrong, right = (
        Job([jpeg] * 3, localizer=dummy_localizer, names=["a", "b", "c"], options=JobOptions(hints={1: hint}))
        for hint in (ImageHints(((0, 0, 64, 65),)), ImageHints(((0, 0, 64, 64),)))
    )
    scheduler.submit(wrong)
    scheduler.submit(right)
    with pytest.raises(HintError, match="does not lie in 'b'"):
        wrong.done.result(10)
    right.done.result(10)
    wait_until(lambda: recorder.pending_images == 0)
    assert (recorder.codes.count("dropped"), recorder.codes.count("ok")) == (3, 3)


def test_job_that_only_fits_finishes_no_image(
    make, dummy_localizer: Localizer, recorder: Recorder, jpeg: bytes
) -> None:
    rendered: list[int] = []
    for sources, has_common in (([jpeg, jpeg, b""], True), ([jpeg, b""], False)):
        made = Job(
            sources,
            localizer=dummy_localizer,
            options=JobOptions(only_fits=True),
            render=lambda index, *_: rendered.append(index) or b"",
        )
        make().submit(made)
        made.done.result(10)
        assert ((made.common is not None), list(made.errors)) == (has_common, [len(sources) - 1])
    assert (rendered, recorder.pending_images) == ([], 0)
    assert recorder.codes.count("ok") == 3
