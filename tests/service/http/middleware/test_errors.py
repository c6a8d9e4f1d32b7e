"""Unexpected errors."""

import pytest
from starlette.testclient import TestClient


def test_unexpected_error_tells_nothing_but_is_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr("service.http.routes.model_details", fail)
    answer = client.get("/model", headers={"x-request-id": "mine"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert (answer.json()["request_id"], answer.headers["x-request-id"]) == ("mine", "mine")
    assert "secret" not in answer.text
    assert "x-content-type-options" in answer.headers
    assert "secret path" in caplog.text


def test_unexpected_error_of_the_middleware_is_problem_details_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr("service.http.middleware.server_timing.ServerTimingMiddleware.__call__", fail)
    answer = client.get("/model")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert (answer.json()["code"], "secret" in answer.text) == ("internal_error", False)
