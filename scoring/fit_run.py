"""One run of `colocalize fit`: find the images, learn what they have in common, and keep it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from colocalization.commands.exits import EXIT_SOME_FAILED, errors_reported, fail, sigterm_interrupts, warn
from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.hints import ImageHints
from colocalization.listing import ImageFile
from colocalization.localizer import Localizer
from scoring.fitted_sample import fit_sample
from scoring.kept_objects import save_object
from scoring.pipeline import PipelineSizes
from scoring.plan import PlannedImage
from scoring.progress import ProgressDisplay
from scoring.run import find, load, pipeline_sizes
from scoring.run_options import InputOptions, MachineOptions, ScoreOptions
from scoring.stages import ImageInWork, Stages
from scoring.stores.urls import is_url, redacted

__all__ = ["fit_files", "run"]

_FAILURES_NAMED = 5


def run(inputs: InputOptions, out: str, machine: MachineOptions) -> None:
    """Fit a common object and write it; ends the command with its exit code."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)  # of the engine: a GPU not used
    with errors_reported("interrupted; nothing was written"):
        if not out or out.endswith("/") or (not is_url(out) and Path(out).is_dir()):
            fail(f"--out must be the name of a file, such as birds.npz, but {redacted(out)!r} is a folder")
        from rich.console import Console

        from scoring.object_table import object_table
        from scoring.progress import progress_on

        progress = progress_on(Console(stderr=True))
        found, hints = find(inputs, progress)
        localizer = load(machine)
        sizes = pipeline_sizes(machine, localizer.engine.provider)
        with sigterm_interrupts():
            common, failures = fit_files(found.files, hints, localizer, sizes, progress)
            save_object(common, out)
        for warning in found.left_out.warnings():
            warn(warning)
        for failure in failures[:_FAILURES_NAMED]:
            warn(f"failed: {failure}")
        if (more := len(failures) - _FAILURES_NAMED) > 0:
            warn(f"failed: {more} more")
        Console().print(object_table(common, redacted(out)))
    if failures or found.left_out.unreadable:
        raise typer.Exit(EXIT_SOME_FAILED)


def fit_files(
    files: Sequence[ImageFile],
    hints: Mapping[str, ImageHints],
    localizer: Localizer,
    sizes: PipelineSizes,
    progress: ProgressDisplay,
) -> tuple[CommonObject, list[str]]:
    """Estimate the common object of a set, as `score` does.

    Args:
        files: The images.
        hints: What was said of some of them, by name.
        localizer: The model, and how much work it does.
        sizes: How much is done at once.
        progress: Shows how far it has come.

    Returns:
        The common object, and the images that failed, each with the reason.

    Raises:
        HintError: What was hinted does not lie in its image.
        ObjectError: The images have no common object.
    """
    failures: list[str] = []
    stages = Stages(localizer, ScoreOptions(hints=hints, sizes=sizes))
    images = [PlannedImage(file, hint=hints.get(file.name)) for file in files]
    most = max(min(len(images), Localizer.set_sample_size), len(hints))
    with progress.phase("Finding the common object", most) as advance:

        def tried(image: ImageInWork) -> None:
            if image.error is not None:
                failures.append(f"{image.planned.file.name!r}: {image.error.message}")
            else:
                advance()

        fitted = fit_sample(images, stages, sizes, tried)
    if fitted.basis.common is None:
        readable = len(fitted.known)
        reason = f"; {len(failures)} cannot be read, such as {failures[0]}" if failures else ""
        raise ObjectError(
            f"a common object needs at least two readable images, and there are {readable}{reason}"
            if readable < 2
            else f"found no object that the {readable} images share"
        )
    return fitted.basis.common, failures
