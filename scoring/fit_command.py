"""`colocalize fit`: what it takes."""

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
)
from scoring.shared_options import (
    BatchSizeOption,
    EffortOption,
    FilesFromOption,
    HintsFileOption,
    HintsOption,
    InputsArgument,
    StrictOption,
    WorkersOption,
)

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def fit(
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="File of the object, such as birds.npz, or its URL.")
    ],
    inputs: InputsArgument = None,
    files_from: FilesFromOption = None,
    strict: StrictOption = False,
    effort: EffortOption = "full",
    hints: HintsFileOption = None,
    hint: HintsOption = None,
    growing: Annotated[
        bool,
        typer.Option("--growing", help="Keep in the file, which takes 2 to 3 MB then, what --add-to needs."),
    ] = False,
    add_to: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Add the images, all of them, to the object in FILE, which was fitted with --growing; its own images "
            "are not needed.",
        ),
    ] = None,
    model: ModelOption = None,
    precision: PrecisionOption = "auto",
    prior: PriorOption = None,
    prior_kind: PriorKindOption = None,
    device: DeviceOption = "auto",
    require_gpu: RequireGpuOption = False,
    threads: ThreadsOption = 0,
    workers: WorkersOption = 0,
    batch_size: BatchSizeOption = 32,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
) -> None:
    """Learn what images have in common, for `colocalize score --object`, and write it to a file.

    Exit code: 0 all good; 1 done, but some images failed; 2 the inputs or options cannot be used, or the images have no
    common object; 3 the model or GPU cannot be used, or the file cannot be written; 130 interrupted.
    """
    from colocalization.images import ImageLimits
    from scoring.fit_run import run
    from scoring.run_options import InputOptions, MachineOptions

    run(
        InputOptions(tuple(inputs or ()), files_from, strict, hints, tuple(hint or ())),
        out,
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
        growing=growing,
        add_to=add_to,
    )
