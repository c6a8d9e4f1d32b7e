from collections.abc import Sequence

import pytest

from colocalization.common_object import sample_indices
from colocalization.sampling import choose_sample, read_sample, sampling_order


@pytest.mark.parametrize(("count", "limit"), [(0, 3), (1, 3), (3, 3), (13, 4), (64, 64), (100, 1), (318, 64)])
def test_the_order_has_every_index_once_and_begins_with_the_plain_sample(count: int, limit: int) -> None:
    order = list(sampling_order(count, limit))
    assert sorted(order) == list(range(count))
    first = sample_indices(count, limit).tolist()
    assert order[: len(first)] == first


def test_every_beginning_of_the_order_is_spread_over_the_set() -> None:
    order = list(sampling_order(1024, 16))
    for length in (32, 64, 128, 256):
        quarters = [sum(index * 4 // 1024 == quarter for index in order[:length]) for quarter in range(4)]
        assert max(quarters) - min(quarters) <= length // 16


@pytest.mark.parametrize(
    ("readable", "expected"),
    [
        (range(10), [0, 2, 5, 7]),  # all: as sample_indices
        (range(6), [0, 2, 4, 5]),  # 0, 2 and 5 of those, then the first of 8, 4, ...
        ([9], [9]),
        ([], []),
    ],
)
def test_a_sample_is_made_of_what_can_be_read(readable: Sequence[int], expected: list[int]) -> None:
    tried: list[int] = []

    def read(indices: Sequence[int]) -> list[int | None]:
        tried.extend(indices)
        return [index if index in readable else None for index in indices]

    assert list(read_sample(10, 4, read)) == expected
    assert len(tried) == len(set(tried))  # none twice


def test_readable_images_among_many_that_are_not_are_all_found() -> None:
    """As 18 photographs among 1,300 files of another format."""
    readable = set(range(1300, 1318))
    sample = read_sample(1318, 64, lambda indices: [index if index in readable else None for index in indices])
    assert set(sample) == readable


def test_what_is_read_beyond_the_limit_is_not_in_the_sample() -> None:
    """One is missing at a time, eight are tried side by side: which are in the sample does not depend on that."""
    damaged = {0}
    sample = read_sample(100, 10, lambda indices: [None if index in damaged else index for index in indices])
    assert list(sample) == [10, 20, 30, 40, 50, 60, 64, 70, 80, 90]


def test_no_more_than_the_limit_is_ever_read_at_once() -> None:
    sizes: list[int] = []

    def read(indices: Sequence[int]) -> list[None]:
        sizes.append(len(indices))
        return [None] * len(indices)

    assert read_sample(200, 16, read) == {}
    assert (max(sizes), sum(sizes)) == (16, 200)


def test_hinted_images_belong_to_every_sample() -> None:
    assert choose_sample(100, 4, always=[99, 1]) == [0, 1, 50, 99]
    assert choose_sample(100, 2, always=[3, 5, 7]) == [3, 5, 7]
    for count in (1, 5, 64, 100):
        order = list(sampling_order(count, 8, always=[count - 1]))
        assert sorted(order) == list(range(count))
        assert choose_sample(count, 8, always=[count - 1]) == sorted(order[:8])


def test_what_always_belongs_to_a_sample_and_cannot_be_read_is_replaced() -> None:
    def read(indices: Sequence[int]) -> list[int | None]:
        return [None if index == 7 else index for index in indices]

    assert list(read_sample(8, 3, read, always=[6, 7])) == [0, 4, 6]
    assert list(read_sample(8, 1, read, always=[5, 6, 7])) == [0, 5, 6]
