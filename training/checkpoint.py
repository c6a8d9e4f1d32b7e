"""Checkpoints: everything that a run needs to go on, written so that a crash leaves the old file or the new one whole.

Files hold tensors, numbers, texts and containers of them alone, and are read with `weights_only=True`: a checkpoint
from a stranger cannot run code.
"""

import os
import random
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from training.config import TrainingConfig
from training.errors import CheckpointError

__all__ = ["Checkpoint", "Provenance", "random_states", "read_checkpoint", "restore_random_states", "write_atomically"]

_FORMAT = 1
_LIBRARIES = ("torch", "torchvision", "timm", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a checkpoint.

    Attributes:
        commit: Git commit of the working directory's repository, with "+" where files differ from it; empty if none.
        versions: Versions of the libraries.
    """

    commit: str
    versions: dict[str, str]

    @classmethod
    def here(cls) -> "Provenance":
        """The provenance of what is running now."""
        return cls(_commit(), {name: version(name) for name in _LIBRARIES})


def _commit() -> str:
    source = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603  (a fixed command)
            ["git", "-C", str(source), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""  # installed from a wheel, or no git here


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
        signals: Label-free signals of the chosen epoch so far; empty before the first validation.
        chosen_epoch: That epoch, counted from 1; 0 before the first validation.
        provenance: What made it.
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

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["config"] = self.config.model_dump(mode="json")
        values["provenance"] = asdict(self.provenance)
        write_atomically(path, {"format": _FORMAT, **values})

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights to use: the moving average where there is one."""
        return self.network if self.average is None else self.average


def write_atomically(path: Path, values: dict[str, Any]) -> None:
    """Save with torch, so that a reader finds the old file or the new one, whole, whenever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            torch.save(values, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the rename itself
        finally:
            os.close(folder)


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


def random_states() -> dict[str, Any]:
    """States of all random number generators that code in a run may draw from."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002  (libraries draw from it)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss],
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Set all random number generators."""
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    random.setstate(states["python"])
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
