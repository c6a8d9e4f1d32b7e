"""Rates of a run while all of it works, and how the ways of a round are set against each other."""

import pytest

from benchmarks import ray_speed
from benchmarks.process_tree import Sample, WatchedRun
from benchmarks.ray_output import ray_role
from benchmarks.ray_speed import WAYS, Steady, steady_state
from training.errors import TrainingError

SAMPLES = [
    Sample(0, {"driver": 0.0}, {"driver": [100.0]}),
    Sample(20, {"driver": 1.0, "worker": 20.0}, {"driver": [120.0], "worker": [300.0, 310.0]}),
]


def test_one_worker_is_measured_from_its_first_part_to_its_last() -> None:
    """Parts of 4, 6 and 10 images at 8, 11 and 16 s: 16 in 8 s, so the first four were begun at 6 s."""
    told = steady_state(WatchedRun(0, samples=SAMPLES), [(8, 4), (11, 6), (16, 10)], 1)
    assert told.per_second == pytest.approx(2)
    assert told.start_seconds == pytest.approx(6)
    assert told.cpu_ms == pytest.approx({"driver": 1e3 * 0.4 / 16, "worker": 1e3 * 8 / 16})
    assert told.peak_mb == {"driver": 120.0, "worker": 310.0}


def test_two_workers_are_measured_while_both_have_work() -> None:
    """The last part alone is left out at the end, and at the beginning the first: from 10 s to 14 s, 4 images."""
    finished = [(9, 2), (10, 2), (12, 2), (14, 2), (20, 2)]
    assert steady_state(WatchedRun(0, samples=SAMPLES), finished, 2).per_second == pytest.approx(1)


def test_too_few_results_are_refused() -> None:
    with pytest.raises(TrainingError, match="expected more than 4 results to tell a rate, got 2"):
        steady_state(WatchedRun(0), [(1, 1), (2, 1)], 2)


def test_images_in_the_journal_are_counted_as_it_grows() -> None:
    journal = b"head\n1\n22\n333\n"
    run = WatchedRun(0, sizes=[(1.0, 5), (2.0, 7), (2.5, 9), (3.0, 14)])  # at 2.5 s the second line is half there
    assert ray_speed._journalled(run, journal) == [(2.0, 1), (3.0, 2)]


def test_what_a_process_is_is_told_by_its_command() -> None:
    assert ray_role(["ray::MapWorker(MapBatches(PartScorer)).submit"]) == "worker"
    assert ray_role(["python", "-m", "colocalization.commands.main", "score", "images"]) == "driver"
    assert ray_role(["raylet", "--node_ip_address=127.0.0.1"]) == "ray"


def test_ratios_are_those_of_each_round() -> None:
    one, other = ([Steady(rate, {"driver": 1.0}, 2.0, {}) for rate in rates] for rates in ((9, 20, 5), (10, 10, 10)))
    assert ray_speed._over(one, other) == [0.9, 0.5, 2.0]


def test_all_ratios_are_of_ways_that_are_run() -> None:
    assert {name for pair in ray_speed._RATIOS for name in pair} <= set(WAYS)
