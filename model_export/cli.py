"""`colocalize export`: a checkpoint, or a pretrained backbone, to an ONNX file that the service runs."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from colocalization.commands.exits import errors_reported, sigterm_interrupts, warn
from colocalization.files import atomic_writer
from colocalization.images import decode
from colocalization.metadata import ModelMetadata, Pooling, Precision
from model_export.graph import build_model, describe
from model_export.parity import TOLERANCES, check_parity
from model_export.photographs import pick_photographs
from model_export.source import PRETRAINED_PREFIX, NetworkSource, from_checkpoint, pretrained
from training.config import FeatureMap
from training.threads import TorchThreadsOption, set_threads

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_MOST_TO_CALIBRATE_ON = 100

ExportPrecision = Literal[Precision, "both"]
"""`both`: fp32, and int8 in a second file beside it."""


def _model_file(value: str | Path) -> Path:
    # An empty name, mostly a shell variable that is not set, would be the working folder.
    if not str(value) or Path(value).is_dir():
        given = f"{str(value)!r}, which is a folder" if str(value) else "''"
        raise typer.BadParameter(f"must be the name of a file to write, such as model.onnx, got {given}")
    return Path(value)


def _model_name(value: str) -> str:
    if value.splitlines() not in ([], [value]) or value != value.strip():
        raise typer.BadParameter(f"must be a name on one line, got {value!r}")
    return value


@app.command()
def export(
    checkpoint: Annotated[
        str,
        typer.Argument(help=f"Checkpoint of `colocalize train`, or {PRETRAINED_PREFIX}NAME for a pretrained backbone."),
    ],
    out: Annotated[Path, typer.Option(parser=_model_file, metavar="FILE", help="ONNX file to write.")],
    parity_images: Annotated[Path, typer.Option(help="Folder of photographs on which ONNX Runtime must match torch.")],
    input_size: Annotated[int, typer.Option(help="Side of the square input, a multiple of 16 or of the patch.")] = 448,
    feature_map: Annotated[FeatureMap, typer.Option(help="Pretrained only: the feature map that is pooled.")] = "block",
    pooling: Annotated[Pooling, typer.Option(help="Pretrained only: the attention pooling.")] = "ptap",
    k: Annotated[float, typer.Option(help="Pretrained only: share of the channels averaged, in (0, 1].")] = 0.7,
    precision: Annotated[
        ExportPrecision,
        typer.Option(
            help="Type of the backbone's weights: fp16 is for GPUs, int8 for CPUs; both: fp32, and int8 in a file "
            "beside it whose name ends in _int8."
        ),
    ] = "fp32",
    calibration_images: Annotated[
        Path | None, typer.Option(help="int8: folder of photographs to calibrate on; else those of the parity.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Checkpoint only: licence of the weights.")] = "not stated",
    name: Annotated[
        str,
        typer.Option(
            parser=_model_name,
            metavar="NAME",
            help="What the model calls itself; else as its checkpoint or run.",
            show_default=False,
        ),
    ] = "",
    max_parity_images: Annotated[
        int, typer.Option(min=1, help="Most photographs compared, spread over the folder.")
    ] = 100,
    threads: TorchThreadsOption = None,
) -> None:
    """Write a network with its attention pooling as one ONNX file, checked against torch on real photographs."""
    threads = set_threads(threads)
    with errors_reported(interrupted="interrupted; nothing was written"), sigterm_interrupts():
        out.parent.mkdir(parents=True, exist_ok=True)
        written = _files(out, precision)
        said: list[str] = []
        with ExitStack() as stack:
            # The files are made first, so that a disk that cannot take them is found before the work, and named last.
            streams = {kind: stack.enter_context(atomic_writer(path)) for kind, path in written.items()}
            source = _source(checkpoint, feature_map, pooling, k, licence)
            source = replace(source, name=name or source.name)
            images = pick_photographs(parity_images, max_parity_images, warn)
            for kind, file in streams.items():
                metadata = describe(source, input_size, kind)
                calibration = []
                if kind == "int8":
                    chosen = images[:_MOST_TO_CALIBRATE_ON]
                    if calibration_images is not None:
                        chosen = pick_photographs(calibration_images, _MOST_TO_CALIBRATE_ON, warn)
                    calibration = _inputs(chosen, metadata)
                content = build_model(source, metadata, calibration).SerializeToString(deterministic=True)
                file.write(content)
                file.flush()
                report = check_parity(
                    source.network,
                    Path(file.name),
                    _watched(images),
                    prior=source.prior,
                    tolerance=TOLERANCES[kind],
                    threads=threads,
                )
                told = f"{written[kind]}  {len(content) / 1e6:.1f} MB  sha256 {hashlib.sha256(content).hexdigest()}"
                said += [str(report), told]
    for line in said:
        typer.echo(line)


def _files(out: Path, precision: ExportPrecision) -> dict[Precision, Path]:
    """The file of each precision that is asked for."""
    if precision != "both":
        return {precision: out}
    return {"fp32": out, "int8": out.with_name(f"{out.stem}_int8{out.suffix}")}


def _watched(images: Sequence[Path]) -> Iterator[Path]:
    """The images, with a bar where standard error is a terminal."""
    console = Console(stderr=True)
    yield from track(images, "comparing with torch", console=console, transient=True, disable=not console.is_terminal)


def _inputs(images: Sequence[Path], metadata: ModelMetadata) -> list[NDArray[np.float32]]:
    transform = metadata.transform()
    return [transform(decode(image).rgb) for image in images]


def _source(checkpoint: str, feature_map: FeatureMap, pooling: Pooling, k: float, licence: str) -> NetworkSource:
    if checkpoint.startswith(PRETRAINED_PREFIX):
        name = checkpoint.removeprefix(PRETRAINED_PREFIX)
        return pretrained(name, feature_map=feature_map, pooling=pooling, k=k)
    return from_checkpoint(Path(checkpoint), licence)
