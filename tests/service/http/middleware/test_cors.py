"""Preflights, and what they are told when they are refused."""

import pytest

from tests.service.conftest import Start

ASKED = {"origin": "https://a.example", "access-control-request-method": "POST"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"origin": "https://evil.example"}, "Disallowed CORS origin, got origin: https://evil.example"),
        ({"access-control-request-method": "PATCH"}, "access-control-request-method: PATCH"),
        ({"access-control-request-headers": "x-secret"}, "access-control-request-headers: x-secret"),
    ],
)
def test_refused_preflight_is_problem_details(start: Start, changes: dict[str, str], named: str) -> None:
    with start(cors_origins="https://a.example") as client:
        answer = client.options("/colocalize", headers={**ASKED, **changes, "x-request-id": "mine"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (answer.json()["code"], answer.json()["request_id"]) == ("preflight_refused", "mine")
    assert named in answer.json()["detail"]
    assert "Origin" in answer.headers["vary"]


def test_preflight_of_an_allowed_origin(start: Start) -> None:
    with start(cors_origins="https://a.example") as client:
        answer = client.options("/colocalize", headers=ASKED)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://a.example")
