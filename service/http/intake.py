"""From the first byte of an upload to the end of its job, and what can go wrong on the way."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request

from colocalization.hints import HintError
from service.http.form import Upload, UploadLimits
from service.http.hints_field import hint_problem
from service.http.problems import Problem
from service.http.request_state import STATE, RequestState
from service.http.state import Service
from service.http.upload import ReadUpload, read_upload
from service.http.waiting import run_job
from service.inference.interface import InferenceFailed, Overloaded, Stopped
from service.inference.job import Job

__all__ = ["DoneJob", "run_upload"]

_SMALL_BODY = 2**20
"""Bodies up to this are let come in and thrown away where the request is refused: under overload a new connection for
the next try would cost both sides more."""


@dataclass(frozen=True, slots=True)
class DoneJob:
    """A job that is over.

    Attributes:
        job: The job.
        received: When its upload was complete, on the monotonic clock.
    """

    job: Job
    received: float


async def run_upload(
    request: Request,
    service: Service,
    allowed_fields: frozenset[str],
    make_job: Callable[[Upload], Awaitable[Job]],
    read: ReadUpload = read_upload,
) -> DoneJob:
    """Read a request's images and have them worked on.

    Args:
        request: The request, its body not yet read.
        service: Does the work.
        allowed_fields: Names of form fields besides the images.
        make_job: Makes the job of what was uploaded, which holds the images from then on.
        read: Reads the body.

    Raises:
        Problem: Whatever is wrong with the request or keeps the service from answering it.
        ClientDisconnect: The client went away; its work is dropped.
    """
    if (reason := service.why_not_able()) is not None:
        raise Problem("not_ready", reason, retry_after=1, close=True)
    notes: RequestState = request.scope[STATE]
    settings = service.settings
    unread = not _has_small_body(request.headers)  # whether a refusal leaves much of the body on its way
    try:
        service.scheduler.work.check(1)  # refused before the upload is read, where not even one image would be accepted
        with service.budget.reservation() as reservation:
            upload = await read(
                request.headers,
                request.receive,
                UploadLimits.of(settings),
                reservation,
                allowed_fields,
                service.scheduler.work.seconds_left,
                service.fetcher,
            )
            unread = False
            received = time.monotonic()
            service.metrics.upload_bytes.inc(upload.size)
            notes.upload_bytes, notes.images = upload.size, len(upload.images)
            job = await make_job(upload)
            # From here on only the job holds the encoded images, and lets each go once it is decoded.
            del upload
            await run_job(job, service.scheduler, request.receive, settings.request_timeout)
    except Overloaded as overloaded:
        raise _overloaded(overloaded, service, close=unread) from None
    except HintError as error:
        raise hint_problem(error) from None
    except Stopped:
        raise Problem("not_ready", "The service is shutting down.", retry_after=1) from None
    except InferenceFailed:
        raise Problem("inference_failed", "The network failed on these images.") from None
    return DoneJob(job, received)


def _has_small_body(headers: Headers) -> bool:
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) <= _SMALL_BODY


def _overloaded(overloaded: Overloaded, service: Service, *, close: bool) -> Problem:
    limit, pending = service.settings.max_pending_images, service.scheduler.work.pending
    return Problem(
        "overloaded",
        f"{pending} images are waiting for an answer; at most {limit} may, and none for too long.",
        {"limit": {"name": "max_pending_images", "value": limit}},
        retry_after=overloaded.retry_after,
        close=close,
    )
