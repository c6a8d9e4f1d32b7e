"""`colocalize score`: what it takes."""

from pathlib import Path
from typing import Annotated

import typer

from colocalization.commands.options import (
    LIMITS,
    DeviceOption,
    MaxBytesOption,
    MaxPixelsOption,
    ModelOption,
    PrecisionOption,
    PriorKindOption,
    PriorOption,
    RequireGpuOption,
    ThreadsOption,
    class_name,
)
from colocalization.results import Mode
from scoring.formats.base import DEFAULT_LABEL, ExportOptions, Format, YoloImages
from scoring.shared_options import (
    BatchSizeOption,
    EffortOption,
    EngineName,
    FilesFromOption,
    HintsFileOption,
    HintsOption,
    InputsArgument,
    StrictOption,
    WorkersOption,
    named,
)

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_RESULTS, _RUNNING = "Results", "Running"


@app.command()
def score(
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", callback=named, metavar="FOLDER", help="Folder for the results, or its URL; made if missing."
        ),
    ],
    inputs: InputsArgument = None,
    files_from: FilesFromOption = None,
    strict: StrictOption = False,
    mode: Annotated[
        Mode,
        typer.Option(help="attention: each image by its own attention map; common: by what the images have in common."),
    ] = "common",
    effort: EffortOption = "full",
    hints: HintsFileOption = None,
    hint: HintsOption = None,
    common: Annotated[
        str | None,
        typer.Option(
            "--object",
            metavar="FILE",
            help="A common object that `fit`, or an earlier run, has written, in place of the one that these images "
            "have.",
            rich_help_panel="What is known",
        ),
    ] = None,
    model: ModelOption = None,
    max_boxes: Annotated[int, typer.Option(min=0, help="Most boxes an image; 0: all.", rich_help_panel=_RESULTS)] = 1,
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", help="Repeatable; jsonl is always written.", rich_help_panel=_RESULTS),
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            callback=class_name, help="Name of the class, in formats that have classes.", rich_help_panel=_RESULTS
        ),
    ] = DEFAULT_LABEL,
    keep_unflagged: Annotated[
        bool,
        typer.Option(
            "--keep-unflagged",
            help="Keep boxes of images that do not show the common object in the formats besides jsonl.",
            rich_help_panel=_RESULTS,
        ),
    ] = False,
    yolo_images: Annotated[
        YoloImages,
        typer.Option(help="How the images come beside YOLO's labels.", rich_help_panel=_RESULTS),
    ] = "link",
    label_studio_root: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Label Studio's document root; the folder above the images' if left out.",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
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
    precision: PrecisionOption = "auto",
    prior: PriorOption = None,
    prior_kind: PriorKindOption = None,
    engine: Annotated[
        EngineName,
        typer.Option(
            help="What does the work: this process, or a Ray cluster (extra 'ray').", rich_help_panel=_RUNNING
        ),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of the Ray cluster, such as ray-head:6379; RAY_ADDRESS, or this machine alone, if left out.",
            rich_help_panel=_RUNNING,
        ),
    ] = None,
    ray_workers: Annotated[
        int,
        typer.Option(
            min=0, help="Most workers of engine ray; 0: one a GPU, or core, of the cluster.", rich_help_panel=_RUNNING
        ),
    ] = 0,
    ray_part: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="IMAGES",
            help="Images, on average, that a worker of engine ray does and writes as a whole.",
            rich_help_panel=_RUNNING,
        ),
    ] = 256,
    device: DeviceOption = "auto",
    require_gpu: RequireGpuOption = False,
    threads: ThreadsOption = 0,
    workers: WorkersOption = 0,
    batch_size: BatchSizeOption = 32,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
) -> None:
    """Find the common object in images: a box for each, in OUT/predictions.jsonl.

    What the images have in common is kept in OUT/object.npz, for other images (--object).

    Exit code: 0 all good; 1 done, but some images failed; 2 the inputs or options cannot be used; 3 the model or GPU
    cannot be used, or the results cannot be written; 130 interrupted (run the same command again to go on).
    """
    from colocalization.images import ImageLimits
    from scoring.run import run
    from scoring.run_options import InputOptions, MachineOptions, RayOptions, ScoreOptions

    run(
        InputOptions(tuple(inputs or ()), files_from, strict, hints, tuple(hint or ()), common),
        out,
        ScoreOptions(
            mode=mode,
            max_boxes=max_boxes,
            formats=tuple(formats or ()),
            export=ExportOptions(label, keep_unflagged, yolo_images, label_studio_root),
            heatmaps=heatmaps,
            overlays=overlays,
            contact_sheet=contact_sheet,
            resume=resume,
        ),
        MachineOptions(
            model=model,
            precision=precision,
            prior=prior,
            prior_kind=prior_kind,
            effort=effort,
            device=device,
            require_gpu=require_gpu,
            threads=threads,
            workers=workers,
            batch_size=batch_size,
            limits=ImageLimits(max_bytes=max_bytes, max_pixels=max_pixels),
        ),
        engine,
        RayOptions(ray_address, ray_workers, ray_part),
    )
