"""Checkpoints: everything that a run needs to go on, written so that a crash leaves the old file or the new one whole.

Files hold tensors, numbers, texts and containers of them alone, and are read with `weights_only=True`: a checkpoint
from a stranger cannot run code.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO

import torch
from pydantic import ValidationError
from torch import Tensor

from colocalization.files import atomic_writer
from training.config import TrainingConfig
from training.errors import CheckpointError
from training.provenance import Provenance

__all__ = ["Checkpoint", "read_checkpoint"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after a step.

    Attributes:
        config: Configuration of the run.
        step: Steps done; with the order of the images a function of seed and epoch, also the sampler's position. The
            learning rate is a function of it too.
        epoch: Epochs done.
        network: Weights and buffers.
        average: The same of the moving average, or None.
        optimizer: State of the optimiser.
        scaler: State of the gradient scaler of fp16; empty without.
        random: States of the random number generators.
        images: Names of the training images, so that a run is not taken up on others.
        held_out: Names of the images that choose the epoch; None in files that were written before they were kept.
        left_out: Names of the images that could not be read.
        signals: Label-free signals of the chosen epoch so far; empty before the first validation.
        chosen_epoch: That epoch, counted from 1; 0: the network before training.
        provenance: What made it.
        foreground: The foreground prior (`ForegroundPrior.to_state`); None where none was learnt.
    """

    config: TrainingConfig
    step: int
    epoch: int
    network: dict[str, Tensor]
    average: dict[str, Tensor] | None
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    random: dict[str, Any]
    images: list[str]
    signals: dict[str, float]
    chosen_epoch: int
    provenance: Provenance
    held_out: list[str] | None = None
    left_out: list[str] | None = None
    foreground: dict[str, Any] | None = None

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["config"] = self.config.model_dump(mode="json")
        values["provenance"] = asdict(self.provenance)
        _save(path, {"format": _FORMAT, **values})

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights to use: the moving average where there is one."""
        return self.network if self.average is None else self.average


class _Stream:
    """A file for torch to write into, which hides the reason why it cannot behind an error of its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _save(path: Path, values: dict[str, Any]) -> None:
    """Save with torch, so that a reader finds the old file or the new one, whole, whenever the machine stops.

    Raises:
        OSError: The file cannot be written, mostly for want of room.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path) as file:
        stream = _Stream(file)
        try:
            torch.save(values, stream)  # type: ignore[arg-type]  # writes and flushes alone
        except RuntimeError as error:
            if stream.error is None:
                raise
            raise stream.error from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: The file is missing, damaged, or of another format.
    """
    expected = "a checkpoint written by `colocalize train`"
    if not path.is_file():
        raise CheckpointError(f"there is no {path}; expected {expected}")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{path} is damaged or not {expected}: {reason}") from error
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise CheckpointError(f"{path}: expected {expected} of format {_FORMAT}, found {found!r}")
    try:
        values.pop("format")
        config = TrainingConfig.model_validate(values.pop("config"))
        provenance = Provenance(**values.pop("provenance"))
        return Checkpoint(config=config, provenance=provenance, **values)
    except (KeyError, TypeError, ValidationError) as error:
        raise CheckpointError(f"{path} lacks an entry or has a setting unknown here: {error}") from error
