"""`colocalize export`: a checkpoint, or a pretrained backbone, to an ONNX file that the service runs."""

import hashlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from colocalization.errors import ColocalizeError
from colocalization.metadata import Pooling
from model_export.errors import ParityError
from model_export.graph import build_model, describe
from model_export.parity import check_parity
from model_export.source import PRETRAINED_PREFIX, NetworkSource, from_checkpoint, pretrained
from training.backbones import FeatureMap

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@app.command()
def export(
    checkpoint: Annotated[
        str,
        typer.Argument(help=f"Checkpoint of `colocalize train`, or {PRETRAINED_PREFIX}NAME for a pretrained backbone."),
    ],
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
    parity_images: Annotated[Path, typer.Option(help="Folder of photographs on which ONNX Runtime must match torch.")],
    input_size: Annotated[int, typer.Option(help="Side of the square input in pixels, a multiple of 16.")] = 448,
    feature_map: Annotated[FeatureMap, typer.Option(help="Pretrained only: the feature map that is pooled.")] = "block",
    pooling: Annotated[Pooling, typer.Option(help="Pretrained only: the attention pooling.")] = "ptap",
    k: Annotated[float, typer.Option(help="Pretrained only: share of the channels averaged, in (0, 1].")] = 0.7,
    licence: Annotated[str, typer.Option(help="Checkpoint only: licence of the weights.")] = "not stated",
) -> None:
    """Write a network with its attention pooling as one ONNX file, checked against torch on real photographs."""
    try:
        source = _source(checkpoint, feature_map, pooling, k, licence)
        pictures = sorted(path for path in parity_images.rglob("*") if path.suffix.lower() in _PICTURE_SUFFIXES)
        if not pictures:
            raise ParityError(f"there are no pictures ({', '.join(sorted(_PICTURE_SUFFIXES))}) in {parity_images}")
        partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            model = build_model(source, describe(source, input_size))
            partial.write_bytes(model.SerializeToString(deterministic=True))
            report = check_parity(source.network, partial, pictures)
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
    except (ColocalizeError, OSError) as error:
        typer.echo(f"colocalize export: {error}", err=True)
        sys.exit(2)
    content = out.read_bytes()
    typer.echo(str(report))
    typer.echo(f"{out}  {len(content) / 1e6:.1f} MB  sha256 {hashlib.sha256(content).hexdigest()}")


def _source(checkpoint: str, feature_map: FeatureMap, pooling: Pooling, k: float, licence: str) -> NetworkSource:
    if checkpoint.startswith(PRETRAINED_PREFIX):
        name = checkpoint.removeprefix(PRETRAINED_PREFIX)
        return pretrained(name, feature_map=feature_map, pooling=pooling, k=k)
    return from_checkpoint(Path(checkpoint), licence)
