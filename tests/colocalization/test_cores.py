from pathlib import Path

import cv2
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from colocalization.cores import bound_libraries, usable_cores


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu.max": "250000 100000"}, 2),  # two and a half
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "9900000 100000"}, 64),  # more than there are
        ({"cpu.max": "nonsense"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),  # version 1
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({}, 64),
    ],
)
def test_the_quota_of_a_container_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert usable_cores(tmp_path) == cores


def test_libraries_stay_in_the_thread_that_calls_them() -> None:
    before = cv2.getNumThreads()
    try:
        with threadpool_limits(2, user_api="blas"):  # gives back what the others had
            assert np.ones((2, 2)) @ np.ones(2) is not None
            bound_libraries()
            threads = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
            assert set(threads) == {1}
            assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)
