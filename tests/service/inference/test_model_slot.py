"""The model in use, its first run and its replacement."""

import threading

import numpy as np
import pytest

from colocalization.errors import ModelError
from colocalization.localizer import Localizer
from service.inference.model_slot import ModelSlot
from service.settings import Settings
from tests.dummy_engine import DummyEngine


def test_warm_up_runs_the_smallest_and_the_largest_batch() -> None:
    engine = DummyEngine()
    slot = ModelSlot(lambda: Localizer(engine), Settings(max_batch=5, lanes=1))
    assert (slot.warm, engine.batch_sizes) == (False, [])
    slot.warm_up()
    assert (slot.warm, engine.batch_sizes[:2]) == (True, [1, 5])


def test_old_model_stays_where_the_new_one_cannot_be_loaded_or_run() -> None:
    def fail(_: int) -> None:
        raise RuntimeError("wrong shape")

    nexts = iter(
        [
            Localizer(DummyEngine()),
            ModelError("damaged"),
            Localizer(DummyEngine(before_run=fail)),
            Localizer(DummyEngine()),
        ]
    )

    def load() -> Localizer:
        following = next(nexts)
        if isinstance(following, Exception):
            raise following
        return following

    slot = ModelSlot(load, Settings())
    first = slot.current
    for expected in (ModelError, RuntimeError):
        with pytest.raises(expected):
            slot.reload()
        assert slot.current is first
    assert slot.reload() is first
    assert slot.current is not first


def test_reloads_at_the_same_time_each_tell_what_they_replaced() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: int) -> None:
        begun.set()
        assert go_on.wait(5)

    engines = iter([DummyEngine(sha256="1"), DummyEngine(sha256="2", before_run=hold), DummyEngine(sha256="3")])
    slot = ModelSlot(lambda: Localizer(next(engines)), Settings(lanes=1))
    replaced: list[str] = []
    reloads = [threading.Thread(target=lambda: replaced.append(slot.reload().engine.sha256)) for _ in range(2)]
    for reload in reloads:
        reload.start()
    assert begun.wait(5)
    go_on.set()
    for reload in reloads:
        reload.join(5)
    assert (sorted(replaced), slot.current.engine.sha256) == (["1", "2"], "3")


def test_warm_up_fills_all_lanes() -> None:
    together = threading.Barrier(3, timeout=5)
    left = iter(range(3))

    def before(_: int) -> None:
        if next(left, None) is not None:
            together.wait()

    slot = ModelSlot(lambda: Localizer(DummyEngine(before_run=before)), Settings(lanes=3))
    slot.warm_up()
    assert slot.warm


def test_old_and_new_model_share_the_lanes() -> None:
    inside = threading.Semaphore(0)
    leave = threading.Event()

    def hold(_: int) -> None:
        inside.release()
        assert leave.wait(5)

    engines = iter([DummyEngine(before_run=hold), DummyEngine()])
    slot = ModelSlot(lambda: Localizer(next(engines)), Settings(lanes=1))
    images = np.zeros((1, 3, 32, 32), np.float32)
    running = threading.Thread(target=slot.current.engine.run, args=(images,))
    running.start()
    assert inside.acquire(timeout=5)
    reloading = threading.Thread(target=slot.reload)
    reloading.start()
    reloading.join(0.1)
    assert reloading.is_alive()
    leave.set()
    reloading.join(5)
    running.join(5)
    assert not reloading.is_alive()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "the model cannot be loaded: MemoryError: no reason given"),
        (RuntimeError("CUDA out of memory\n#1 somewhere"), "cannot be loaded: RuntimeError: CUDA out of memory"),
    ],
)
def test_whatever_loading_raises_is_one_line(error: Exception, said: str) -> None:
    def load() -> Localizer:
        raise error

    with pytest.raises(ModelError) as caught:
        ModelSlot(load, Settings())
    assert caught.value.message.endswith(said)
    assert "\n" not in caught.value.message
