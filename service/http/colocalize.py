"""`POST /colocalize`: from the first byte of the upload to the last of the answer."""

import asyncio
import time
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive

from colocalization.errors import ImageError
from service.http.parameters import PARAMETER_NAMES, Parameters, read_parameters
from service.http.problems import Problem
from service.http.rendering import answer_pieces, image_renderer, timing
from service.http.responses import PiecesResponse
from service.http.state import Service
from service.http.upload import Upload, UploadedImage, UploadLimits, read_upload
from service.inference.interface import InferenceFailed, Overloaded, Stopped
from service.inference.job import Job

__all__ = ["answer"]

_MOST_ERRORS_TOLD = 16

_SMALL_BODY = 2**20
"""Bodies up to this are let come in and thrown away where the request is refused: under overload a new connection for
the next try would cost both sides more."""


async def answer(request: Request, service: Service) -> Response:
    """Answer one request.

    Raises:
        Problem: Whatever is wrong with the request or keeps the service from answering it.
        ClientDisconnect: The client went away; its work is dropped.
    """
    if (reason := service.why_not_able()) is not None:
        raise Problem("not_ready", reason, retry_after=1, close=True)
    _check_room(service, closing=not _has_small_body(request.headers))
    with service.budget.reservation() as reservation:
        limits = _upload_limits(service)
        upload = await read_upload(
            Headers(scope=request.scope),
            request.receive,
            limits,
            reservation,
            PARAMETER_NAMES,
            service.scheduler.seconds_left,
        )
        received = time.monotonic()
        service.metrics.upload_bytes.inc(upload.size)
        request.state.upload_bytes, request.state.images = upload.size, len(upload.images)
        parameters = read_parameters(request.query_params, upload.fields, service.settings.max_boxes)
        job = _job(upload, parameters, service)
        names = [image.name for image in upload.images]
        # From here on only the job holds the encoded images, and lets each go once it is decoded.
        del upload
        await _run(job, request.receive, service)
    if len(job.errors) == len(job.answers):
        raise _nothing_readable([(names[index], error) for index, error in sorted(job.errors.items())])
    spent = timing(job.times, time.monotonic() - received)
    request.state.timings = spent.model_dump()
    return PiecesResponse(
        answer_pieces(job, spent),
        media_type="application/json",
        headers={"cache-control": "no-store"},
        send_timeout=service.settings.send_timeout,
        budget=service.budget,
    )


def _has_small_body(headers: Headers) -> bool:
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) <= _SMALL_BODY


def _check_room(service: Service, *, closing: bool) -> None:
    """Refuse before the upload is read, where not even one image would be accepted."""
    try:
        service.scheduler.check(1)
    except Overloaded as overloaded:
        raise _overloaded(overloaded, service, closing=closing) from None


def _upload_limits(service: Service) -> UploadLimits:
    settings = service.settings
    return UploadLimits(
        max_images=settings.max_images,
        max_image_bytes=settings.max_image_bytes,
        max_request_bytes=settings.max_request_bytes,
        max_name_length=settings.max_name_length,
        timeout=settings.upload_timeout,
    )


def _job(upload: Upload, parameters: Parameters, service: Service) -> Job:
    images: list[UploadedImage] = upload.images
    if not images:
        raise Problem("no_images", "Send at least one image in the form field `images`.")
    return Job(
        [image.source for image in images],
        localizer=service.slot.current,
        mode=parameters.mode,
        max_boxes=parameters.max_boxes,
        render=image_renderer([image.name for image in images], parameters.heatmap),
    )


async def _run(job: Job, receive: Receive, service: Service) -> None:
    """Wait for a job's end, its deadline or its client's leaving, whichever comes first."""
    try:
        service.scheduler.submit(job)
    except Overloaded as overloaded:
        raise _overloaded(overloaded, service, closing=False) from None
    except Stopped:
        raise Problem("not_ready", "The service is shutting down.", retry_after=1) from None
    done = asyncio.wrap_future(job.done)
    gone = asyncio.create_task(_until_gone(receive))
    try:
        timeout = service.settings.request_timeout
        await asyncio.wait({done, gone}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if done.done():
            done.result()
        elif gone.done():
            raise ClientDisconnect
        else:
            raise Problem(
                "deadline_exceeded",
                f"The answer was not ready within {timeout:g} seconds.",
                {"limit": {"name": "request_timeout", "value": timeout}},
            )
    except InferenceFailed:
        raise Problem("inference_failed", "The network failed on these images.") from None
    except Stopped:
        raise Problem("not_ready", "The service is shutting down.", retry_after=1) from None
    finally:
        gone.cancel()
        service.scheduler.cancel(job)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _overloaded(overloaded: Overloaded, service: Service, *, closing: bool) -> Problem:
    limit = service.settings.max_pending_images
    return Problem(
        "overloaded",
        f"{service.scheduler.pending} images are waiting for an answer; at most {limit} may, and none for too long.",
        {"limit": {"name": "max_pending_images", "value": limit}},
        retry_after=overloaded.retry_after,
        close=closing,
    )


def _nothing_readable(errors: Sequence[tuple[str, ImageError]]) -> Problem:
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
