"""Which images of a set the common object is estimated from: spread evenly over those that can be read."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from colocalization.common_object import sample_indices

__all__ = ["choose_sample", "read_sample", "sampling_order"]

Value = TypeVar("Value")

_LEAST_TRIED = 8
"""Images that are tried side by side, even where a single one is missing: threads have enough to do, and a set whose
last images are damaged is not read one by one."""


def sampling_order(count: int, limit: int, always: Collection[int] = ()) -> Iterator[int]:
    """All indices of a set in the order in which a sample takes them, however far it has to go.

    Args:
        count: Size of the set.
        limit: Most indices in a sample, at least 1.
        always: Indices that belong to every sample, as those of hinted images.

    Yields:
        First those that always belong to it, then as many of `sample_indices` as there is room for, then the others so
        that every beginning of the order is spread over the set.

    Example:
        >>> list(sampling_order(8, 2))
        [0, 4, 2, 6, 1, 5, 3, 7]
        >>> list(sampling_order(8, 3, always=[7]))
        [7, 0, 4, 2, 6, 1, 5, 3]
    """
    yield from sorted(always)
    taken = set(always)
    first = [index for index in sample_indices(count, max(1, limit - len(taken))).tolist() if index not in taken]
    yield from first
    taken.update(first)
    # Counting with the bits of the number reversed halves the gaps again and again.
    bits = max(count - 1, 0).bit_length()
    for number in range(1 << bits):
        index = int(f"{number:0{bits}b}"[::-1], 2) if bits else number
        if index < count and index not in taken:
            yield index


def choose_sample(count: int, limit: int, always: Collection[int] = ()) -> list[int]:
    """The sample of a set of which every image can be read, in the order of the set.

    Args:
        count: Size of the set.
        limit: Most images in a sample, at least 1; more only where more always belong to it.
        always: Indices that belong to it in any case.

    Example:
        >>> choose_sample(8, 3, always=[7]), choose_sample(8, 2, always=[1, 2, 3])
        ([0, 4, 7], [1, 2, 3])
    """
    return sorted(islice(sampling_order(count, limit, always), max(limit, len(always))))


def read_sample(
    count: int,
    limit: int,
    read: Callable[[Sequence[int]], Iterable[Value | None]],
    always: Collection[int] = (),
) -> dict[int, Value]:
    """Read images of a set until a sample of them could be read, or all were tried.

    Which images are in the sample depends on the set alone: not on how many are read side by side, nor on what an
    earlier run has done.

    Args:
        count: Size of the set.
        limit: Most images in a sample, at least 1.
        read: Reads the images with these indices; gives a value for each, in order, or None where that failed, for
            whatever reason. Called with at most `limit` indices (or 8, if that is less, or the number of those that
            always belong to it, if that is more); never twice with the same.
        always: Indices that belong to the sample wherever they can be read, as those of hinted images.

    Returns:
        What was read, by index, in the order of the set. At most `limit`, or as many as always belong to it; fewer only
        where no more can be read.

    Example:
        >>> read_sample(10, 3, lambda indices: [index if index > 5 else None for index in indices])
        {6: 6, 8: 8, 9: 9}
    """
    order = sampling_order(count, limit, always)
    limit = max(limit, len(always))
    sample: dict[int, Value] = {}
    while len(sample) < limit:
        tried = list(islice(order, max(limit - len(sample), min(limit, _LEAST_TRIED))))
        if not tried:
            break
        for index, value in zip(tried, read(tried), strict=True):
            if value is not None and len(sample) < limit:
                sample[index] = value
    return dict(sorted(sample.items()))
