"""One run of `colocalize score`: find the images, load the model, score, and say what came of it."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from colocalization.commands.exits import EXIT_SOME_FAILED, errors_reported, fail, sigterm_interrupts, warn
from colocalization.hints import ImageHints
from colocalization.listing import STATE_FOLDER
from colocalization.model_choice import precision_of
from scoring.hinting import given_hints, hints_for
from scoring.inputs import Inputs, discover
from scoring.journal import JOURNAL_FILE, model_of
from scoring.kept_objects import load_object
from scoring.loading import load, pipeline_sizes
from scoring.name_lists import read_names
from scoring.run_options import InputOptions, MachineOptions, RayOptions, ScoreOptions
from scoring.shared_options import EngineName
from scoring.stores.results_folder import results_folder
from scoring.stores.urls import is_url, redacted

if TYPE_CHECKING:
    from scoring.progress import ProgressDisplay
    from scoring.summary import ScoreSummary

__all__ = ["find", "run"]


def run(
    inputs: InputOptions,
    out: str,
    options: ScoreOptions,
    machine: MachineOptions,
    engine: EngineName = "local",
    ray_options: RayOptions | None = None,
) -> None:
    """Score images into a folder; ends the command with its exit code."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)  # of the engine: a GPU not used
    with errors_reported(f"interrupted; what was finished is kept in {redacted(out)!r}: run the same command to go on"):
        options = _known(inputs, options)
        if not is_url(out) and Path(out).exists() and not Path(out).is_dir():
            fail(f"--out must be a folder, but {out!r} is a file")
        _check_engine(engine, out, options, ray_options or RayOptions())
        from rich.console import Console

        from scoring.progress import progress_on

        progress = progress_on(Console(stderr=True))
        found, hints = find(inputs, progress, out if is_url(out) else Path(out))
        options = replace(options, hints=hints)
        # Only now, so that a mistake in the inputs is told at once.
        from scoring.scorer import Scorer
        from scoring.summary import summary_table

        localizer = load(_as_before(machine, out, options), options.common)
        options = replace(options, sizes=pipeline_sizes(machine, localizer.engine.provider))
        with sigterm_interrupts():
            if engine == "ray":
                from scoring.engines.ray_run import score_on_ray

                places = ray_options or RayOptions()
                summary = score_on_ray(found.files, localizer, out, options, machine, places, progress)
            else:
                with results_folder(out) as folder:
                    summary = Scorer(localizer, folder, options, progress).score(found.files)
        _explain(summary, found, options)
        skipped = len(found.left_out.no_images)
        about, provider = localizer.engine.metadata, localizer.engine.provider
        model = f"{about.name}, {about.precision}"
        if localizer.prior is not None:
            model += f", with the mask-trained prior {localizer.prior.name}"
        Console().print(summary_table(summary, skipped=skipped, provider=provider, model=model))
    for note in summary.notes:
        typer.echo(note)
    if summary.errors or found.left_out.unreadable:
        raise typer.Exit(EXIT_SOME_FAILED)


def _known(inputs: InputOptions, options: ScoreOptions) -> ScoreOptions:
    """The options with the common object that was named; what does not go together is told at once."""
    hinted = bool(inputs.hints) or inputs.hints_file is not None
    if options.mode == "attention" and (hinted or inputs.common is not None):
        fail(f"mode 'attention' has no use for {'hints' if hinted else '--object'}; leave out --mode, or them")
    if hinted and inputs.common is not None:
        fail("give hints or --object, not both: hints teach a new object, which `colocalize fit` writes")
    return options if inputs.common is None else replace(options, common=load_object(inputs.common))


def _as_before(machine: MachineOptions, out: str, options: ScoreOptions) -> MachineOptions:
    """With precision `auto` a run goes on with the model in the box that it was begun with, on whatever machine."""
    free = machine.model is None and machine.precision == "auto" and options.common is None and options.resume
    model = model_of(Path(out, STATE_FOLDER, JOURNAL_FILE)) if free else None
    precision = None if model is None else precision_of(model)
    return machine if precision is None else replace(machine, precision=precision)


def _check_engine(engine: EngineName, out: str, options: ScoreOptions, ray_options: RayOptions) -> None:
    """Refuse what does not go together, before any work is done.

    Raises:
        OSError: A package is missing, or the store of the results cannot be used.
    """
    if engine == "local":
        if ray_options != RayOptions():
            fail("--ray-address, --ray-workers and --ray-part are of --engine ray; give that too, or leave them out")
        if not is_url(out) and Path(out, STATE_FOLDER, "parts.jsonl").exists():
            fail(f"{out!r} holds results of --engine ray; give another --out, or that engine")
        return
    if options.heatmaps or options.overlays or options.contact_sheet:
        fail("--engine ray draws nothing: leave out --heatmaps, --overlays and --contact-sheet")
    if other := [kind for kind in options.formats if kind not in ("jsonl", "parquet")]:
        fail(f"--engine ray writes parquet, always, and jsonl where it is asked for; got --format {other[0]}")
    from scoring.engines.ray_run import need_ray

    need_ray()
    if not is_url(out) and Path(out, STATE_FOLDER, "journal.jsonl").exists():
        fail(f"{out!r} holds results of --engine local; give another --out, or that engine")


def find(
    inputs: InputOptions, progress: "ProgressDisplay", exclude: Path | str | None = None
) -> tuple[Inputs, dict[str, ImageHints]]:
    """The images, and what is known of them by name.

    Args:
        inputs: Which, and what was given of them.
        progress: Shows how many were found.
        exclude: A folder, or its URL, that is never descended into.

    Raises:
        HintError: A hint cannot be used.
        InputError: An input does not exist, or nothing was found.
    """
    if not inputs.inputs and inputs.files_from is None:
        fail("no images: give a folder, files, a pattern, or --files-from")
    hints = given_hints(inputs.hints_file, inputs.hints)
    names = None if inputs.files_from is None else read_names(inputs.files_from)
    with progress.count("Listing") as advance:
        found = discover(inputs.inputs, names=names, strict=inputs.strict, exclude=exclude, found=advance)
    return found, hints_for(found.files, hints)


def _explain(summary: "ScoreSummary", found: Inputs, options: ScoreOptions) -> None:
    if summary.mode != options.mode:
        readable = summary.images - summary.errors.total()
        reason = "needs at least two readable images" if readable < 2 else "found no object that the images share"
        warn(f"mode {options.mode!r} {reason}; used {summary.mode!r}")
    for warning in found.left_out.warnings():
        warn(warning)
    if kept := summary.cleared.kept:
        others = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        warn(f"left what an earlier run wrote, since it was changed or cannot be removed: {str(kept[0])!r}{others}")
    for failure in summary.failures:
        warn(f"failed: {failure}")
    if (more := summary.errors.total() - len(summary.failures)) > 0:
        warn(f"failed: {more} more, see predictions.jsonl")
