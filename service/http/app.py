"""Puts the service together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from colocalization._version import __version__
from colocalization.errors import ModelError
from colocalization.lanes import ElasticEngine
from colocalization.localizer import Localizer
from service.http.annotation_backend import annotation_router
from service.http.annotation_host import AnnotationHost
from service.http.assets import ASSET_PATHS, asset_router
from service.http.keys import check_read_only, read_keys
from service.http.middleware.access_log import AccessLogMiddleware
from service.http.middleware.api_keys import ApiKeysMiddleware
from service.http.middleware.cors import ProblemCorsMiddleware
from service.http.middleware.draining import DrainingMiddleware
from service.http.middleware.errors import ErrorsMiddleware
from service.http.middleware.head import HeadMiddleware
from service.http.middleware.request_id import RequestIdMiddleware
from service.http.middleware.root_path import RootPathMiddleware
from service.http.middleware.security_headers import SecurityHeadersMiddleware
from service.http.middleware.server_timing import ServerTimingMiddleware
from service.http.middleware.tracing import TracingMiddleware, otlp_tracer_provider
from service.http.open_inference import open_inference_router
from service.http.openapi import example_answer, install_openapi
from service.http.paths import COLOCALIZE, GATEWAY, GUARDED, MODEL, OPEN
from service.http.problems import Problem
from service.http.responses import problem_response
from service.http.routes import api_router, model_details
from service.http.state import LoadLocalizer, Service
from service.settings import CPU_PROVIDER, Settings

__all__ = ["create_app", "localizer_loader"]

_DESCRIPTION = "Finds the thing that a set of images has in common: a box and a heat map for each, without a label."


def localizer_loader(settings: Settings) -> LoadLocalizer:
    """A function that loads the model that the settings name."""

    def load_with(threads: int) -> Localizer:
        return Localizer.load(
            settings.model,
            precision=settings.precision,
            device=settings.device,
            require_gpu=settings.require_gpu,
            threads=threads,
            limits=settings.image_limits(),
            effort=settings.effort,
            prior=settings.prior,
            prior_kind=settings.prior_kind,
        )

    def load() -> Localizer:
        several = load_with(settings.network_threads())
        if several.engine.provider != CPU_PROVIDER or settings.network_threads() == settings.threads_alone():
            return several
        alone = load_with(settings.threads_alone())
        if alone.engine.sha256 != several.engine.sha256:
            raise ModelError("the model file was changed while it was loaded")
        return several.with_engine(ElasticEngine(several.engine, alone.engine))

    return load


def create_app(
    settings: Settings,
    load: LoadLocalizer | None = None,
    *,
    shared_metrics: Path | None = None,
    tracer_provider: Any = None,
) -> FastAPI:
    """The ASGI app of one worker; the model is loaded here, threads start with the app's lifespan.

    Args:
        settings: The settings.
        load: Gives a new localizer, at the start and for each reload; from the settings if left out.
        shared_metrics: Folder in which several workers keep their metrics.
        tracer_provider: An OpenTelemetry tracer provider; by default one that sends to the settings' collector, if any.

    Raises:
        ColocalizeError: The model or its execution provider cannot be used, or OpenTelemetry is asked for and missing.
        ValueError: An API key is not well-formed.
        OSError: The file of API keys cannot be read.
    """
    keys = read_keys(settings.api_keys.get_secret_value(), settings.api_keys_file)
    check_read_only(settings.read_only_keys, keys)
    if tracer_provider is None and settings.otlp_endpoint is not None:
        tracer_provider = otlp_tracer_provider(settings.otlp_endpoint, __version__)
    service = Service.create(settings, load or localizer_loader(settings), shared_metrics)

    annotations = (
        AnnotationHost(settings.label_studio_url, settings.label_studio_token.get_secret_value(), service.fetcher)
        if settings.label_studio_url
        else None
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()
        if annotations is not None:
            await annotations.close()
        if tracer_provider is not None:
            await asyncio.to_thread(tracer_provider.shutdown)

    app = FastAPI(
        title="Colocalize",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # A redirect would name the scheme that the proxy speaks to us, and may send the images again in clear.
        redirect_slashes=False,
    )
    app.state.service = service
    app.include_router(api_router(service))
    app.include_router(open_inference_router(service))
    if annotations is not None:
        app.include_router(annotation_router(service, annotations))
    app.include_router(asset_router())
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(Exception, _answer_unexpected)
    examples = {
        COLOCALIZE: example_answer(service.slot.current.engine),
        MODEL: model_details(service).model_dump(mode="json"),
    }
    install_openapi(app, settings, examples=examples, guarded_paths=GUARDED if keys else ())
    # The last one added is the outermost.
    app.add_middleware(ErrorsMiddleware)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(ApiKeysMiddleware, keys=keys, open_paths=OPEN | ASSET_PATHS, read_only=settings.read_only_keys)
    if settings.cors_origins:
        app.add_middleware(
            ProblemCorsMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["DELETE", "GET", "POST", "PUT"],
            allow_headers=["authorization", "x-api-key", "x-request-id"],
            expose_headers=["retry-after", "server-timing", "x-request-id"],
        )
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(ServerTimingMiddleware)
    app.add_middleware(DrainingMiddleware, service=service)
    if tracer_provider is not None:
        app.add_middleware(TracingMiddleware, provider=tracer_provider)
    app.add_middleware(AccessLogMiddleware, metrics=service.metrics, paths=OPEN | GUARDED | GATEWAY | ASSET_PATHS)
    app.add_middleware(RequestIdMiddleware)
    if settings.root_path:
        app.add_middleware(RootPathMiddleware, root_path=settings.root_path)
    return app


async def _answer_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return problem_response(error, request.scope)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    answer = problem_response(Problem.from_http_exception(error, request.url.path), request.scope)
    answer.headers.update(error.headers or {})
    if "GET" in (allowed := answer.headers.get("allow", "").split(", ")):
        answer.headers["allow"] = ", ".join([*allowed, "HEAD"])
    return answer


async def _answer_unexpected(request: Request, _: Exception) -> Response:
    """Answer what goes wrong in the middleware itself; Starlette raises it on, so that the server logs it."""
    return problem_response(Problem("internal_error", "The service failed; its log has more."), request.scope)
