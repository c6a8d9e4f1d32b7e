"""The endpoints besides the pages."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from service.http.colocalize import answer
from service.http.export import export
from service.http.metrics import METRICS_MEDIA_TYPE
from service.http.objects import delete_object, list_objects, put_object, tell_object
from service.http.openapi import (
    EXPORT_EXAMPLE,
    EXPORTED_EXAMPLES,
    OBJECT_EXAMPLE,
    image_request,
    json_request,
    problem_responses,
)
from service.http.parameters import ExportParameters, FitParameters, Parameters
from service.http.paths import COLOCALIZE, EXPORT, LIVEZ, METRICS, MODEL, OBJECT, OBJECTS, READYZ
from service.http.problems import Problem, ProblemCode
from service.http.schemas import (
    ColocalizeResponse,
    ExportBody,
    FittedObjectBody,
    HealthBody,
    ModelDetails,
    ObjectBody,
    ObjectListBody,
)
from service.http.state import Service
from service.inference.object_store import NAME_PATTERN

__all__ = ["api_router", "model_details"]

ObjectName = Annotated[
    str, Path(description="Name of the object.", json_schema_extra={"pattern": f"^{NAME_PATTERN}$"}, examples=["birds"])
]

_OF_UPLOADS: tuple[ProblemCode, ...] = (
    "malformed_body", "unauthorized", "upload_timeout", "request_too_large", "image_too_large", "too_many_images",
    "unsupported_media_type", "invalid_parameter", "invalid_hint", "no_images", "no_readable_image", "overloaded",
    "internal_error", "inference_failed", "not_ready", "deadline_exceeded",
)  # fmt: skip
_OF_OBJECTS: tuple[ProblemCode, ...] = (
    "unauthorized", "objects_disabled", "object_not_found", "invalid_parameter", "object_unusable"
)  # fmt: skip
_FITTED_EXAMPLE = {
    **OBJECT_EXAMPLE,
    "errors": [{"name": "b.jpg", "code": "empty_file", "message": "the file has 0 bytes"}],
}


_BINARY = {"type": "string", "format": "binary"}


def api_router(service: Service) -> APIRouter:
    """The endpoints of one service.

    Args:
        service: The state that they share.
    """
    router = APIRouter()

    @router.post(
        COLOCALIZE,
        tags=["Images"],
        summary="Localize the common object of a set of images",
        response_model=ColocalizeResponse,
        responses={
            **problem_responses(
                *_OF_UPLOADS, "objects_disabled", "object_not_found", "object_of_another_model", "object_unusable"
            ),
        },
        openapi_extra=image_request(Parameters),
    )
    async def colocalize(request: Request) -> Response:
        """Boxes and, on request, heat maps for each image sent.

        An image that cannot be read gets an `error` and does not affect the others; only a set without a single
        readable image is refused as a whole. With `object`, what was fitted before is looked for in place of what the
        images have in common.
        """
        return await answer(request, service)

    @router.post(
        EXPORT,
        tags=["Images"],
        summary="Results as a file of another tool",
        response_class=Response,
        responses={
            200: {
                "description": "The file; for YOLO a zip of the labels.",
                "content": {
                    kind: {"schema": {} if "json" in kind else _BINARY, "example": example}
                    for kind, example in EXPORTED_EXAMPLES.items()
                },
            },
            **problem_responses(
                "malformed_body",
                "unauthorized",
                "upload_timeout",
                "request_too_large",
                "unsupported_media_type",
                "invalid_parameter",
                "invalid_body",
                "not_expressible",
                "overloaded",
                "internal_error",
            ),
        },
        openapi_extra=json_request(ExportBody, ExportParameters, EXPORT_EXAMPLE),
    )
    async def write(request: Request) -> Response:
        """The answer of `POST /colocalize`, as it came or as somebody has corrected it, in the formats of the folders.

        Nothing is kept, and no image is needed.
        """
        return await export(request, service)

    @router.put(
        OBJECT,
        tags=["Objects"],
        summary="Fit the common object of a set of images and keep it",
        status_code=201,
        response_model=FittedObjectBody,
        responses={
            200: {
                "description": "It was kept in place of an older one.",
                "model": FittedObjectBody,
                "content": {"application/json": {"example": _FITTED_EXAMPLE}},
            },
            201: {"content": {"application/json": {"example": _FITTED_EXAMPLE}}},
            **problem_responses(
                *_OF_UPLOADS,
                "forbidden",
                "objects_disabled",
                "too_many_objects",
                "nothing_in_common",
                "object_unusable",
            ),
        },
        openapi_extra=image_request(FitParameters),
    )
    async def put(request: Request, name: ObjectName) -> Response:
        """As `POST /colocalize` without boxes: what the images have in common is kept under the name.

        It is on the disk before the answer is sent, and all workers look for the new one from then on.
        """
        return await put_object(request, service, name)

    @router.get(
        OBJECTS,
        tags=["Objects"],
        summary="The objects that are kept",
        response_model=ObjectListBody,
        responses={
            200: {"content": {"application/json": {"example": {"objects": ["birds", "cars"]}}}},
            **problem_responses("unauthorized", "objects_disabled", "object_unusable"),
        },
    )
    async def names() -> ObjectListBody:
        """Their names, sorted."""
        return await list_objects(service)

    @router.get(
        OBJECT,
        tags=["Objects"],
        summary="What is known of a kept object",
        response_model=ObjectBody,
        responses={
            200: {"content": {"application/json": {"example": OBJECT_EXAMPLE}}},
            **problem_responses(*_OF_OBJECTS),
        },
    )
    async def tell(name: ObjectName) -> ObjectBody:
        """What it was fitted with and on."""
        return await tell_object(service, name)

    @router.delete(
        OBJECT,
        tags=["Objects"],
        summary="Remove a kept object",
        status_code=204,
        response_class=Response,
        responses={204: {"description": "It is gone."}, **problem_responses("forbidden", *_OF_OBJECTS)},
    )
    async def delete(name: ObjectName) -> Response:
        """Requests that look for it already are answered."""
        return await delete_object(service, name)

    @router.get(
        LIVEZ,
        tags=["Service"],
        summary="Whether the process works",
        response_model=HealthBody,
        responses={
            200: {"content": {"application/json": {"example": {"status": "ok"}}}},
            **problem_responses("not_ready"),
        },
    )
    async def livez() -> HealthBody:
        """503 where only a new process can help."""
        if not service.is_alive():
            raise Problem("not_ready", "The network does not come back from a run.")
        return HealthBody(status="ok")

    @router.get(
        READYZ,
        tags=["Service"],
        summary="Whether requests may be sent here",
        response_model=HealthBody,
        responses={
            200: {"content": {"application/json": {"example": {"status": "ok"}}}},
            **problem_responses("not_ready"),
        },
    )
    async def readyz() -> HealthBody:
        """503 until the model has run once, and from SIGTERM on."""
        if (reason := service.why_not_ready()) is not None:
            raise Problem("not_ready", reason, retry_after=1)
        return HealthBody(status="ok")

    @router.get(
        METRICS,
        tags=["Service"],
        summary="Prometheus metrics of all workers",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"example": "colocalize_pending_images 0.0"}}},
            **problem_responses("unauthorized"),
        },
    )
    def metrics() -> Response:
        """The metrics in Prometheus' text form."""
        return Response(service.metrics.exposition(), media_type=METRICS_MEDIA_TYPE)

    @router.get(
        MODEL,
        tags=["Service"],
        summary="The model in use and the limits",
        response_model=ModelDetails,
        responses=problem_responses("unauthorized"),
    )
    async def model() -> ModelDetails:
        """What the model file says about itself, where it runs, and what a request may cost."""
        return model_details(service)

    return router


def model_details(service: Service) -> ModelDetails:
    """The answer of `GET /model`."""
    settings, localizer = service.settings, service.slot.current
    engine = localizer.engine
    about = asdict(engine.metadata)
    size = about.pop("input_size")
    told = {name: value for name, value in about.items() if name in ModelDetails.model_fields}
    limits = ("max_images", "max_bytes", "max_request_bytes", "max_pixels", "max_boxes",
              "max_pending_images", "request_timeout", "upload_timeout")  # fmt: skip
    return ModelDetails(
        **told,
        input_size=(size, size),
        sha256=engine.sha256,
        provider=engine.provider,
        provider_warning=engine.provider_warning,
        prior=None if localizer.prior is None else localizer.prior.name,
        keeps_objects=service.objects is not None,
        limits={name: getattr(settings, name) for name in limits},
    )
