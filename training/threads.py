"""The CPU threads of the commands that run torch: `--threads`, and what is taken where nothing is said."""

from typing import Annotated

import torch
import typer

from colocalization.cores import usable_cores

__all__ = ["TorchThreadsOption", "set_threads"]

TorchThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, metavar="N", help="CPU threads; else as many as the machine grants.", show_default=False
    ),
]


def set_threads(asked: int | None) -> int:
    """Have torch take as many threads as were asked for; returns how many.

    Args:
        asked: How many, at least 1; None for as many as the machine grants. Torch by itself heeds OMP_NUM_THREADS,
            which torchrun sets, but no quota of a container.
    """
    threads = asked or min(torch.get_num_threads(), usable_cores())
    torch.set_num_threads(threads)
    return threads
