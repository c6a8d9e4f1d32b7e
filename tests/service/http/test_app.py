"""The endpoints besides `POST /colocalize`, and what holds for all of them."""

import json
import re
from typing import get_args

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from colocalization.localizer import Localizer
from service.http.app import create_app
from service.http.problems import PROBLEM_TYPES, ProblemCode
from service.settings import Settings
from tests.dummy_engine import DummyEngine
from tests.service.conftest import Start


def test_ready_only_after_the_first_run_and_not_while_draining(dummy_engine: DummyEngine, start: Start) -> None:
    cold: FastAPI = create_app(Settings(), lambda: Localizer(dummy_engine))
    assert cold.state.service.why_not_ready() == "The model has not run yet."
    with start() as client:
        assert (client.get("/readyz").status_code, client.get("/livez").status_code) == (200, 200)
        client.app.state.service.draining = True
        draining = client.get("/readyz")
        assert (draining.status_code, draining.json()["code"]) == (503, "not_ready")
        assert (client.get("/livez").status_code, draining.headers["connection"]) == (200, "close")


def test_requests_before_the_first_run_are_refused(jpeg: bytes) -> None:
    def fail(_: int) -> None:
        raise RuntimeError("no memory")

    app = create_app(Settings(), lambda: Localizer(DummyEngine(before_run=fail)))
    with TestClient(app) as client:
        answer = client.post("/colocalize", files={"images": jpeg})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "not_ready", "1")


def test_model_tells_the_provider_and_why_it_is_not_another(start: Start) -> None:
    engine = DummyEngine(provider_warning="CUDAExecutionProvider failed to load; running on CPUExecutionProvider")
    with start(engine=engine, max_images=7) as client:
        about = client.get("/model").json()
    assert (about["provider"], about["provider_warning"]) == ("CPUExecutionProvider", engine.provider_warning)
    assert about["limits"]["max_images"] == 7


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/page/../settings.py", 404, "not_found"),
        ("GET", "/colocalize", 405, "method_not_allowed"),
        ("DELETE", "/model", 405, "method_not_allowed"),
        ("POST", "/colocalize", 415, "unsupported_media_type"),
    ],
)
def test_errors_are_problem_details(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path, headers={"x-request-id": "my-request"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["status"], problem["request_id"]) == (code, status, "my-request")
    assert problem["type"] == f"urn:colocalize:problem:{code}"


def test_every_problem_code_has_a_status() -> None:
    assert set(PROBLEM_TYPES) == set(get_args(ProblemCode))


@pytest.mark.parametrize("path", ["/", "/docs", "/page/style.css", "/page/app.js", "/page/icon.svg"])
def test_pages_load_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    links = re.findall(r"""(?:src|href|url\(|import|fetch\()\s*=?\s*["'(]?(https?:)?//""", answer.text)
    assert links == []
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_page_is_not_sent_again_where_it_is_the_same(client: TestClient) -> None:
    tag = client.get("/").headers["etag"]
    assert client.get("/", headers={"if-none-match": tag}).status_code == 304


def test_openapi_documents_every_status_with_an_example(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/colocalize"]["post"]
    assert set(operation["responses"]) == {
        "200", "400", "401", "404", "408", "409", "413", "415", "422", "429", "500", "503", "504",
    }  # fmt: skip
    for methods in document["paths"].values():
        for described in methods.values():
            for response in described["responses"].values():
                for content in response.get("content", {}).values():  # 204 has none
                    assert "example" in content or content["examples"]
    for code, example in operation["responses"]["413"]["content"]["application/problem+json"]["examples"].items():
        assert example["value"]["code"] == code
    assert "ProblemBody" in document["components"]["schemas"]
    assert "$defs" not in json.dumps(document)


def test_openapi_tells_the_limits(start: Start) -> None:
    with start(max_images=5, max_boxes=9) as client:
        document = client.get("/openapi.json").json()
    body = document["paths"]["/colocalize"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["properties"]["images"]["maxItems"] == 5
    assert body["properties"]["max_boxes"]["maximum"] == 9
    assert (body["properties"]["mode"]["enum"], body["properties"]["mode"]["default"]) == (
        ["attention", "common"],
        "common",
    )


def test_cors_is_off_unless_asked_for(start: Start, client: TestClient) -> None:
    origin = {"origin": "https://a.example"}
    assert "access-control-allow-origin" not in client.get("/model", headers=origin).headers
    with start(cors_origins="https://a.example, https://b.example") as open_client:
        allowed = open_client.get("/model", headers=origin).headers["access-control-allow-origin"]
        other = open_client.get("/model", headers={"origin": "https://c.example"}).headers
    assert allowed == "https://a.example"
    assert "access-control-allow-origin" not in other
