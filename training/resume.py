"""Whether and where a run is taken up again."""

from pathlib import Path

from training.checkpoint import Checkpoint, read_checkpoint
from training.config import TrainingConfig
from training.errors import CheckpointError

__all__ = ["find_checkpoint"]


def find_checkpoint(folder: Path, config: TrainingConfig) -> Checkpoint | None:
    """The last checkpoint of a run, or None where there is none yet.

    Args:
        folder: Folder of the run.
        config: What shall be trained.

    Raises:
        CheckpointError: It is damaged, or of a run with other settings.
    """
    path = folder / "last.pt"
    if not path.is_file():
        return None
    checkpoint = read_checkpoint(path)
    # What is recorded may change between the parts of a run; what is trained may not, nor for how long.
    if _essence(checkpoint.config) != _essence(config):
        raise CheckpointError(f"{path} is of a run with other settings; resume with those, or train elsewhere")
    return checkpoint


def _essence(config: TrainingConfig) -> TrainingConfig:
    """The configuration less what may differ between the parts of one run."""
    kept = {"checkpoint_steps": 0, "device": "auto", "tensorboard": False, "evaluate": "never"}
    data = {"cache_mb": 0, "workers": 0}
    return config.model_copy(
        update={"run": config.run.model_copy(update=kept), "data": config.data.model_copy(update=data)}
    )
