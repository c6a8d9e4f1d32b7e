"""`POST /colocalize`: what of the images of a request, or of a kept object, is in each of them."""

import time
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from service.http.form import Upload
from service.http.hints_field import read_hints
from service.http.intake import run_upload
from service.http.objects import load_object
from service.http.parameters import PARAMETER_NAMES, read_parameters
from service.http.problems import Problem
from service.http.rendering import previewed_images, render_image, write_answer
from service.http.request_state import STATE, RequestState
from service.http.responses import PiecesResponse
from service.http.state import Service
from service.inference.job import Job, JobOptions

__all__ = ["answer"]


async def answer(request: Request, service: Service) -> Response:
    """Answer one request.

    Raises:
        Problem: Whatever is wrong with the request or keeps the service from answering it.
        ClientDisconnect: The client went away; its work is dropped.
    """
    notes: RequestState = request.scope[STATE]
    settings = service.settings

    async def make_job(upload: Upload) -> Job:
        parameters = read_parameters(request.query_params, upload.fields, settings.max_boxes)
        names = upload.names()
        hints = read_hints(parameters.hints, names)
        if hints and (parameters.mode != "common" or parameters.object):
            why = "and nothing is learnt in mode attention" if parameters.mode != "common" else "and an object is kept"
            raise Problem("invalid_hint", f"Hints say what the images of a request have in common, {why}.")
        localizer = service.slot.current
        common = await load_object(service, localizer, parameters.object) if parameters.object else None
        sources = [image.source for image in upload.images]
        previewed = previewed_images(sources, parameters.preview)
        return Job(
            sources,
            localizer=localizer,
            options=JobOptions(parameters.mode, parameters.max_boxes, hints, common),
            render=partial(render_image, names, parameters.heatmap, previewed),
            names=names,
            request_id=notes.request_id,
        )

    done = await run_upload(request, service, PARAMETER_NAMES, make_job)
    pieces, notes.timings = write_answer(done.job, done.job.names, time.monotonic() - done.received)
    return PiecesResponse(
        pieces,
        media_type="application/json",
        headers={"cache-control": "no-store"},
        send_timeout=settings.send_timeout,
        budget=service.budget,
    )
