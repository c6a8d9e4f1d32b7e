"""Descriptors are of unit length, and those of a look are made once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from colocalization.descriptors import descriptors


class TestDescriptors:
    def test_rows_are_cells_in_scan_order(self) -> None:
        features = np.array([[[3.0, 0.0], [1.0, 0.0]], [[4.0, 2.0], [0.0, 0.0]]])  # (C, h, w) = (2, 2, 2)
        assert descriptors(features).round(6).tolist() == [
            pytest.approx([0.6, 0.8]),
            [0.0, 1.0],
            [1.0, 0.0],
            [0.0, 0.0],  # nothing active: no direction
        ]

    def test_length_is_one(self) -> None:
        rows = descriptors(np.random.default_rng(0).standard_normal((5, 3, 4)) * 1e-3)
        assert (rows.shape, rows.dtype) == ((12, 5), np.float32)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


def test_descriptors_of_a_look_are_kept_and_those_of_what_may_change_are_not() -> None:
    features = np.array([[[3.0, 0.0]], [[4.0, 0.0]]], dtype=np.float32)
    expected = np.array([[0.6, 0.8], [0.0, 0.0]], dtype=np.float32)
    before = descriptors(features)
    features[1, 0, 1] = 2.0
    np.testing.assert_array_equal(before, expected)
    np.testing.assert_array_equal(descriptors(features)[1], [0.0, 1.0])
    features.flags.writeable = False
    kept = descriptors(features)
    assert descriptors(features) is kept
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1.0
    other = features * 1
    other.flags.writeable = False
    assert descriptors(other) is not kept
    np.testing.assert_array_equal(descriptors(features), kept)


def test_each_thread_keeps_its_own_descriptors() -> None:
    maps = [np.full((2, 1, 1), value, np.float32) for value in (1.0, -1.0)]
    for one in maps:
        one.flags.writeable = False
    with ThreadPoolExecutor(4) as pool:
        signs = list(pool.map(lambda index: float(descriptors(maps[index % 2])[0, 0]), range(200)))
    assert all((sign > 0) == (index % 2 == 0) for index, sign in enumerate(signs))
