"""From results to the bytes of the answer."""

import base64
import io
from collections.abc import Container, Sequence
from dataclasses import asdict

import numpy as np
from PIL import Image

from colocalization.engine import Engine
from colocalization.errors import ImageError
from colocalization.heatmaps import colorize, encode_png, overlay
from colocalization.image_formats import HEAD_BYTES, format_of
from colocalization.localizer import PreparedImage
from colocalization.outside_prior import OutsidePrior
from colocalization.results import ImageResult
from service.http.problems import Problem
from service.http.schemas import (
    AdviceBody,
    BoxBody,
    HeatmapBody,
    HeatmapKind,
    ImageBody,
    ImageErrorBody,
    ImageWarningBody,
    ModelBody,
    PreviewBody,
    PreviewKind,
    ScaleBody,
    Timing,
)
from service.inference.job import STAGES, Job

__all__ = ["failed_image", "model_body", "nothing_readable", "previewed_images", "render_image", "write_answer"]

_MOST_ERRORS_TOLD = 16

_PREVIEW_QUALITY = 85
"""Of a JPEG: it is to be looked at, and a tenth of the PNG."""


def render_image(
    names: Sequence[str],
    kind: HeatmapKind,
    previewed: Container[int],
    index: int,
    result: ImageResult,
    prepared: PreparedImage,
) -> bytes:
    """Write one image's part of the answer.

    It runs in the scheduler's pool right after the boxes are found, so that a request holds the finished bytes of its
    heat maps and not the maps themselves.

    Args:
        names: File names of the request's images.
        kind: What to give as heat map.
        previewed: Places of the images of which a preview is given.
        index: Place of the image in the request.
        result: What was found in it.
        prepared: Its pixels.
    """
    warning = result.warning
    body = ImageBody(
        name=names[index],
        width=result.width,
        height=result.height,
        boxes=tuple(BoxBody(x0=b.x0, y0=b.y0, x1=b.x1, y1=b.y1, score=b.score) for b in result.boxes),
        confidence=result.confidence,
        contains_common_object=result.contains_common_object,
        heatmap=_heatmap(result, prepared, kind),
        error=None,
        warning=None if warning is None else ImageWarningBody(code=warning.code, message=warning.message),
        preview=_preview(prepared) if index in previewed else None,
    )
    return body.model_dump_json().encode()


def failed_image(name: str, error: ImageError) -> ImageBody:
    """The part of the answer of an image that could not be read or localized."""
    return ImageBody(
        name=name,
        width=0,
        height=0,
        boxes=(),
        confidence=0.0,
        contains_common_object=False,
        heatmap=None,
        error=ImageErrorBody(code=error.code, message=error.message),
    )


def _heatmap(result: ImageResult, prepared: PreparedImage, kind: HeatmapKind) -> HeatmapBody | None:
    if kind == "none" or result.heatmap is None:
        return None
    height, width = result.heatmap.shape
    if kind == "array":
        # float16 resolves 1/2048 at the least near 1, finer than what can be seen, at half the bytes.
        stream = io.BytesIO()
        np.save(stream, result.heatmap.astype(np.float16), allow_pickle=False)
        return HeatmapBody(
            media_type="application/x-npy",
            width=width,
            height=height,
            data=base64.b64encode(stream.getvalue()).decode(),
        )
    if kind == "png":
        pixels = colorize(result.heatmap)
    else:
        pixels = overlay(prepared.image.rgb, result.heatmap, result.boxes, frame=prepared.image.frame)
    return HeatmapBody(
        media_type="image/png", width=width, height=height, data=base64.b64encode(encode_png(pixels)).decode()
    )


def previewed_images(sources: Sequence[bytes | ImageError], kind: PreviewKind) -> frozenset[int]:
    """Places of the images of which a preview is asked for.

    Args:
        sources: The encoded images, or why they were not kept.
        kind: What is asked for. A TIFF is told by its first bytes, whatever its name.
    """
    if kind == "none":
        return frozenset()
    return frozenset(
        index
        for index, source in enumerate(sources)
        if isinstance(source, bytes) and (kind == "all" or format_of(source[:HEAD_BYTES]) == "TIFF")
    )


def _preview(prepared: PreparedImage) -> PreviewBody:
    rgb = prepared.image.rgb
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, format="JPEG", quality=_PREVIEW_QUALITY)
    data = base64.b64encode(stream.getvalue()).decode()
    return PreviewBody(media_type="image/jpeg", width=rgb.shape[1], height=rgb.shape[0], data=data)


def model_body(engine: Engine, prior: OutsidePrior | None = None) -> ModelBody:
    """The part of the answer that names the model, and the prior from outside where one takes part."""
    about = engine.metadata
    size = (about.input_size, about.input_size)
    return ModelBody(
        name=about.name,
        sha256=engine.sha256,
        backbone=about.backbone,
        input_size=size,
        prior=None if prior is None else prior.name,
    )


def write_answer(job: Job, names: Sequence[str], seconds: float) -> tuple[list[bytes], dict[str, float]]:
    """The JSON of a finished job's answer.

    Args:
        job: The job.
        names: File names of its images.
        seconds: Time from the end of the upload until now.

    Returns:
        The JSON in pieces that are not copied together, as heat maps are large, and milliseconds by stage.

    Raises:
        Problem: Not one of the images could be read or localized.
    """
    if len(job.errors) == len(names):
        raise nothing_readable([(names[index], error) for index, error in sorted(job.errors.items())])
    stages = {stage: getattr(job.times, stage) for stage in ("queue", *STAGES)}
    spent = Timing(**{name: round(1000 * time, 3) for name, time in {**stages, "total": seconds}.items()})
    model = model_body(job.localizer.engine, job.localizer.prior)
    pieces = [f'{{"model":{model.model_dump_json()},"mode":"{job.mode}","images":['.encode()]
    for index, name in enumerate(names):
        if index:
            pieces.append(b",")
        error = job.errors.get(index)
        pieces.append(job.answers[index] if error is None else failed_image(name, error).model_dump_json().encode())
    advice = job.advice
    told = "null" if advice is None else AdviceBody(**asdict(advice)).model_dump_json()
    scale = "null" if job.scale is None else ScaleBody(**asdict(job.scale)).model_dump_json()
    pieces.append(f'],"advice":{told},"scale":{scale},"timing_ms":{spent.model_dump_json()}}}'.encode())
    return pieces, spent.model_dump()


def nothing_readable(errors: Sequence[tuple[str, ImageError]]) -> Problem:
    """The problem of a request of which no image can be read, from their names and errors in the order sent."""
    told = [{"name": name, "code": error.code, "message": error.message} for name, error in errors[:_MOST_ERRORS_TOLD]]
    first = errors[0][1].message
    if all(error.code == "file_too_large" for _, error in errors):
        return Problem("image_too_large", f"Every image is too large; the first has {first}.", {"errors": told})
    return Problem(
        "no_readable_image",
        f"None of the {len(errors)} images could be read; the first: {first}.",
        {"errors": told},
    )
