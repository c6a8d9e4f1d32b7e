"""The foreground stage of a run: on the network that was chosen, into its checkpoint, and its comparison for people."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from colocalization.engine import OnnxEngine
from colocalization.errors import ImageError
from colocalization.files import write_atomically
from colocalization.localizer import Localizer
from colocalization.model_choice import box_model
from training.build import choose_device, load_network
from training.comparison import Comparison, table
from training.config import TrainingConfig
from training.datasets import DatasetImage
from training.errors import TrainingError
from training.foreground_stage import learn_foreground
from training.teaching import MOST_IMAGES
from training.torch_engine import TorchEngine

__all__ = ["COMPARISON", "ForegroundRun", "seconds_to_learn"]

COMPARISON = "comparison.json"
"""File in the folder of a run: the trained model beside the one in the box."""

_LOOKS = 7
"""Looks at an image, both models and both modes together, and what outlines cost, in looks of the model in the box."""


class ForegroundRun:
    """Learns the foreground of the chosen network, once."""

    def __init__(
        self, folder: Path, config: TrainingConfig, images: Sequence[DatasetImage], note: Callable[[str], None]
    ) -> None:
        """Take a run that went to its end.

        Args:
            folder: Its folder.
            config: Its settings.
            images: Its images.
            note: Is told how it goes, a line each.
        """
        self._folder = folder
        self._config = config
        self._images = images
        self._note = note

    def run(self) -> Comparison:
        """Learn, and write the prior into `best.pt` and the comparison beside it; of a run that has one, read it.

        Raises:
            TrainingError: What a network gives is not finite.
            OSError: The run's folder cannot be written.
        """
        path = self._folder / COMPARISON
        if path.is_file():
            return _read(path)
        best = self._folder / "best.pt"
        network, checkpoint = load_network(best)
        device = choose_device(self._config.run.device)
        student = TorchEngine(network.to(device), self._config.foreground.input_size, device)
        with box_model() as model:
            teacher = Localizer(OnnxEngine(model, device="cpu"))
            try:
                learnt = learn_foreground(teacher, student, self._images, self._note)
            except ImageError as error:
                raise TrainingError(f"the foreground cannot be learnt: {error.message}") from error
        prior = learnt.prior
        replace(checkpoint, foreground=None if prior is None else prior.to_state()).write(best)
        write_atomically(path, (json.dumps(learnt.comparison.to_json(), indent=1) + "\n").encode())
        return learnt.comparison

    def tell(self, comparison: Comparison, folder: Path) -> None:
        """Say what came out, and what to do next.

        Args:
            comparison: As `run` gave it.
            folder: The folder of images, as the user named it.
        """
        for line in table(comparison):
            self._note(line)
        if comparison.better:
            best = self._folder / "best.pt"
            self._note(f"next: colocalize export {best} --out model.onnx --parity-images {folder}")
        else:
            self._note(
                "next: keep the model in the box; more images, or a hint (colocalize score --hints), may help more"
            )


def seconds_to_learn(images: int, image: DatasetImage) -> float:
    """About how long the stage takes, measured on a look of the model in the box.

    Args:
        images: How many images there are.
        image: One of them.
    """
    with box_model() as model:
        localizer = Localizer(OnnxEngine(model, device="cpu"))
        seconds = 0.0
        for _ in range(2):  # the first one warms up
            started = time.perf_counter()
            try:
                prepared = localizer.prepare(image.path)
            except ImageError:
                return 0.0
            localizer.run([prepared])
            seconds = time.perf_counter() - started
    return min(images, MOST_IMAGES) * seconds * _LOOKS


def _read(path: Path) -> Comparison:
    try:
        return Comparison.from_json(json.loads(path.read_text("utf-8")))
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} is damaged; remove it, and it is measured again: {error}") from error
