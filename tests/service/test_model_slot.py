"""The model in use, its first run and its replacement."""

import pytest

from colocalization.errors import ModelError
from colocalization.localizer import Localizer
from service.model_slot import ModelSlot
from tests.dummy_engine import DummyEngine


def test_warm_up_runs_the_smallest_and_the_largest_batch() -> None:
    engine = DummyEngine()
    slot = ModelSlot(lambda: Localizer(engine), lambda _: 5)
    assert (slot.warm, engine.batch_sizes) == (False, [])
    slot.warm_up()
    assert (slot.warm, engine.batch_sizes[:2]) == (True, [1, 5])


def test_old_model_stays_where_the_new_one_cannot_be_loaded_or_run() -> None:
    def fail(_: int) -> None:
        raise RuntimeError("wrong shape")

    old = Localizer(DummyEngine())
    nexts = iter([old, ModelError("damaged"), Localizer(DummyEngine(before_run=fail)), Localizer(DummyEngine())])

    def load() -> Localizer:
        following = next(nexts)
        if isinstance(following, Exception):
            raise following
        return following

    slot = ModelSlot(load, lambda _: 2)
    for expected in (ModelError, RuntimeError):
        with pytest.raises(expected):
            slot.reload()
        assert slot.current is old
    slot.reload()
    assert slot.current is not old
