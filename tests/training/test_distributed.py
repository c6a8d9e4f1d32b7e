"""Two CPU processes through torchrun train what one process trains."""

import multiprocessing as mp
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tests.training.conftest import TINY
from training.checkpoint import read_checkpoint
from training.config_file import load_config
from training.datasets import open_dataset
from training.distributed import Processes
from training.errors import TrainingError
from training.loop import Trainer
from training.runlog import read_log


@pytest.mark.parametrize(("rank", "expected"), [(0, slice(0, 4)), (1, slice(4, 8))])
def test_share_of_a_batch(rank: int, expected: slice) -> None:
    assert Processes(rank, 2).share(8) == expected


def test_a_batch_that_cannot_be_shared_evenly() -> None:
    with pytest.raises(TrainingError, match="batch of 7 images cannot be shared evenly by 2 processes"):
        Processes(0, 2).share(7)


def test_one_process_gathers_and_averages_nothing() -> None:
    tensor = torch.rand(3, requires_grad=True)
    assert Processes().gather(tensor) is tensor
    assert Processes().mean(tensor) is tensor


def _gather_in_a_process(rank: int, rendezvous: str, results: str) -> None:
    """Two processes with a tensor each; the loss of a process weighs all rows by its own numbers."""
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    own = torch.full((2, 3), float(rank + 1), requires_grad=True)
    joined = Processes(rank, 2).gather(own)
    weights = torch.arange(12.0).view(4, 3) * (rank + 1)
    (joined * weights).sum().backward()
    torch.save((joined.detach(), own.grad), f"{results}{rank}.pt")
    dist.destroy_process_group()


def test_gathering_joins_in_order_and_sends_all_gradients_back(tmp_path: Path) -> None:
    context = mp.get_context("spawn")
    arguments = [(rank, str(tmp_path / "meeting"), str(tmp_path / "rank")) for rank in range(2)]
    processes = [context.Process(target=_gather_in_a_process, args=given) for given in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    for rank in range(2):
        joined, gradient = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert joined.tolist() == [[1.0] * 3] * 2 + [[2.0] * 3] * 2
        # Both losses reach the rows: once and twice their weights.
        expected = 3 * torch.arange(12.0).view(4, 3)[2 * rank : 2 * rank + 2]
        torch.testing.assert_close(gradient, expected)


@pytest.mark.slow
def test_two_processes_train_what_one_trains(image_folder: Path, tmp_path: Path) -> None:
    # Both forms of the loss, whose negatives come from all processes; no batch statistics, which would differ.
    settings = [*TINY, "run.evaluate=never", "optimizer.name=sgd", "optimizer.lr=0.01", "backbone.frozen_stages=2"]
    images = open_dataset(image_folder)
    alone = Trainer(load_config("small", settings), images.train, tmp_path / "one")
    untrained = {name: value.clone() for name, value in alone.stepper.network.state_dict().items()}
    alone.run()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training"]
    command += [str(image_folder), "--out", str(tmp_path / "two"), "--preset", "small"]
    for setting in settings:
        command += ["--set", setting]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (read_checkpoint(tmp_path / name / "last.pt").network for name in ("one", "two"))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-3, atol=1e-5, msg=name)
    assert sum(float((value - untrained[name]).abs().sum()) for name, value in first.items()) > 0.1
    logs = [read_log(tmp_path / name / "log.jsonl") for name in ("one", "two")]
    losses = [[record["loss"] for record in log if record["kind"] == "step"] for log in logs]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert logs[1][0]["processes"] == 2
