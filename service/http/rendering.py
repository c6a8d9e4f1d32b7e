"""From results to the bytes of the answer."""

import base64
import io
from collections.abc import Sequence

import numpy as np

from colocalization.engine import Engine
from colocalization.heatmaps import colorize, encode_png, overlay
from colocalization.localizer import PreparedImage
from colocalization.results import ImageResult
from service.http.schemas import (
    BoxBody,
    HeatmapBody,
    HeatmapKind,
    ImageBody,
    ImageErrorBody,
    ImageWarningBody,
    ModelBody,
    Timing,
)
from service.inference.job import Job, Render, StageTimes

__all__ = ["answer_pieces", "image_renderer", "model_body", "timing"]


def image_renderer(names: Sequence[str], kind: HeatmapKind) -> Render:
    """A function that writes one image's part of the answer.

    It runs in the scheduler's pool right after the boxes are found, so that a request holds the finished bytes of its
    heat maps and not the maps themselves.

    Args:
        names: File names of the request's images.
        kind: What to give as heat map.
    """

    def render(index: int, result: ImageResult, prepared: PreparedImage | None) -> bytes:
        error, warning = result.error, result.warning
        body = ImageBody(
            name=names[index],
            width=result.width,
            height=result.height,
            boxes=tuple(BoxBody(x0=b.x0, y0=b.y0, x1=b.x1, y1=b.y1, score=b.score) for b in result.boxes),
            confidence=result.confidence,
            contains_common_object=result.contains_common_object,
            heatmap=_heatmap(result, prepared, kind),
            error=None if error is None else ImageErrorBody(code=error.code, message=error.message),
            warning=None if warning is None else ImageWarningBody(code=warning.code, message=warning.message),
        )
        return body.model_dump_json().encode()

    return render


def _heatmap(result: ImageResult, prepared: PreparedImage | None, kind: HeatmapKind) -> HeatmapBody | None:
    if kind == "none" or result.heatmap is None or prepared is None:
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


def model_body(engine: Engine) -> ModelBody:
    """The part of the answer that names the model."""
    about = engine.metadata
    size = (about.input_size, about.input_size)
    return ModelBody(name=about.name, sha256=engine.sha256, backbone=about.backbone, input_size=size)


def timing(times: StageTimes, total: float) -> Timing:
    """The times of a request, from seconds to milliseconds."""

    def milliseconds(seconds: float) -> float:
        return round(1000 * seconds, 3)

    return Timing(
        queue=milliseconds(times.queue),
        decode=milliseconds(times.decode),
        inference=milliseconds(times.inference),
        postprocess=milliseconds(times.postprocess),
        total=milliseconds(total),
    )


def answer_pieces(job: Job, spent: Timing) -> list[bytes]:
    """The JSON of a finished job's answer, in pieces that are not copied together (heat maps are large)."""
    head = f'{{"model":{model_body(job.localizer.engine).model_dump_json()},"mode":"{job.mode}","images":['
    pieces = [head.encode()]
    for index, answer in enumerate(job.answers):
        if index:
            pieces.append(b",")
        pieces.append(answer)
    pieces.append(f'],"timing_ms":{spent.model_dump_json()}}}'.encode())
    return pieces
