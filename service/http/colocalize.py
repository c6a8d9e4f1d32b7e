"""`POST /colocalize`: what of the images of a request, or of a kept object, is in each of them."""

import time
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from service.http.form import Upload
from service.http.hints_field import read_hints
from service.http.intake import run_upload
from service.http.objects import load_object
from service.http.parameters import PARAMETER_NAMES, Parameters, read_parameters
from service.http.problems import Problem
from service.http.rendering import previewed_images, render_image, write_answer
from service.http.request_state import STATE, RequestState
from service.http.responses import PiecesResponse
from service.http.state import Service
from service.inference.job import Job, JobOptions, Render

__all__ = ["answer", "make_job"]


async def answer(request: Request, service: Service) -> Response:
    """Answer one request.

    Raises:
        Problem: Whatever is wrong with the request or keeps the service from answering it.
        ClientDisconnect: The client went away; its work is dropped.
    """
    notes: RequestState = request.scope[STATE]
    settings = service.settings

    async def job_of(upload: Upload) -> Job:
        parameters = read_parameters(request.query_params, upload.fields, settings.max_boxes)
        previewed = previewed_images([image.source for image in upload.images], parameters.preview)
        render = partial(render_image, upload.names(), parameters.heatmap, previewed)
        return await make_job(service, upload, parameters, render, notes.request_id)

    done = await run_upload(request, service, PARAMETER_NAMES, job_of)
    pieces, notes.timings = write_answer(done.job, done.job.names, time.monotonic() - done.received)
    return PiecesResponse(
        pieces,
        media_type="application/json",
        headers={"cache-control": "no-store"},
        send_timeout=settings.send_timeout,
        budget=service.budget,
    )


async def make_job(
    service: Service, upload: Upload, parameters: Parameters, render: Render, request_id: str | None
) -> Job:
    """The job of a set of images.

    Args:
        service: Will do it.
        upload: The images.
        parameters: What is asked of them.
        render: Writes one image's part of the answer.
        request_id: Name of the request, for the log.

    Raises:
        Problem: There are no images, or the hints or the object cannot be used.
    """
    names = upload.names()
    hints = read_hints(parameters.hints, names)
    if hints and (parameters.mode != "common" or parameters.object):
        why = "and nothing is learnt in mode attention" if parameters.mode != "common" else "and an object is kept"
        raise Problem("invalid_hint", f"Hints say what the images of a request have in common, {why}.")
    localizer = service.slot.current
    common = await load_object(service, localizer, parameters.object) if parameters.object else None
    return Job(
        [image.source for image in upload.images],
        localizer=localizer,
        options=JobOptions(parameters.mode, parameters.max_boxes, hints, common),
        render=render,
        names=names,
        request_id=request_id,
    )
