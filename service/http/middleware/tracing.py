"""OpenTelemetry traces, where a collector is named and the extra `otel` is installed.

One span a request, with the caller's trace as parent (W3C `traceparent`), and one below it for each stage. Stages run
side by side, so their spans tell how long each took and not when; their attribute `summed` says so.
"""

import time
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colocalization.errors import ColocalizeError
from service.http.paths import QUIET
from service.http.request_state import state_of
from service.inference.job import STAGES

__all__ = ["TracingError", "TracingMiddleware", "otlp_tracer_provider"]

_SPANS = ("queue", *STAGES)


class TracingError(ColocalizeError):
    """Traces were asked for and cannot be made."""

    def __init__(self, message: str) -> None:
        super().__init__("tracing_error", message)


def otlp_tracer_provider(endpoint: str, version: str) -> Any:
    """An OpenTelemetry tracer provider that sends to a collector in the background.

    Args:
        endpoint: URL of the collector's traces, such as `http://collector:4318/v1/traces`.
        version: Version of the service.

    Raises:
        TracingError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracingError("OpenTelemetry is not installed; install 'colocalize[otel]'") from error
    resource = Resource.create({"service.name": "colocalize", "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


class TracingMiddleware:
    """Makes a span of each request; probes and scrapes have none."""

    def __init__(self, app: ASGIApp, *, provider: Any) -> None:
        """Wrap an app.

        Args:
            app: The app.
            provider: An OpenTelemetry tracer provider.
        """
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._tracer = provider.get_tracer("colocalize")
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(
            f"{scope['method']} {scope['path']}",
            context=self._propagator.extract(carrier),
            kind=self._kind,
            attributes=attributes,
        ) as span:
            await self._app(scope, receive, send_noted)
            state = state_of(scope)
            span.set_attribute("http.response.status_code", status)
            span.set_attribute("colocalize.request_id", state.request_id or "")
            if state.images is not None:
                span.set_attribute("colocalize.images", state.images)
            self._stages(state.timings)

    def _stages(self, timings: Mapping[str, float]) -> None:
        now = time.time_ns()
        for stage in _SPANS:
            if stage in timings:
                start = now - int(1e6 * timings[stage])
                span = self._tracer.start_span(stage, start_time=start, attributes={"summed": True})
                span.end(end_time=now)
