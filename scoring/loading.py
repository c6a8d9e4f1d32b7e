"""The model, in a process made ready for many images, and how much of the machine is used at once."""

from typing import TYPE_CHECKING

from colocalization.common_object import CommonObject
from colocalization.cores import bound_libraries, score_lanes, usable_cores
from colocalization.images import harden_pillow
from scoring.pipeline import PipelineSizes
from scoring.run_options import MachineOptions

if TYPE_CHECKING:
    from colocalization.localizer import Localizer

__all__ = ["load", "pipeline_sizes"]

_MOST_WORKERS = 12
"""Threads that decode and draw, unless `--workers` says otherwise. Each has up to four images in flight, up to 5 MB
each, so that memory would grow with the cores; and the network, in its few lanes, takes most of the work anyway."""

_MOST_HEAPS = 4
"""Heaps of the C library for all threads together: each keeps what was freed in it, a tenth of all memory or more."""


def load(machine: MachineOptions, common: CommonObject | None = None) -> "Localizer":
    """Load the model, in a process made ready for many images.

    Args:
        machine: What the work runs on.
        common: The common object that is going to be looked for.

    Raises:
        ModelError: The model cannot be used.
        ProviderError: The GPU cannot be used where one is required.
    """
    from colocalization.localizer import Localizer
    from colocalization.memory import bound_heaps

    bound_libraries()
    bound_heaps(_MOST_HEAPS)
    harden_pillow()
    _, threads = score_lanes(machine.threads or usable_cores())
    return Localizer.load(
        machine.model,
        precision=machine.precision,
        common=common,
        device=machine.device,
        require_gpu=machine.require_gpu,
        threads=threads,
        limits=machine.limits,
        effort=machine.effort,
        prior=machine.prior,
        prior_kind=machine.prior_kind,
    )


def pipeline_sizes(machine: MachineOptions, provider: str) -> PipelineSizes:
    """How much is done at once: batches on a GPU, single images side by side on the CPU."""
    on_gpu = provider.startswith("CUDA")
    lanes, _ = score_lanes(machine.threads or usable_cores())
    workers = machine.workers or min(usable_cores(), _MOST_WORKERS)
    return PipelineSizes(machine.batch_size if on_gpu else 1, 1 if on_gpu else lanes, workers)
