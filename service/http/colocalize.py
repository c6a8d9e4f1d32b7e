"""`POST /colocalize`: from the first byte of the upload to the last of the answer."""

import time
from functools import partial

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from colocalization.hints import HintError
from service.http.form import UploadLimits
from service.http.hints import hint_problem, read_hints
from service.http.parameters import PARAMETER_NAMES, read_parameters
from service.http.problems import Problem
from service.http.rendering import render_image, write_answer
from service.http.request_state import STATE, RequestState
from service.http.responses import PiecesResponse
from service.http.state import Service
from service.http.upload import read_upload
from service.http.waiting import run_job
from service.inference.interface import InferenceFailed, Overloaded, Stopped
from service.inference.job import Job

__all__ = ["answer"]

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
    notes: RequestState = request.scope[STATE]
    settings = service.settings
    unread = not _has_small_body(request.headers)  # whether a refusal leaves much of the body on its way
    try:
        service.scheduler.work.check(1)  # refused before the upload is read, where not even one image would be accepted
        with service.budget.reservation() as reservation:
            upload = await read_upload(
                request.headers,
                request.receive,
                UploadLimits.of(settings),
                reservation,
                PARAMETER_NAMES,
                service.scheduler.work.seconds_left,
            )
            unread = False
            received = time.monotonic()
            service.metrics.upload_bytes.inc(upload.size)
            notes.upload_bytes, notes.images = upload.size, len(upload.images)
            parameters = read_parameters(request.query_params, upload.fields, settings.max_boxes)
            if not upload.images:
                raise Problem("no_images", "Send at least one image in the form field `images`.")
            names = [image.name for image in upload.images]
            hints = read_hints(parameters.hints, names)
            if hints and parameters.mode != "common":
                raise Problem("invalid_hint", "Hints say what the images have in common: send them in mode common.")
            job = Job(
                [image.source for image in upload.images],
                localizer=service.slot.current,
                mode=parameters.mode,
                max_boxes=parameters.max_boxes,
                render=partial(render_image, names, parameters.heatmap),
                names=names,
                hints=hints,
                request_id=notes.request_id,
            )
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
    pieces, notes.timings = write_answer(job, names, time.monotonic() - received)
    return PiecesResponse(
        pieces,
        media_type="application/json",
        headers={"cache-control": "no-store"},
        send_timeout=settings.send_timeout,
        budget=service.budget,
    )


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
