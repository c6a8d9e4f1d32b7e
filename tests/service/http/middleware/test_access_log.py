"""One log line and one count for each request."""

import pytest
from starlette.testclient import TestClient


def test_request_is_logged_with_what_it_cost(client: TestClient, jpeg: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    client.post("/colocalize", files=[("images", jpeg), ("images", jpeg)])
    (record,) = (record for record in caplog.records if record.getMessage() == "request")
    assert (record.method, record.path, record.status, record.code) == ("POST", "/colocalize", 200, "ok")
    assert (record.images, record.upload_bytes > 2 * len(jpeg)) == (2, True)
    assert record.duration_ms >= record.total > 0


def test_probes_are_logged_on_debug_only(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    client.get("/livez")
    client.get("/nowhere")
    assert [record.path for record in caplog.records if record.getMessage() == "request"] == ["/nowhere"]


def test_requests_are_counted_and_made_up_paths_together(client: TestClient) -> None:
    for path in ("/livez", "/a", "/b", "/c"):
        client.get(path)
    text = client.get("/metrics").text
    assert 'colocalize_requests_total{code="ok",path="/livez",status="200"} 1.0' in text
    assert 'colocalize_requests_total{code="not_found",path="other",status="404"} 3.0' in text
