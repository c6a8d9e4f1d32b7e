"""The errors of training that a user can do something about."""

from colocalization.errors import ColocalizeError

__all__ = ["CheckpointError", "DatasetError", "TrainingError"]


class TrainingError(ColocalizeError):
    """A setting, a backbone or a run that cannot work; the message says what was given and what is allowed."""

    def __init__(self, message: str, code: str = "training_error") -> None:
        super().__init__(code, message)


class DatasetError(TrainingError):
    """A file of a data set is missing or damaged; the message names it, what was expected, and where to get it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "dataset_error")


class CheckpointError(TrainingError):
    """A checkpoint is missing, damaged, or belongs to another run."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "checkpoint_error")
