from collections.abc import Iterator

import pytest
import torch

from training import threads
from training.threads import set_threads


@pytest.fixture(autouse=True)
def torch_threads_kept() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "of_torch", "granted", "taken"),
    [
        (3, 1, 1, 3),  # what is asked for is taken
        (None, 1, 4, 1),  # OMP_NUM_THREADS=1, as torchrun sets it
        (None, 4, 2, 2),  # a container's quota, which torch does not see
    ],
)
def test_threads(asked: int | None, of_torch: int, granted: int, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(of_torch)
    monkeypatch.setattr(threads, "usable_cores", lambda: granted)
    assert set_threads(asked) == taken
    assert torch.get_num_threads() == taken
