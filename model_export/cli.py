"""`colocalize export`: a checkpoint, or a pretrained backbone, to an ONNX file that the service runs."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from colocalization.errors import ColocalizeError
from colocalization.images import decode
from colocalization.metadata import ModelMetadata, Pooling, Precision
from model_export.errors import ParityError
from model_export.graph import build_model, describe
from model_export.parity import TOLERANCES, check_parity
from model_export.source import PRETRAINED_PREFIX, NetworkSource, from_checkpoint, pretrained
from training.config import FeatureMap

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_MOST_TO_CALIBRATE_ON = 100

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def _model_file(value: str | Path) -> Path:
    # An empty name, mostly a shell variable that is not set, would be the working folder.
    if not str(value) or Path(value).is_dir():
        given = f"{str(value)!r}, which is a folder" if str(value) else "''"
        raise typer.BadParameter(f"must be the name of a file to write, such as model.onnx, got {given}")
    return Path(value)


@app.command()
def export(
    checkpoint: Annotated[
        str,
        typer.Argument(help=f"Checkpoint of `colocalize train`, or {PRETRAINED_PREFIX}NAME for a pretrained backbone."),
    ],
    out: Annotated[Path, typer.Option(parser=_model_file, metavar="FILE", help="ONNX file to write.")],
    parity_images: Annotated[Path, typer.Option(help="Folder of photographs on which ONNX Runtime must match torch.")],
    input_size: Annotated[int, typer.Option(help="Side of the square input in pixels, a multiple of 16.")] = 448,
    feature_map: Annotated[FeatureMap, typer.Option(help="Pretrained only: the feature map that is pooled.")] = "block",
    pooling: Annotated[Pooling, typer.Option(help="Pretrained only: the attention pooling.")] = "ptap",
    k: Annotated[float, typer.Option(help="Pretrained only: share of the channels averaged, in (0, 1].")] = 0.7,
    precision: Annotated[
        Precision, typer.Option(help="Type of the backbone's weights: fp16 is for GPUs, int8 for CPUs.")
    ] = "fp32",
    calibration_images: Annotated[
        Path | None, typer.Option(help="int8 only: folder of photographs to calibrate on; else those of the parity.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Checkpoint only: licence of the weights.")] = "not stated",
) -> None:
    """Write a network with its attention pooling as one ONNX file, checked against torch on real photographs."""
    try:
        source = _source(checkpoint, feature_map, pooling, k, licence)
        images = _images(parity_images)
        metadata = describe(source, input_size, precision)
        calibration = []
        if precision == "int8":
            chosen = images if calibration_images is None else _images(calibration_images)
            calibration = _inputs(chosen[:_MOST_TO_CALIBRATE_ON], metadata)
        partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            model = build_model(source, metadata, calibration)
            partial.write_bytes(model.SerializeToString(deterministic=True))
            report = check_parity(source.network, partial, images, tolerance=TOLERANCES[precision])
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
    except (ColocalizeError, OSError) as error:
        typer.echo(f"colocalize export: {error}", err=True)
        sys.exit(2)
    content = out.read_bytes()
    typer.echo(str(report))
    typer.echo(f"{out}  {len(content) / 1e6:.1f} MB  sha256 {hashlib.sha256(content).hexdigest()}")


def _images(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGE_SUFFIXES)
    if not found:
        raise ParityError(f"there are no images ({', '.join(sorted(_IMAGE_SUFFIXES))}) in {folder}")
    return found


def _inputs(images: Sequence[Path], metadata: ModelMetadata) -> list[NDArray[np.float32]]:
    transform = metadata.transform()
    return [transform(decode(image).rgb) for image in images]


def _source(checkpoint: str, feature_map: FeatureMap, pooling: Pooling, k: float, licence: str) -> NetworkSource:
    if checkpoint.startswith(PRETRAINED_PREFIX):
        name = checkpoint.removeprefix(PRETRAINED_PREFIX)
        return pretrained(name, feature_map=feature_map, pooling=pooling, k=k)
    return from_checkpoint(Path(checkpoint), licence)
