"""OpenTelemetry spans."""

import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from colocalization.localizer import Localizer
from service.http.app import create_app
from service.http.middleware.tracing import TracingError
from service.settings import Settings
from tests.service.conftest import wait_until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_request_is_a_span_of_the_callers_trace_with_its_stages_below(dummy_localizer: Localizer, jpeg: bytes) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = create_app(Settings(), lambda: dummy_localizer, tracer_provider=provider)
    with TestClient(app) as client:
        wait_until(lambda: app.state.service.slot.warm)
        client.get("/readyz")
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "mine"}
        client.post("/colocalize", files={"images": jpeg}, headers=headers)
    *stages, request = exporter.get_finished_spans()
    assert request.name == "POST /colocalize"
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
    assert request.attributes["http.response.status_code"] == 200
    assert (request.attributes["colocalize.images"], request.attributes["colocalize.request_id"]) == (1, "mine")
    assert [span.name for span in stages] == ["queue", "decode", "inference", "postprocess"]
    assert {span.parent.span_id for span in stages} == {request.context.span_id}


def test_missing_extra_is_named(dummy_localizer: Localizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = Settings(otlp_endpoint="http://127.0.0.1:4318/v1/traces")
    with pytest.raises(TracingError, match=r"colocalize\[otel\]"):
        create_app(settings, lambda: dummy_localizer)
