"""Request ids: taken over, made up, and logged."""

import json
import logging
import re

import pytest
from starlette.testclient import TestClient

from service.http.request_state import REQUEST_ID
from service.process.logs import JsonFormatter, TextFormatter


@pytest.mark.parametrize("given", ["abc", "A.b_c:d-9", "x" * 64])
def test_id_of_the_client_is_given_back(client: TestClient, given: str) -> None:
    assert client.get("/livez", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", '{"a":1}'])
def test_id_that_could_forge_log_lines_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/livez", headers={"x-request-id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_ids_differ(client: TestClient) -> None:
    assert len({client.get("/livez").headers["x-request-id"] for _ in range(5)}) == 5


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "a", "levelno": 20, "levelname": "INFO", "msg": "hello %s", "args": ("you",)})
    vars(made).update(extra)
    return made


def test_log_line_is_one_json_object_with_the_id() -> None:
    token = REQUEST_ID.set("my-request")
    try:
        line = JsonFormatter().format(record(status=200, note=None, text="two\nlines"))
    finally:
        REQUEST_ID.reset(token)
    entry = json.loads(line)
    assert "\n" not in line
    assert entry["time"].endswith("+00:00")
    assert {name: entry.get(name) for name in ("level", "message", "request_id", "status", "text", "note")} == {
        "level": "info", "message": "hello you", "request_id": "my-request", "status": 200, "text": "two\nlines",
        "note": None,
    }  # fmt: skip
    assert "note" not in entry


def test_log_line_for_people() -> None:
    assert TextFormatter().format(record(status=200)).endswith("INFO    hello you status=200")
