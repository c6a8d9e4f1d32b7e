"""`colocalize score`: what it takes, and what it says."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from colocalization.commands.exits import EXIT_SOME_FAILED, errors_reported, fail, sigterm_interrupts, warn
from colocalization.commands.options import label as read_label
from colocalization.commands.options import one_of, out_folder, true_or_false, whole_number
from colocalization.cores import score_lanes, usable_cores
from colocalization.engine import Device
from colocalization.images import ImageLimits, harden_pillow
from colocalization.results import Effort, Mode
from scoring.formats import DEFAULT_LABEL, Format
from scoring.inputs import Inputs, discover, read_names, reading

if TYPE_CHECKING:
    from scoring.summary import ScoreSummary

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_RESULTS, _RUNNING = "Results", "Running"

_MOST_WORKERS = 12
"""Threads that decode and draw, unless `--workers` says otherwise. Each has up to four images in flight, up to 5 MB
each, so that memory would grow with the cores; and the network, in its few lanes, takes most of the work anyway."""

_MOST_HEAPS = 4
"""Heaps of the C library for all threads together: each keeps what was freed in it, a tenth of all memory or more."""

_FORMATS = "|".join(get_args(Format))


def _check_formats(given: list[str] | None) -> list[str] | None:
    # By hand, since Typer takes a Literal for an option, but not for a repeatable one.
    if unknown := [one for one in given or () if one not in get_args(Format)]:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {_FORMATS}")
    return given


@app.command()
def score(
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", parser=out_folder, metavar="FOLDER", help="Folder for the results; made if missing."
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Folders, files, or quoted patterns such as 'sets/**/*.jpg'."),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Score the files named in FILE ('-': standard input), one a line; relative to the one INPUT, a "
            "folder, or to the working folder where there is none.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Count files that are no images as failed.")] = False,
    mode: Annotated[
        Mode,
        typer.Option(
            parser=one_of(Mode),
            metavar="attention|common",
            help="attention: each image by its own attention map; common: by what the images have in common.",
        ),
    ] = "common",
    effort: Annotated[
        Effort,
        typer.Option(
            parser=one_of(Effort),
            metavar="full|fast",
            help="Of mode common. full: look at each image twice; fast: twice only at those that it learns "
            "outlines from, none of a small set; takes about two thirds of the time and gives coarser boxes.",
        ),
    ] = "full",
    model: Annotated[
        Path | None,
        typer.Option(envvar="COLOCALIZE_MODEL", help="Model file; the one in the box if left out."),
    ] = None,
    max_boxes: Annotated[
        int,
        typer.Option(parser=whole_number(1), metavar="N>=1", help="Most boxes an image.", rich_help_panel=_RESULTS),
    ] = 1,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar=_FORMATS,
            callback=_check_formats,
            help="Repeatable; jsonl is always written.",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            parser=read_label,
            metavar="NAME",
            help="Name of the class, in formats that have classes.",
            rich_help_panel=_RESULTS,
        ),
    ] = DEFAULT_LABEL,
    heatmaps: Annotated[
        bool, typer.Option("--heatmaps", help="Draw the heat map of every image.", rich_help_panel=_RESULTS)
    ] = False,
    overlays: Annotated[
        bool, typer.Option("--overlays", help="Draw heat map and boxes over every image.", rich_help_panel=_RESULTS)
    ] = False,
    contact_sheet: Annotated[
        bool, typer.Option("--contact-sheet", help="Draw one sheet of overlays.", rich_help_panel=_RESULTS)
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            help="Take over what an earlier run into the same folder finished with the same model and options.",
            rich_help_panel=_RUNNING,
        ),
    ] = True,
    device: Annotated[
        Device,
        typer.Option(
            envvar="COLOCALIZE_DEVICE",
            parser=one_of(Device),
            metavar="auto|cpu|cuda",
            help="Where the network runs.",
            rich_help_panel=_RUNNING,
        ),
    ] = "auto",
    require_gpu: Annotated[
        bool,
        typer.Option(
            "--require-gpu",
            parser=true_or_false,
            metavar=" ",  # a flag takes no value
            envvar="COLOCALIZE_REQUIRE_GPU",
            help="Refuse to run where CUDA cannot be used.",
            rich_help_panel=_RUNNING,
        ),
    ] = False,
    threads: Annotated[
        int,
        typer.Option(
            parser=whole_number(0),
            metavar="N>=0",
            envvar="COLOCALIZE_THREADS",
            help="Threads that the network takes on the CPU; 0 takes all cores.",
            rich_help_panel=_RUNNING,
        ),
    ] = 0,
    workers: Annotated[
        int,
        typer.Option(
            parser=whole_number(0),
            metavar="N>=0",
            help=f"Threads that decode and draw; 0 takes all cores, at most {_MOST_WORKERS}.",
            rich_help_panel=_RUNNING,
        ),
    ] = 0,
    batch_size: Annotated[
        int,
        typer.Option(
            parser=whole_number(1),
            metavar="N>=1",
            help="Images in one run of the network on a GPU; the CPU takes one at a time, more is no faster there.",
            rich_help_panel=_RUNNING,
        ),
    ] = 32,
    max_pixels: Annotated[
        int,
        typer.Option(
            parser=whole_number(1),
            metavar="N>=1",
            envvar="COLOCALIZE_MAX_PIXELS",
            help="Most pixels (width x height) of an image.",
            rich_help_panel=_RUNNING,
        ),
    ] = ImageLimits().max_pixels,
) -> None:
    """Find the common object in images: a box for each, in OUT/predictions.jsonl.

    Exit code: 0 all good; 1 done, but some images failed; 2 the inputs or options cannot be used; 3 the model or GPU
    cannot be used, or the results cannot be written; 130 interrupted (run the same command again to go on).
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)  # of the engine: a GPU not used
    with errors_reported(f"interrupted; what was finished is kept in {str(out)!r}: run the same command to go on"):
        found = _find(inputs or [], files_from, strict, out)
        # Only now, so that a mistake in the inputs is told at once.
        import cv2
        from rich.console import Console

        from colocalization.localizer import Localizer
        from colocalization.memory import bound_heaps
        from scoring.pipeline import PipelineSizes
        from scoring.progress import progress_on
        from scoring.scorer import ScoreOptions, Scorer
        from scoring.summary import summary_table

        cv2.setNumThreads(1)  # the pipeline's threads are enough; more would only take the cores from each other
        bound_heaps(_MOST_HEAPS)
        harden_pillow()
        limits = ImageLimits(max_pixels=max_pixels)
        cores = threads or usable_cores()
        lanes, network_threads = score_lanes(cores)
        localizer = Localizer.load(
            model, device=device, require_gpu=require_gpu, threads=network_threads, limits=limits, effort=effort
        )
        on_gpu = localizer.engine.provider.startswith("CUDA")
        options = ScoreOptions(
            mode=mode,
            max_boxes=max_boxes,
            formats=cast(tuple[Format, ...], tuple(formats or ())),
            heatmaps=heatmaps,
            overlays=overlays,
            contact_sheet=contact_sheet,
            label=label,
            resume=resume,
            sizes=PipelineSizes(
                batch=batch_size if on_gpu else 1,
                lanes=1 if on_gpu else lanes,
                workers=workers or min(usable_cores(), _MOST_WORKERS),
            ),
        )
        with sigterm_interrupts():
            summary = Scorer(localizer, out, options, progress_on(Console(stderr=True))).score(found.files)
        _explain(summary, found, mode)
        Console().print(summary_table(summary, skipped=found.skipped, provider=localizer.engine.provider))
    if summary.errors or found.unreadable_folders:
        raise typer.Exit(EXIT_SOME_FAILED)


