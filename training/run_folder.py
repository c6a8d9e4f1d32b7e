"""Whether a run's folder can take what the run writes: found out before the images are loaded, not after an epoch."""

import shutil
import tempfile
from pathlib import Path

from colocalization.files import naming
from training.errors import TrainingError

__all__ = ["check_room", "check_writable"]

_PROBE = bytes(2**16)
_CHECKPOINTS = 3
"""How many a run holds at most: `last.pt`, `best.pt`, and the one that is being written."""


def check_writable(folder: Path) -> None:
    """Make the folder of a run and write a little into it, which is removed again.

    Raises:
        OSError: It cannot be made or written: read-only, full, or a file.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(_PROBE)
            probe.flush()


def check_room(folder: Path, bytes_of_checkpoint: int) -> None:
    """Check that the checkpoints of a run find room.

    Raises:
        TrainingError: They do not.
    """
    needed = _CHECKPOINTS * bytes_of_checkpoint
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TrainingError(
            f"{folder} has {free / 1e6:.0f} MB left; the checkpoints of this run need about {needed / 1e6:.0f} MB"
        )
