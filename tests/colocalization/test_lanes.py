"""Runs of the network in lanes, and which engine runs them."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from colocalization.lanes import ElasticEngine, LaneEngine, Lanes
from tests.dummy_engine import METADATA, DummyEngine
from tests.service.conftest import wait_until

ONE = np.zeros((1, 3, 32, 32), np.float32)


def in_threads(count: int, call: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.parametrize("count", [1, 3])
def test_runs_overlap_up_to_the_number_of_lanes(count: int) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def before(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    engine = LaneEngine(DummyEngine(before_run=before), Lanes(count))
    for thread in in_threads(9, lambda: engine.run(ONE)):
        thread.join()
    assert most == count


def test_who_waits_longest_is_next() -> None:
    lanes, order = Lanes(1), []

    def take(name: int) -> None:
        with lanes.turn():
            order.append(name)

    threads = []
    with lanes.turn():
        for name in range(5):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            wait_until(lambda: len(lanes._waiting) == len(threads))
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_time_of_the_longest_run_is_told_and_waiting_does_not_count() -> None:
    lanes, leave = Lanes(2), threading.Event()
    assert lanes.busy_for() == 0.0

    def hold() -> None:
        with lanes.turn():
            leave.wait(5)

    threads = in_threads(1, hold)
    time.sleep(0.1)
    with lanes.turn():  # a short run beside it does not hide it
        assert lanes.busy_for() >= 0.1
        threads += in_threads(1, hold)  # waits
        time.sleep(0.05)
    assert lanes.busy_for() >= 0.15
    leave.set()
    for thread in threads:
        thread.join()
    assert lanes.busy_for() == 0.0


def test_lane_is_given_up_where_the_network_raises() -> None:
    def fail(_: int) -> None:
        raise RuntimeError("no")

    lanes = Lanes(1)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            LaneEngine(DummyEngine(before_run=fail), lanes).run(ONE)
    assert lanes.busy_for() == 0.0


def test_run_that_is_alone_gets_the_engine_for_it() -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold(_: int) -> None:
        inside.set()
        assert leave.wait(5)

    several, alone = DummyEngine(), DummyEngine()
    engine = ElasticEngine(several, alone)
    engine.run(ONE)
    assert (len(several.batch_sizes), len(alone.batch_sizes)) == (0, 1)
    alone.before_run = hold
    threads = in_threads(1, lambda: engine.run(ONE))
    assert inside.wait(5)
    engine.run(ONE)
    assert len(several.batch_sizes) == 1
    leave.set()
    threads[0].join()
    alone.before_run = None
    engine.run(ONE)
    assert (len(several.batch_sizes), len(alone.batch_sizes)) == (1, 3)


def test_engine_that_raises_leaves_the_count_right() -> None:
    def fail(_: int) -> None:
        raise RuntimeError("no")

    several, alone = DummyEngine(), DummyEngine(before_run=fail)
    engine = ElasticEngine(several, alone)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            engine.run(ONE)
    assert several.batch_sizes == []


def test_say_of_themselves_what_the_engine_says() -> None:
    inner = DummyEngine(provider_warning="none")
    for engine in (LaneEngine(inner, Lanes(1)), ElasticEngine(inner, DummyEngine())):
        assert (engine.metadata, engine.sha256, engine.provider, engine.provider_warning) == (
            METADATA, "0" * 64, "CPUExecutionProvider", "none",
        )  # fmt: skip