def _find(inputs: list[str], files_from: str | None, strict: bool, out: Path) -> Inputs:
    if not inputs and files_from is None:
        fail("nothing to score: give a folder, files, a pattern, or --files-from")
    if out.exists() and not out.is_dir():
        fail(f"--out must be a folder, but {str(out)!r} is a file")
    names = None
    if files_from == "-":
        names = read_names(sys.stdin.buffer)
    elif files_from is not None:
        with reading(files_from), Path(files_from).open("rb") as stream:
            names = read_names(stream)
    return discover(inputs, names=names, strict=strict, exclude=out)


def _explain(summary: "ScoreSummary", found: Inputs, mode: Mode) -> None:
    if summary.mode != mode:
        readable = summary.images - summary.errors.total()
        reason = "needs at least two readable images" if readable < 2 else "found no object that the images share"
        warn(f"mode {mode!r} {reason}; used {summary.mode!r}")
    for folder in found.unreadable_folders:
        warn(f"cannot read the folder {folder}")
    if kept := summary.cleared.kept:
        others = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        warn(f"left what an earlier run wrote, since it was changed or cannot be removed: {str(kept[0])!r}{others}")
    if found.loops:
        warn(f"left out {found.loops} links that lead back to a folder that they lie in")
    for failure in summary.failures:
        warn(f"failed: {failure}")
    if (more := summary.errors.total() - len(summary.failures)) > 0:
        warn(f"failed: {more} more, see predictions.jsonl")
