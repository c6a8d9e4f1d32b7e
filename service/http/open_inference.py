"""The Open Inference Protocol (v2), which KServe, Triton's clients and gateways speak.

Images go in as a BYTES tensor `images` of encoded files; what is found comes out as tensors. Requests are those of
`POST /colocalize` in another form: the same scheduler, parameters, limits and refusals. Their problem details have the
member `error` that the protocol asks for.
"""

import asyncio
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from colocalization._version import __version__
from colocalization.localizer import PreparedImage
from colocalization.results import ImageResult
from service.http.body import BodyLimits, Receive, check_encoding, receive_body
from service.http.budget import Reservation
from service.http.colocalize import make_job
from service.http.form import IMAGES_FIELD, Upload, UploadLimits
from service.http.intake import run_upload
from service.http.parameters import PARAMETER_NAMES, read_parameters
from service.http.paths import V2, V2_INFER, V2_LIVE, V2_MODEL, V2_MODEL_READY, V2_READY
from service.http.problems import Problem
from service.http.rendering import nothing_readable
from service.http.request_state import STATE, RequestState
from service.http.responses import PiecesResponse
from service.http.state import Service
from service.http.tensors import HEADER_LENGTH, NAMES_INPUT, Tensor, WantedOutputs, read_infer, write_infer
from service.http.upload import reserve_for_texts
from service.http.url_images import UrlFetcher
from service.inference.job import Job

__all__ = ["SERVICE_NAME", "open_inference_router"]

SERVICE_NAME = "colocalize"
"""What the model may be called besides its own name, so that a gateway need not know which one is in use."""

_HEATMAPS = "heatmaps"
_OUTPUTS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "boxes": ("FP32", (-1, -1, 4)),
    "scores": ("FP32", (-1, -1)),
    "box_counts": ("INT32", (-1,)),
    "confidence": ("FP32", (-1,)),
    "contains_common_object": ("INT8", (-1,)),
    "sizes": ("INT32", (-1, 2)),
    "errors": ("BYTES", (-1,)),
    _HEATMAPS: ("BYTES", (-1,)),
}
"""Type and shape of each output; -1 is a number that the request decides."""

_FIELDS = PARAMETER_NAMES - {"heatmap", "preview"}


def open_inference_router(service: Service) -> APIRouter:
    """The protocol's endpoints.

    Args:
        service: The state that they share with all others.
    """
    # Left out of the OpenAPI document: the protocol has its own.
    router = APIRouter(include_in_schema=False)

    @router.get(V2)
    async def server() -> Response:
        return JSONResponse({"name": SERVICE_NAME, "version": __version__, "extensions": ["binary_tensor_data"]})

    @router.get(V2_LIVE)
    async def live() -> Response:
        if not service.is_alive():
            raise Problem("not_ready", "The network does not come back from a run.")
        return JSONResponse({"live": True})

    @router.get(V2_READY)
    async def ready() -> Response:
        if (reason := service.why_not_ready()) is not None:
            raise Problem("not_ready", reason, retry_after=1)
        return JSONResponse({"ready": True})

    async def model(name: str, version: str | None = None) -> Response:
        version = _check_model(service, name, version)
        inputs = [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in (IMAGES_FIELD, NAMES_INPUT)]
        outputs = [
            {"name": output, "datatype": kind, "shape": list(shape)} for output, (kind, shape) in _OUTPUTS.items()
        ]
        about = {"name": name, "versions": [version], "platform": "onnxruntime_onnx"}
        return JSONResponse({**about, "inputs": inputs, "outputs": outputs})

    async def model_ready(name: str, version: str | None = None) -> Response:
        _check_model(service, name, version)
        await ready()
        return JSONResponse({"name": name, "ready": True})

    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        return await _infer(request, service, name, _check_model(service, name, version, close=True))

    for path, endpoint, method in (
        (V2_MODEL, model, "GET"),
        (V2_MODEL_READY, model_ready, "GET"),
        (V2_INFER, infer, "POST"),
    ):
        for address in (path, path.replace("{name}", "{name}/versions/{version}")):
            router.add_api_route(address, endpoint, methods=[method], response_class=Response, response_model=None)
    return router


def _check_model(service: Service, name: str, version: str | None, *, close: bool = False) -> str:
    """The version of the model in use.

    Raises:
        Problem: Another model or version is asked for (`model_not_found`).
    """
    about = service.slot.current.engine.metadata
    if name not in (SERVICE_NAME, about.name) or version not in (None, about.version):
        detail = f"The model is {about.name!r}, also called {SERVICE_NAME!r}, in version {about.version!r}."
        raise Problem("model_not_found", detail, close=close)
    return about.version


