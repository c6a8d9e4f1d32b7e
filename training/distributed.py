"""Several processes through torchrun; with one process everything here does nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather

from training.errors import TrainingError

__all__ = ["Processes", "process_group"]


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: Number of this process, from 0.
        count: Number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def share(self, batch_size: int) -> slice:
        """This process's part of a batch.

        Raises:
            TrainingError: The batch cannot be divided evenly.
        """
        if batch_size % self.count:
            raise TrainingError(f"a batch of {batch_size} images cannot be shared evenly by {self.count} processes")
        part = batch_size // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def check_share(self, images: int, batch_size: int) -> None:
        """Check that there is a part of each batch for every process.

        Raises:
            TrainingError: There are fewer images than processes, or the batch cannot be divided evenly.
        """
        if images < self.count:
            raise TrainingError(f"{images} training images are too few for {self.count} processes")
        self.share(batch_size)

    def gather(self, tensor: Tensor) -> Tensor:
        """Join the tensors of all processes along the first axis, in order of rank, with gradients."""
        if self.count == 1:
            return tensor
        return torch.cat(all_gather(tensor.contiguous()))  # type: ignore[no-untyped-call]

    def mean(self, tensor: Tensor) -> Tensor:
        """Mean over all processes, without gradients."""
        if self.count == 1:
            return tensor
        total = tensor.detach().clone()
        dist.all_reduce(total)
        return total / self.count

    def wait(self) -> None:
        """Wait for all processes."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def process_group(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did.

    Args:
        device: The device that will be trained on; decides between NCCL and Gloo.

    Yields:
        The processes; one where torchrun is not at work.
    """
    if not dist.is_torchelastic_launched():
        yield Processes()
        return
    cuda = torch.cuda.is_available() and device != "cpu"
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
