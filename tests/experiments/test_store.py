"""Arrays on the disk come back as they went in."""

import numpy as np
import pytest

from experiments.store import ArrayStore


def test_arrays_come_back() -> None:
    arrays = [np.random.default_rng(index).normal(size=(3, 2)).astype(np.float32) for index in range(5)]
    with ArrayStore() as store:
        for array in arrays:
            store.append(array)
        assert len(store) == 5
        assert np.array_equal(store[3], arrays[3])
        assert np.array_equal(store[-1], arrays[4])
        assert np.array_equal(np.stack(list(store)), np.stack(arrays))
        assert np.array_equal(np.stack(store[1:3]), np.stack(arrays[1:3]))


def test_views_are_stored_as_they_look() -> None:
    with ArrayStore() as store:
        store.append(np.arange(6, dtype=np.float32).reshape(2, 3).T)
        assert store[0].tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("other", [np.zeros((3, 2), np.float32), np.zeros((2, 3), np.float64)])
def test_one_shape_and_type(other: np.ndarray) -> None:
    with ArrayStore() as store:
        store.append(np.zeros((2, 3), np.float32))
        with pytest.raises(ValueError, match="expected float32 of shape"):
            store.append(other)


def test_outside() -> None:
    with ArrayStore() as store, pytest.raises(IndexError, match="outside a store of 0"):
        store[0]