@dataclass(frozen=True, slots=True)
class _Row:
    """What is kept of an image's result."""

    result: ImageResult
    heatmap: bytes


async def _infer(request: Request, service: Service, name: str, version: str) -> Response:
    settings = service.settings
    notes: RequestState = request.scope[STATE]
    rows: dict[int, _Row] = {}
    wanted: list[WantedOutputs] = []

    async def read(
        headers: Mapping[str, str],
        receive: Receive,
        limits: UploadLimits,
        reservation: Reservation,
        allowed_fields: frozenset[str],
        retry_after: Callable[[], int],
        _: UrlFetcher | None,
    ) -> Upload:
        check_encoding(headers)
        costs = BodyLimits(limits.max_request_bytes, "max_request_bytes", limits.timeout)
        by_default = [output for output in _OUTPUTS if output != _HEATMAPS]
        with io.BytesIO() as body:
            await receive_body(headers, receive, costs, reservation, retry_after, body.write)
            reserve_for_texts(reservation, body, retry_after)
            upload, outputs = await asyncio.to_thread(
                read_infer,
                body.getvalue(),
                headers.get(HEADER_LENGTH),
                limits,
                allowed_fields,
                list(_OUTPUTS),
                by_default,
            )
        wanted.append(outputs)
        return upload

    async def job_of(upload: Upload) -> Job:
        parameters = read_parameters(request.query_params, upload.fields, settings.max_boxes)
        with_heatmaps = _HEATMAPS in wanted[0].binary

        def keep(index: int, result: ImageResult, _: PreparedImage) -> bytes:
            rows[index] = _kept(result, with_heatmaps)
            return b""

        return await make_job(service, upload, parameters, keep, notes.request_id)

    job = (await run_upload(request, service, _FIELDS, job_of, read)).job
    if len(job.errors) == len(job.names):
        raise nothing_readable([(job.names[index], error) for index, error in sorted(job.errors.items())])
    tensors = {tensor.name: tensor for tensor in _tensors(job, rows)}
    asked = [tensors[output] for output in wanted[0].binary]
    pieces, json_length = write_infer(name, version, wanted[0], asked, {"mode": job.mode})
    headers = {"cache-control": "no-store"}
    if json_length is not None:
        headers[HEADER_LENGTH] = str(json_length)
    return PiecesResponse(
        pieces,
        media_type="application/json" if json_length is None else "application/octet-stream",
        headers=headers,
        send_timeout=settings.send_timeout,
        budget=service.budget,
    )


def _kept(result: ImageResult, with_heatmap: bool) -> _Row:
    stream = io.BytesIO()
    if with_heatmap and result.heatmap is not None:
        np.save(stream, result.heatmap.astype(np.float16), allow_pickle=False)
    bare = ImageResult(
        result.width, result.height, result.boxes, result.confidence, result.contains_common_object, None
    )
    return _Row(bare, stream.getvalue())


def _tensors(job: Job, rows: Mapping[int, _Row]) -> list[Tensor]:
    """All outputs, a row an image; boxes are filled up with zeros to those of the image that has most."""
    count = len(job.names)
    results = [rows[index].result if index in rows else ImageResult.failed(job.errors[index]) for index in range(count)]
    most = max(len(result) for result in results)
    boxes = np.zeros((count, most, 4), np.float32)
    scores = np.zeros((count, most), np.float32)
    for index, result in enumerate(results):
        boxes[index, : len(result)] = result.boxes_array
        scores[index, : len(result)] = result.scores
    flags = [-1 if result.contains_common_object is None else int(result.contains_common_object) for result in results]
    errors = [
        b"" if result.error is None else f"{result.error.code}: {result.error.message}".encode() for result in results
    ]
    maps = [rows[index].heatmap if index in rows else b"" for index in range(count)]
    return [
        Tensor("boxes", "FP32", boxes.shape, boxes),
        Tensor("scores", "FP32", scores.shape, scores),
        Tensor("box_counts", "INT32", (count,), np.array([len(result) for result in results], np.int32)),
        Tensor("confidence", "FP32", (count,), np.array([result.confidence for result in results], np.float32)),
        Tensor("contains_common_object", "INT8", (count,), np.array(flags, np.int8)),
        Tensor("sizes", "INT32", (count, 2), np.array([(one.width, one.height) for one in results], np.int32)),
        Tensor("errors", "BYTES", (count,), errors),
        Tensor(_HEATMAPS, "BYTES", (count,), maps),
    ]
