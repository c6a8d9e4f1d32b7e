"""One run of `colocalize fit`: find the images, learn what they have in common, and keep it."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import typer

from colocalization.commands.exits import EXIT_SOME_FAILED, errors_reported, fail, sigterm_interrupts, warn
from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.growing import Growth
from colocalization.hints import ImageHints
from colocalization.listing import ImageFile
from colocalization.localizer import Localizer
from colocalization.looks import Looker
from scoring.fetching import fetched
from scoring.fitted_sample import fit_sample
from scoring.kept_objects import load_object, save_object
from scoring.loading import load, pipeline_sizes
from scoring.pipeline import PipelineSizes, run_pipeline
from scoring.plan import PlannedImage
from scoring.progress import ProgressDisplay
from scoring.run import find
from scoring.run_options import InputOptions, MachineOptions, ScoreOptions
from scoring.stages import ImageInWork, Stages
from scoring.stores.urls import is_url, redacted

__all__ = ["add_files", "fit_files", "run"]

_FAILURES_NAMED = 5


def run(
    inputs: InputOptions, out: str, machine: MachineOptions, *, growing: bool = False, add_to: str | None = None
) -> None:
    """Fit a common object and write it; ends the command with its exit code.

    Args:
        inputs: Which images.
        out: File of the object, or its URL.
        machine: What the work runs on.
        growing: Whether the object keeps what further images can be added to.
        add_to: File of an object that the images are added to, or its URL; None: a new one is fitted.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)  # of the engine: a GPU not used
    with errors_reported("interrupted; nothing was written"):
        if not out or out.endswith("/") or (not is_url(out) and Path(out).is_dir()):
            fail(f"--out must be the name of a file, such as birds.npz, but {redacted(out)!r} is a folder")
        if add_to is not None and (inputs.hints or inputs.hints_file is not None):
            fail("--add-to takes no hints: they teach a new object, from all images at once")
        before = None if add_to is None else load_object(add_to)
        from rich.console import Console

        from scoring.object_table import object_table
        from scoring.progress import progress_on

        progress = progress_on(Console(stderr=True))
        found, hints = find(inputs, progress)
        localizer = load(machine, before)
        sizes = pipeline_sizes(machine, localizer.engine.provider)
        with sigterm_interrupts():
            if before is None:
                common, failures = fit_files(found.files, hints, localizer, sizes, progress, growing=growing)
            else:
                common, failures = add_files(found.files, before, localizer, sizes, progress)
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
    *,
    growing: bool = False,
) -> tuple[CommonObject, list[str]]:
    """Estimate the common object of a set, as `score` does.

    Args:
        files: The images.
        hints: What was said of some of them, by name.
        localizer: The model, and how much work it does.
        sizes: How much is done at once.
        progress: Shows how far it has come.
        growing: Whether the object keeps what further images can be added to.

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

        fitted = fit_sample(images, stages, sizes, tried, growing=growing)
    if fitted.basis.common is None:
        readable = len(fitted.known)
        reason = f"; {len(failures)} cannot be read, such as {failures[0]}" if failures else ""
        raise ObjectError(
            f"a common object needs at least two readable images, and there are {readable}{reason}"
            if readable < 2
            else f"found no object that the {readable} images share"
        )
    return fitted.basis.common, failures


def add_files(
    files: Sequence[ImageFile],
    common: CommonObject,
    localizer: Localizer,
    sizes: PipelineSizes,
    progress: ProgressDisplay,
) -> tuple[CommonObject, list[str]]:
    """Add images to a common object; see `Localizer.partial_fit`.

    Args:
        files: The images, all of which are taken.
        common: The object.
        localizer: The model, and how much work it does.
        sizes: How much is done at once.
        progress: Shows how far it has come.

    Returns:
        The grown object, and the images that failed, each with the reason.

    Raises:
        ObjectError: The object is of another model or cannot grow, or none of the images can be read.
    """
    localizer.check_common(common)
    growth = Growth(common, Looker(localizer.engine, localizer.prior))
    stages = Stages(localizer, ScoreOptions(sizes=sizes))
    failures: list[str] = []
    images = (PlannedImage(file) for file in files)
    with (
        progress.phase("Adding to the common object", len(files)) as advance,
        closing(fetched(images, localizer.limits)) as contents,
        closing(run_pipeline(contents, stages.prepare, stages.infer, lambda image: image, sizes)) as found,
    ):
        for image in found:
            if image.error is not None:
                failures.append(f"{image.planned.file.name!r}: {image.error.message}")
            elif image.prepared is not None and image.features is not None:
                growth.add(image.prepared.image, image.features)
            advance()
    if not growth.images:
        raise ObjectError(f"none of the images can be read, such as {failures[0]}" if failures else "there is no image")
    return growth.grown(), failures
