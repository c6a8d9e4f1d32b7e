import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from scoring.pipeline import PipelineSizes, ordered_map, run_pipeline


def double_all(numbers: Sequence[int]) -> Sequence[int]:
    return [2 * number for number in numbers]


def same(number: int) -> int:
    return number


class Gauge:
    """How many items are between `enter` and `leave`, and the most there ever were."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def enter(self, number: int) -> int:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        return number

    def leave(self) -> None:
        with self._lock:
            self.now -= 1


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 100])
@pytest.mark.parametrize(
    "sizes", [PipelineSizes(1, 1, 1), PipelineSizes(1, 4, 2), PipelineSizes(4, 2, 3), PipelineSizes(7, 1, 1)]
)
def test_results_come_in_order_whatever_the_sizes_and_the_timing(count: int, sizes: PipelineSizes) -> None:
    def prepare(number: int) -> int:
        time.sleep((number * 7 % 5) * 0.0002)
        return number + 1

    results = list(run_pipeline(range(count), prepare, double_all, lambda number: -number, sizes))
    assert results == [-2 * (number + 1) for number in range(count)]


def test_the_network_gets_whole_batches() -> None:
    batches: list[int] = []

    def infer(numbers: Sequence[int]) -> Sequence[int]:
        batches.append(len(numbers))
        return numbers

    list(run_pipeline(range(10), same, infer, same, PipelineSizes(batch=4)))
    assert batches == [4, 4, 2]


@pytest.mark.parametrize(
    "sizes", [PipelineSizes(1, 1, 1), PipelineSizes(1, 3, 2), PipelineSizes(4, 1, 2), PipelineSizes(8, 2, 3)]
)
def test_what_is_in_flight_does_not_grow_with_the_number_of_items(sizes: PipelineSizes) -> None:
    gauge = Gauge()
    for _ in run_pipeline((gauge.enter(number) for number in range(500)), same, double_all, same, sizes):
        time.sleep(0.0005)  # a slow consumer must hold the stages before it back
        gauge.leave()
    assert gauge.now == 0
    assert sizes.batch < gauge.most <= sizes.in_flight


def test_stages_overlap() -> None:
    # The network only answers for the first batch once an image of the second has been prepared.
    second_prepared = threading.Event()

    def prepare(number: int) -> int:
        if number == 2:
            second_prepared.set()
        return number

    def infer(numbers: Sequence[int]) -> Sequence[int]:
        assert second_prepared.wait(10)
        return numbers

    assert list(run_pipeline(range(4), prepare, infer, same, PipelineSizes(2, 1, 1))) == [0, 1, 2, 3]


@pytest.mark.parametrize("failing", ["items", "prepare", "infer", "finish"])
def test_an_exception_in_any_stage_ends_the_run_and_reaches_the_caller(failing: str) -> None:
    begun: list[int] = []

    def check(stage: str, number: int) -> int:
        if stage == failing and number == 20:
            raise RuntimeError(f"{stage} of 20")
        return number

    def items() -> Iterator[int]:
        for number in range(10_000):
            begun.append(number)
            yield check("items", number)

    sizes = PipelineSizes(2, 2, 2)
    results: list[int] = []
    threads = threading.active_count()
    with pytest.raises(RuntimeError, match=f"{failing} of 20"):
        results.extend(
            run_pipeline(
                items(),
                lambda number: check("prepare", number),
                lambda numbers: [check("infer", number) for number in numbers],
                lambda number: check("finish", number),
                sizes,
            )
        )
    assert results == list(range(len(results)))
    assert len(results) <= 20
    assert len(begun) <= 21 + sizes.in_flight
    assert threading.active_count() == threads


def test_a_consumer_that_stops_ends_the_work() -> None:
    prepared: list[int] = []

    def prepare(number: int) -> int:
        prepared.append(number)
        return number

    sizes = PipelineSizes(2, 2, 2)
    threads = threading.active_count()
    with closing(run_pipeline(range(10_000), prepare, double_all, same, sizes)) as results:
        assert next(results) == 0
    assert len(prepared) <= sizes.in_flight
    assert threading.active_count() == threads


def test_calls_that_have_not_begun_are_cancelled() -> None:
    release = threading.Event()
    called: list[int] = []

    def block(number: int) -> int:
        called.append(number)
        if number > 0:
            assert release.wait(10)
        return number

    with ThreadPoolExecutor(1) as pool:
        results = ordered_map(pool, block, range(100), ahead=10)
        assert next(results) == 0
        results.close()
        release.set()
    assert len(called) <= 2


def test_lanes_run_at_the_same_time() -> None:
    # Each of three runs waits for the other two.
    together = threading.Barrier(3)

    def infer(numbers: Sequence[int]) -> Sequence[int]:
        together.wait(10)
        return numbers

    assert list(run_pipeline(range(3), same, infer, same, PipelineSizes(lanes=3))) == [0, 1, 2]


@pytest.mark.parametrize("name", ["batch", "lanes", "workers"])
def test_sizes_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        PipelineSizes(**{name: 0})
