"""The images of a run: which are trained on, which choose the epoch, and how a resumed run finds them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colocalization.cores import usable_cores
from training.batches import hold_out
from training.checkpoint import Checkpoint
from training.config import TrainingConfig
from training.datasets import DatasetImage
from training.errors import CheckpointError, TrainingError
from training.image_cache import SquashedImages
from training.run_progress import RunProgress

__all__ = ["RunImages", "prepare_images"]


@dataclass(frozen=True, slots=True)
class RunImages:
    """The images of a run.

    Attributes:
        train: Images trained on, in the order that the sampler counts them in.
        held_out: Images that choose the epoch.
        left_out: Names of those that could not be read when the run began.
    """

    train: SquashedImages
    held_out: SquashedImages
    left_out: tuple[str, ...]


def prepare_images(
    images: Sequence[DatasetImage],
    config: TrainingConfig,
    progress: RunProgress,
    checkpoint: Checkpoint | None = None,
    threads: int | None = None,
) -> RunImages:
    """Decode what fits into memory, leave out what cannot be read, and divide the rest.

    Args:
        images: Training images.
        config: Configuration.
        progress: Is told how the decoding goes.
        checkpoint: Where the run is taken up; its images are divided as they were then.
        threads: Images decoded at the same time; as many as there are cores if left out.

    Raises:
        TrainingError: Too few images are left.
        CheckpointError: The checkpoint is of other images.
    """
    data = config.data
    found = SquashedImages(images, data.resize, data.cache_mb)
    readable: Sequence[DatasetImage] = images
    if found.fits_cache:
        readable = found.readable(threads or usable_cores(), progress.decoded)
        if images and not readable:
            raise TrainingError(f"none of the {len(images)} training images can be read")
    if checkpoint is not None and checkpoint.held_out is not None:
        return _as_before(found, readable, checkpoint)
    train, held_out = hold_out(readable, data.held_out, config.run.seed)
    kept = {image.name for image in readable}
    left_out = tuple(image.name for image in images if image.name not in kept)
    return RunImages(found.part(train), found.part(held_out), left_out)


def _as_before(found: SquashedImages, readable: Sequence[DatasetImage], checkpoint: Checkpoint) -> RunImages:
    """The division of a checkpoint. What is gone or damaged since then is left out, and its place in the order kept."""
    held_out, left_out = checkpoint.held_out or [], checkpoint.left_out or []
    at_hand = {image.name: image for image in readable}
    known = {*checkpoint.images, *held_out, *left_out}
    new = [name for name in at_hand if name not in known]
    if new:
        raise CheckpointError(
            f"the run was trained on other images: {len(new)} of the {len(at_hand)} found here are new to it, "
            f"such as {new[0]!r}"
        )
    missing = [name for name in checkpoint.images if name not in at_hand]
    if 2 * len(missing) > len(checkpoint.images):
        raise CheckpointError(
            f"of the {len(checkpoint.images)} images that the run was trained on {len(missing)} are missing here, "
            f"such as {missing[0]!r}"
        )
    for name in [*missing, *(name for name in held_out if name not in at_hand)]:
        found.leave_out(DatasetImage(name, Path(name)), "it was there when the run began")
    train = [at_hand.get(name, DatasetImage(name, Path(name))) for name in checkpoint.images]
    held = [at_hand[name] for name in held_out if name in at_hand]
    return RunImages(found.part(train), found.part(held), tuple(left_out))
