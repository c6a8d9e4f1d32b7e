"""The record of a run: `log.jsonl`, one object a line, and TensorBoard beside it.

Every record has `kind` and `step`. `start`: configuration, provenance, numbers of images. `step`: losses, accuracies,
learning rate, gradient norm, seconds. `epoch`: speed, shares of time, memory. `validation`: label-free signals.
`evaluation`: CorLoc by each cut. `end`: the chosen epoch.
"""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from colocalization.files import write_atomically
from training.errors import TrainingError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["RunLog", "peak_memory_mb", "read_log"]


class RunLog:
    """Writes the record. A resumed run first drops what was recorded after the checkpoint it starts from."""

    def __init__(self, folder: Path, *, resume_step: int | None, tensorboard: bool) -> None:
        """Open the record.

        Args:
            folder: Folder of the run.
            resume_step: Step that the run is taken up after, or None for a new run.
            tensorboard: Whether to write for TensorBoard.

        Raises:
            TrainingError: TensorBoard is wanted but not installed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"
        if resume_step is None:
            self.path.write_text("", "utf-8")
        else:
            kept = [record for record in read_log(self.path) if record["step"] <= resume_step]
            write_atomically(self.path, "".join(json.dumps(record) + "\n" for record in kept).encode())
        self._stream = self.path.open("a", encoding="utf-8")
        self._board = _board(folder, resume_step) if tensorboard else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()
        if self._board is not None:
            self._board.close()

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Add a record; its numbers go to TensorBoard too."""
        record = {"kind": kind, "step": step, **values}
        # JSON has no infinity; fp16 may begin with gradients that are.
        record = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in record.items()
        }
        self._stream.write(json.dumps(record, allow_nan=False) + "\n")
        self._stream.flush()
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(f"{kind}/{name}", value, step)

    def image(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        """Show an image, (H, W, 3) uint8, in TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, pixels, step, dataformats="HWC")


def _board(folder: Path, resume_step: int | None) -> "SummaryWriter":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            "TensorBoard is not installed; install 'colocalize[train]' or set run.tensorboard=false"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"), purge_step=None if resume_step is None else resume_step + 1)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Records of a log; a last line that a crash cut short is left out.

    Raises:
        TrainingError: The file is missing, or damaged elsewhere than at its end.
    """
    if not path.is_file():
        raise TrainingError(f"there is no run log {path}")
    lines = path.read_text("utf-8").splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise TrainingError(f"{path} is damaged in line {number}: {error}") from error
    return records


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far, in MB; None where the system does not say (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
