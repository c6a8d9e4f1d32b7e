"""Checkpoints: round trip, refusal of anything but data, atomic writing."""

import errno
import io
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from training import checkpoint as checkpoints
from training.checkpoint import Checkpoint, read_checkpoint
from training.config import TrainingConfig
from training.errors import CheckpointError
from training.provenance import Provenance
from training.random_states import random_states, restore_random_states


def example() -> Checkpoint:
    return Checkpoint(
        config=TrainingConfig(),
        step=7,
        epoch=1,
        network={"weight": torch.arange(3.0)},
        average=None,
        optimizer={"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
        scaler={},
        random=random_states(),
        images=["a.jpg", "b/c.jpg"],
        signals={"loss": 1.5},
        chosen_epoch=1,
        provenance=Provenance("abc", {"torch": "2"}),
    )


def test_round_trip(tmp_path: Path) -> None:
    written = example()
    written.write(tmp_path / "run" / "last.pt")
    read = read_checkpoint(tmp_path / "run" / "last.pt")
    assert torch.equal(read.network.pop("weight"), written.network.pop("weight"))
    assert torch.equal(read.optimizer["state"][0]["momentum_buffer"], torch.ones(2))
    for name in ("config", "step", "epoch", "images", "signals", "chosen_epoch", "provenance"):
        assert getattr(read, name) == getattr(written, name)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["last.pt"]


def test_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float]:
        return float(torch.rand(())), random.random(), float(np.random.rand())  # noqa: S311, NPY002

    np.random.standard_normal()  # noqa: NPY002  (leaves half a pair of numbers behind)
    example().write(tmp_path / "last.pt")
    expected = [draw() for _ in range(3)], np.random.standard_normal()  # noqa: NPY002
    draw()
    restore_random_states(read_checkpoint(tmp_path / "last.pt").random)
    assert ([draw() for _ in range(3)], np.random.standard_normal()) == expected  # noqa: NPY002


def test_weights_are_the_average_s_where_there_is_one() -> None:
    assert example().weights["weight"].tolist() == [0, 1, 2]
    values = {name: getattr(example(), name) for name in Checkpoint.__dataclass_fields__}
    averaged = Checkpoint(**{**values, "average": {"weight": torch.ones(1)}})
    assert averaged.weights["weight"].tolist() == [1]


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("executed",)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "step": Harmful()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=r"evil.pt"):
        read_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_other_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        read_checkpoint(tmp_path / "last.pt")


def test_truncated_file(tmp_path: Path) -> None:
    example().write(tmp_path / "last.pt")
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 99}, "format 1, found 99"),
        ([1], "found 'list'"),
        ({"format": 1, "step": 3}, "lacks an entry"),
        ({"format": 1, "config": {"run": {"epochs": 0}}}, "setting unknown here"),
    ],
)
def test_other_content(values: object, message: str, tmp_path: Path) -> None:
    torch.save(values, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "last.pt")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no"):
        read_checkpoint(tmp_path / "last.pt")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example().write(tmp_path / "last.pt")
    before = (tmp_path / "last.pt").read_bytes()

    def full(values: object, stream: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        checkpoints._save(tmp_path / "last.pt", {})
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_provenance_names_versions_and_commit() -> None:
    here = Provenance.here()
    assert here.versions["torch"] == torch.__version__.partition("+")[0] or here.versions["torch"] == torch.__version__
    assert here.commit == "" or len(here.commit.rstrip("+")) == 40


def test_a_full_disk_is_the_error_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch hides it behind an error of its own, which would be a traceback."""

    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    @contextmanager
    def full(path: Path) -> Iterator[Full]:
        yield Full()

    monkeypatch.setattr(checkpoints, "atomic_writer", full)
    with pytest.raises(OSError, match="No space left") as caught:
        example().write(tmp_path / "last.pt")
    assert caught.value.errno == errno.ENOSPC
