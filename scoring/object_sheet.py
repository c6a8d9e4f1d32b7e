"""What a common object finds in the images that it learns from, on one sheet."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from colocalization.commands.exits import sigterm_interrupts
from colocalization.common_object import CommonObject, sample_indices
from colocalization.files import atomic_writer
from colocalization.sampling import choose_sample
from scoring.contact_sheet import MAX_TILES
from scoring.inputs import discover
from scoring.loading import load, pipeline_sizes
from scoring.progress import progress_on
from scoring.run_options import MachineOptions, ScoreOptions
from scoring.scorer import Scorer

__all__ = ["draw_object"]


def draw_object(common: CommonObject, inputs: Sequence[str], sheet: Path, model: Path | None) -> None:
    """Draw a contact sheet of images: those that `fit` would take from the set, up to `MAX_TILES` of them.

    Args:
        common: The object.
        inputs: The set: folders, files and patterns, also as URLs.
        sheet: JPEG file to write.
        model: Model file; None takes the one in the box.

    Raises:
        InputError: An input does not exist, or has no image.
        ObjectError: The object is of another model.
        OSError: The sheet cannot be written.
    """
    found = discover(inputs).files
    machine = MachineOptions(model=model, effort="full" if common.origin is None else common.origin.effort)
    localizer = load(machine, common)
    sample = choose_sample(len(found), localizer.set_sample_size)
    shown = [found[sample[place]] for place in sample_indices(len(sample), MAX_TILES)]
    sizes = pipeline_sizes(machine, localizer.engine.provider)
    options = ScoreOptions(common=common, contact_sheet=True, sizes=sizes)
    with tempfile.TemporaryDirectory(prefix="colocalize-") as folder, sigterm_interrupts():
        Scorer(localizer, Path(folder, "out"), options, progress_on(Console(stderr=True))).score(shown)
        with Path(folder, "out", "contact-sheet.jpg").open("rb") as drawn, atomic_writer(sheet) as stream:
            shutil.copyfileobj(drawn, stream)
