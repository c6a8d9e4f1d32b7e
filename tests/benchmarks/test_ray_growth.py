"""Memory over the time of a run."""

from benchmarks.process_tree import Sample
from benchmarks.ray_growth import tenths


def test_each_tenth_has_the_median_of_its_samples() -> None:
    """The largest worker counts, and of Ray's own processes all together."""
    samples = [
        Sample(10 + second, {}, {"driver": [100.0 + second], "worker": [50.0, 60.0 + second], "ray": [1.0, 2.0]})
        for second in range(21)
    ]
    told = tenths(samples, 10, 30)
    assert told["driver"] == [100.5, 102.5, 104.5, 106.5, 108.5, 110.5, 112.5, 114.5, 116.5, 119.0]
    assert told["worker"][0] == 60.5
    assert told["ray"] == [3.0] * 10


def test_tenths_without_a_sample_are_left_out() -> None:
    assert tenths([Sample(0, {}, {"driver": [1.0]}), Sample(10, {}, {"driver": [2.0]})], 0, 10)["driver"] == [1.0, 2.0]
