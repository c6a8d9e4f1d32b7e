"""The endpoints besides the pages."""

from dataclasses import asdict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.http.colocalize import answer
from service.http.metrics import METRICS_MEDIA_TYPE
from service.http.openapi import COLOCALIZE_REQUEST, problem_responses
from service.http.paths import COLOCALIZE, LIVEZ, METRICS, MODEL, READYZ
from service.http.problems import Problem
from service.http.schemas import ColocalizeResponse, HealthBody, ModelDetails
from service.http.state import Service

__all__ = ["api_router", "model_details"]


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
                "malformed_body", "unauthorized", "upload_timeout", "request_too_large", "image_too_large",
                "too_many_images", "unsupported_media_type", "invalid_parameter", "invalid_hint", "no_images",
                "no_readable_image", "overloaded", "internal_error", "inference_failed", "not_ready",
                "deadline_exceeded",
            ),
        },
        openapi_extra=COLOCALIZE_REQUEST,
    )  # fmt: skip
    async def colocalize(request: Request) -> Response:
        """Boxes and, on request, heat maps for each image sent.

        An image that cannot be read gets an `error` and does not affect the others; only a set without a single
        readable image is refused as a whole.
        """
        return await answer(request, service)

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
    settings, engine = service.settings, service.slot.current.engine
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
        limits={name: getattr(settings, name) for name in limits},
    )
