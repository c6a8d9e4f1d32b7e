"""The measured rate."""

import pytest

from service.inference.rate import RateMeter


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rate_of_steady_work() -> None:
    clock = Clock()
    meter = RateMeter(clock)
    assert (meter.rate, meter.seconds_for(5)) == (None, None)
    meter.resume()
    for _ in range(10):
        clock.now += 0.25
        meter.finished()
    assert meter.rate == pytest.approx(4)
    assert meter.seconds_for(10) == pytest.approx(2.5)


def test_time_without_work_does_not_count() -> None:
    clock = Clock()
    meter = RateMeter(clock)
    for _ in range(5):
        meter.resume()
        clock.now += 0.5
        meter.finished()
        meter.pause()
        clock.now += 1000
    assert meter.rate == pytest.approx(2)


def test_rate_follows_a_change_within_about_its_memory() -> None:
    clock = Clock()
    meter = RateMeter(clock, memory=10)
    meter.resume()
    for _ in range(100):
        clock.now += 1.0
        meter.finished()
    for _ in range(100):
        clock.now += 0.1
        meter.finished()
    assert meter.rate == pytest.approx(10, rel=0.01)
