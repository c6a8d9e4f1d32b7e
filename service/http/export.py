"""`POST /export`: results, as they were answered or as somebody has corrected them, in the formats of other tools.

They are written by the code that writes those of folders (`scoring.formats`), into memory: the service keeps nothing.
"""

import asyncio
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from colocalization.boxes import Box
from colocalization.errors import ImageError, ImageWarning
from colocalization.listing import ImageFile
from colocalization.results import ImageResult
from scoring.formats import (
    FILE_NAMES,
    ExportOptions,
    Format,
    FormatError,
    Prediction,
    Record,
    check_names,
    encode_prediction,
    records,
    to_prediction,
    write_file,
    yolo_files,
)
from service.http.body import BodyLimits, check_encoding, receive_body
from service.http.parameters import ExportParameters, read_export_parameters
from service.http.problems import Problem
from service.http.request_state import STATE, RequestState
from service.http.responses import PiecesResponse
from service.http.schemas import ExportBody, ReviewedImageBody
from service.http.state import Service

__all__ = ["MAX_EXPORT_BYTES", "export"]

MAX_EXPORT_BYTES = 4 * 2**20
"""Largest body: some ten thousand images of a few boxes each. Read, it takes about twenty times its size."""

_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "yolo": "application/zip"}
_MOST_ERRORS_TOLD = 16
_MAX_TOLD = 200


@dataclass(frozen=True, slots=True)
class _File:
    """A file to be downloaded."""

    name: str
    media_type: str
    content: bytes


async def export(request: Request, service: Service) -> Response:
    """Answer one request.

    Raises:
        Problem: Whatever is wrong with the request.
        ClientDisconnect: The client went away.
    """
    settings = service.settings
    parameters = read_export_parameters(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        given = repr(kind[:_MAX_TOLD]) if kind else "no content type"
        raise Problem("unsupported_media_type", f"Expected application/json, got {given}.", close=True)
    check_encoding(request.headers)
    most, name = min((MAX_EXPORT_BYTES, "export_bytes"), (settings.max_request_bytes, "max_request_bytes"))
    limits = BodyLimits(most, name, settings.upload_timeout, "Leave out heat maps and previews, which are not written.")
    with service.budget.reservation() as reservation:
        body = io.BytesIO()
        retry_after = service.scheduler.work.seconds_left
        size = await receive_body(request.headers, request.receive, limits, reservation, retry_after, body.write)
        notes: RequestState = request.scope[STATE]
        notes.upload_bytes = size
        async with service.export_lock:
            file = await asyncio.to_thread(_written, body.getvalue(), parameters)
    return PiecesResponse(
        [file.content],
        media_type=file.media_type,
        headers={"cache-control": "no-store", "content-disposition": f'attachment; filename="{file.name}"'},
        send_timeout=settings.send_timeout,
        budget=service.budget,
    )


def _written(content: bytes, parameters: ExportParameters) -> _File:
    """From the JSON of a request to the file.

    Raises:
        Problem: It is no JSON (`malformed_body`), of another form (`invalid_body`), or its names do not fit in the
            format (`not_expressible`).
    """
    body = _read(content)
    predictions = [_prediction(image) for image in body.images]
    kind = Format(parameters.format)
    if kind == Format.JSONL:
        return _File("predictions.jsonl", _MEDIA_TYPES[kind], b"".join(map(encode_prediction, predictions)))
    # Where the images lie, only who has them knows. Label Studio needs a place: below `images` in its document root.
    files = [ImageFile(image.name, f"/images/{image.name}", None, None) for image in body.images]
    options = ExportOptions(
        parameters.label,
        keep_unflagged=parameters.keep_unflagged,
        label_studio_root=Path("/"),
        model="" if body.model is None else f"{body.model.name} {body.model.sha256[:12]}",
    )

    def read() -> Iterator[Record]:
        return records(files, predictions, keep_unflagged=options.keep_unflagged)

    try:
        check_names([kind], files, options)
        if kind == Format.YOLO:
            return _File("yolo.zip", _MEDIA_TYPES[kind], _zipped(read(), options))
        stream = io.BytesIO()
        write_file(kind, stream, read, options)
    except FormatError as error:
        raise Problem("not_expressible", f"{error.message}.") from error
    return _File(FILE_NAMES[kind], _MEDIA_TYPES.get(kind, "application/json"), stream.getvalue())


def _read(content: bytes) -> ExportBody:
    try:
        body = ExportBody.model_validate_json(content)
    except ValidationError as error:
        first, *_ = found = error.errors(include_url=False, include_input=False, include_context=False)
        if first["type"] == "json_invalid":
            raise Problem("malformed_body", f"The body is not JSON: {first['msg'][:_MAX_TOLD]}.") from None
        errors = [
            {"member": ".".join(map(str, one["loc"]))[:_MAX_TOLD], "message": one["msg"][:_MAX_TOLD]}
            for one in found[:_MOST_ERRORS_TOLD]
        ]
        told = f"{errors[0]['member'] or 'the body'}: {errors[0]['message']}"
        more = f" There are {len(found) - 1} more." if len(found) > 1 else ""
        raise Problem("invalid_body", f"{told}.{more}", {"errors": errors}) from None
    seen: set[str] = set()
    for index, image in enumerate(body.images):
        if image.name in seen:
            errors = [{"member": f"images.{index}.name", "message": f"another image is called {image.name!r} too"}]
            raise Problem("invalid_body", f"images.{index}.name: {errors[0]['message']}.", {"errors": errors})
        seen.add(image.name)
    return body


def _prediction(image: ReviewedImageBody) -> Prediction:
    """As a folder's are: rounded as they are written, best box first."""
    error, warning = image.error, image.warning
    result = ImageResult(
        image.width,
        image.height,
        tuple(Box(box.x0, box.y0, box.x1, box.y1, box.score) for box in image.boxes),
        image.confidence,
        image.contains_common_object,
        heatmap=None,
        error=None if error is None else ImageError(error.code, error.message),
        warning=None if warning is None else ImageWarning(warning.code, warning.message),
    )
    return to_prediction(image.name, result)


def _zipped(found: Iterator[Record], options: ExportOptions) -> bytes:
    stream = io.BytesIO()
    # Not compressed: labels are small, and whoever has the images can lay them in without unpacking anything.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, content, _ in yolo_files(found, options):
            # A fixed time, so that the same results give the same bytes.
            archive.writestr(zipfile.ZipInfo(str(path)), content)
    return stream.getvalue()
