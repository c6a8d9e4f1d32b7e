"""How long a run takes: its steps, the validation of its epochs, and the scoring of labelled images."""

import time
from dataclasses import dataclass

from colocalization.errors import ImageError
from training.batches import batches, epoch_order
from training.loop import Trainer
from training.validation import LOOKS

__all__ = ["Estimate", "measure_run"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the rest of a run takes.

    Attributes:
        steps: Steps to go.
        seconds_per_step: Seconds of a step.
        validation: Seconds of all validations to come.
        evaluation: Seconds of the scoring of labelled images to come.
    """

    steps: int
    seconds_per_step: float
    validation: float
    evaluation: float

    @property
    def seconds(self) -> float:
        """Of everything together."""
        return self.steps * self.seconds_per_step + self.validation + self.evaluation


def measure_run(trainer: Trainer) -> Estimate:
    """How long the rest of a run takes, measured on a few steps and looks; collective over processes.

    Args:
        trainer: The run, which is left as it is.
    """
    run = trainer.config.run
    if not run.epochs:
        return Estimate(0, 0.0, 0.0, 0.0)
    order = epoch_order(len(trainer.images.train), trainer.batch_size, 0, run.seed)
    rows = trainer.processes.share(trainer.batch_size)
    parts = list(batches(trainer.images.train, [order[index % len(order)][rows] for index in range(3)], 0))
    step = trainer.stepper.seconds_per_step(parts, trainer.batch_size)
    look = trainer.stepper.seconds_per_look(parts[0])
    begun = trainer.step > 0
    judged = run.epochs - trainer.step // trainer.steps_per_epoch + (not begun)
    held_out = len(trainer.images.held_out)
    scored = {"never": 0, "ends": 1 + (not begun), "epochs": judged}[run.evaluate]
    decode = _seconds_to_decode(trainer) if scored and trainer.labelled else 0.0
    return Estimate(
        steps=trainer.total_steps - trainer.step,
        seconds_per_step=step,
        validation=judged * held_out * LOOKS * look if held_out >= 2 else 0.0,
        evaluation=scored * len(trainer.labelled) * (look + decode),
    )


def _seconds_to_decode(trainer: Trainer) -> float:
    started = time.perf_counter()
    sample = trainer.labelled[:4]
    for image in sample:
        try:
            image.load()
        except ImageError:
            continue
    return (time.perf_counter() - started) / len(sample)
