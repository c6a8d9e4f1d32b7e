"""The backend of Label Studio, over the dummy engine and a Label Studio that the test plays."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from colocalization.localizer import Localizer
from service.http import app as app_module
from service.http.annotation_backend import _Sample
from service.http.annotation_host import AnnotationHost
from service.settings import Settings
from tests.dummy_engine import DummyEngine
from tests.service.conftest import encode, wait_until
from tests.service.http.test_labelling import CONFIG, annotation, region

URL = "http://labels.test:8080"


def square(x: int, y: int) -> bytes:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[y : y + 16, x : x + 16] = 255
    return encode(pixels, "PNG")


class Studio:
    """A Label Studio of one project, number 7."""

    def __init__(self, token: str = "legacy") -> None:  # noqa: S107
        self.token = token
        self.images = {"/data/upload/a.png": square(8, 8), "/data/upload/b.png": square(40, 8),
                       "/data/local-files/?d=c.png": square(24, 32)}  # fmt: skip
        self.annotations: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[httpx.Request] = []

    def tasks(self) -> list[dict[str, Any]]:
        return [{"id": index, "data": {"url": address}} for index, address in enumerate(self.images)]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path == "/api/token/refresh":
            right = json.loads(request.content) == {"refresh": self.token}
            return httpx.Response(200, json={"access": "short"}) if right else httpx.Response(401)
        expected = "Bearer short" if self.token.count(".") == 2 else f"Token {self.token}"
        if request.headers.get("authorization") != expected:
            return httpx.Response(401)
        if request.url.path == "/api/projects/7/export":
            tasks = [
                {**task, "annotations": self.annotations[task["data"]["url"]]}
                for task in self.tasks()
                if task["data"]["url"] in self.annotations
            ]
            return httpx.Response(200, json=tasks)
        if request.url.path == "/api/tasks":
            return httpx.Response(200, json={"tasks": self.tasks(), "total": len(self.images)})
        if "*/*" not in request.headers["accept"]:
            return httpx.Response(406)  # as Django REST framework does
        content = self.images.get(request.url.raw_path.decode())
        return httpx.Response(404) if content is None else httpx.Response(200, stream=httpx.ByteStream(content))

    def request(self, *addresses: Any, **members: Any) -> dict[str, Any]:
        tasks = [{"id": index, "data": {"url": address}} for index, address in enumerate(addresses)]
        return {"tasks": tasks, "project": "7.1700000000", "label_config": CONFIG, **members}


@contextmanager
def backend(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, engine: DummyEngine, token: str | None = None, **settings: Any
) -> Iterator[TestClient]:
    """The app, its Label Studio played by the test."""

    def host(url: str, given: str, others: Any) -> AnnotationHost:
        made = AnnotationHost(url, given, others, httpx.MockTransport(studio))
        monkeypatch.setattr(made._images, "_resolve", resolve)
        return made

    async def resolve(name: str, port: int) -> list[str]:
        assert (name, port) == ("labels.test", 8080)
        return ["10.0.0.9"]

    monkeypatch.setattr(app_module, "AnnotationHost", host)
    settings = {"label_studio_url": URL, "label_studio_token": studio.token if token is None else token, **settings}
    app = app_module.create_app(Settings(**settings), lambda: Localizer(engine))
    with TestClient(app, raise_server_exceptions=False) as client:
        wait_until(lambda: app.state.service.slot.warm)
        yield client


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def client(studio: Studio, monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine) -> Iterator[TestClient]:
    with backend(studio, monkeypatch, dummy_engine) as client:
        yield client


def test_tasks_are_localized_as_one_set_with_what_label_studio_serves(client: TestClient, studio: Studio) -> None:
    assert client.get("/labelstudio/health").json()["status"] == "UP"
    answer = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()
    assert [len(one["result"]) for one in answer["results"]] == [1, 1, 1]
    for one, (x, y) in zip(answer["results"], ((8, 8), (40, 8), (24, 32)), strict=True):
        value = one["result"][0]["value"]
        assert [value["x"], value["y"]] == pytest.approx([100 * x / 64, 100 * y / 64], abs=7)
        assert one["model_version"] == answer["model_version"]
        assert 0 < one["score"] <= 1
    images = [request for request in studio.asked if request.url.path.startswith("/data/")]
    assert {request.url.host for request in images} == {"10.0.0.9"}  # the address that the name has, pinned
    assert {request.headers["host"] for request in images} == {"labels.test:8080"}


def test_a_single_task_is_looked_at_for_what_the_project_shares(client: TestClient, studio: Studio) -> None:
    together = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()["results"]
    fitted = len(studio.asked)
    for address, expected in zip(studio.images, together, strict=True):
        assert client.post("/labelstudio/predict", json=studio.request(address)).json()["results"] == [expected]
    # The object is kept: from then on a task costs two questions and its image.
    assert len(studio.asked) == fitted + 3 * 3


def test_the_version_changes_with_the_models() -> None:
    sample = _Sample(("/a.png",), {})
    versions = [sample.version(models) for models in (["a"], ["b"], ["a", "a prior"], ["a", "another"])]
    assert len({*versions}) == 4
    assert sample.version(["a"]) == versions[0]


def test_annotations_are_hints_and_change_the_version(client: TestClient, studio: Studio) -> None:
    def setup() -> str:
        told = client.post("/labelstudio/setup", json={"project": "7.1700000000", "schema": CONFIG, "hostname": URL})
        return str(told.json()["model_version"])

    first = setup()
    assert (
        client.post("/labelstudio/predict", json=studio.request("/data/upload/a.png")).json()["model_version"] == first
    )
    assert setup() == first
    drawn = {**region(62.5, 12.5, 25, 25), "original_width": 64, "original_height": 64}
    studio.annotations["/data/upload/b.png"] = [annotation(drawn)]
    assert client.post("/labelstudio/webhook", json={"action": "ANNOTATION_CREATED"}).json() == {"status": "ok"}
    second = setup()
    assert second != first
    answer = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()
    assert answer["model_version"] == second
    assert all(one["result"] for one in answer["results"])
    studio.annotations["/data/upload/b.png"] = [annotation()]
    assert setup() not in (first, second)
    del studio.annotations["/data/upload/b.png"]
    assert setup() == first


def test_several_rectangles_in_an_image_ask_for_all_of_them(client: TestClient, studio: Studio) -> None:
    two = np.zeros((64, 64, 3), dtype=np.uint8)
    two[8:24, 4:20] = two[36:52, 40:56] = 255
    for name in ("d", "e"):
        studio.images[f"/data/upload/{name}.png"] = encode(two, "PNG")
    drawn = [region(100 * x / 64, 100 * y / 64, 25, 25) for x, y in ((4, 8), (40, 36))]
    drawn = [{**one, "original_width": 64, "original_height": 64} for one in drawn]
    studio.annotations["/data/upload/d.png"] = [annotation(*drawn)]
    answer = client.post("/labelstudio/predict", json=studio.request("/data/upload/e.png")).json()
    assert len(answer["results"][0]["result"]) >= 2


def test_odd_annotations_break_nothing(client: TestClient, studio: Studio) -> None:
    plain = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()
    stated = {**region(62.5, 12.5, 25, 25), "original_width": 4000, "original_height": 3000}  # the image has 64
    studio.annotations = {
        "/data/upload/a.png": [annotation({**stated, "value": {"x": "a"}})],
        "/data/upload/b.png": [annotation(stated)],
        "/data/local-files/?d=c.png": None,  # type: ignore[dict-item]
    }
    answer = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()
    assert answer["model_version"] != plain["model_version"]
    assert [len(one["result"]) for one in answer["results"]] == [1, 1, 1]


def test_annotated_images_that_cannot_be_decoded_do_not_end_the_predictions(client: TestClient, studio: Studio) -> None:
    plain = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()["results"]
    studio.images["/data/upload/d.png"] = square(8, 8)[:60]
    studio.annotations["/data/upload/d.png"] = [annotation(region(10, 10, 50, 50))]
    answer = client.post("/labelstudio/predict", json=studio.request(*studio.images))
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert results[3]["result"] == []
    assert [one["result"] for one in results[:3]] == [one["result"] for one in plain]


@pytest.mark.parametrize("token", ["legacy", "aa.bb.cc"])
@pytest.mark.parametrize("content", [b"<html>a router</html>", b'{"tasks": null}', b"[1", b"null"])
def test_what_is_no_label_studio_is_told(
    monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine, token: str, content: bytes
) -> None:
    class Other(Studio):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=content)

    with backend(Other(token), monkeypatch, dummy_engine) as client:
        answer = client.post("/labelstudio/setup", json={"project": "7.1", "schema": CONFIG})
    assert (answer.status_code, answer.json()["code"]) == (502, "label_studio_failed")
    assert "is no Label Studio" in answer.json()["detail"]


def test_label_studio_that_went_away_is_told(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine
) -> None:
    class Gone(Studio):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            if len(self.asked) > 3:  # it answers for its project, and ends while images are fetched
                raise httpx.ConnectError("connection refused", request=request)
            return await super().__call__(request)

    with backend(gone := Gone(), monkeypatch, dummy_engine) as client:
        results = client.post("/labelstudio/predict", json=gone.request(*gone.images)).json()["results"]
        assert [len(one["result"]) for one in results] == [0, 0, 0]
        answer = client.post("/labelstudio/predict", json=gone.request(*gone.images))
    assert (answer.status_code, answer.json()["code"]) == (502, "label_studio_failed")
    assert "connection refused" in answer.json()["detail"]


def test_images_that_cannot_be_had_are_predictions_without_a_box(client: TestClient, studio: Studio) -> None:
    others = (
        "/data/missing.png",
        "https://elsewhere.test/a.png",
        "s3://bucket/a.png",
        "",
        7,
        "http://labels.test:9/a.png",
    )
    answer = client.post("/labelstudio/predict", json=studio.request("/data/upload/a.png", *others))
    assert answer.status_code == 200
    assert [len(one["result"]) for one in answer.json()["results"]] == [1, 0, 0, 0, 0, 0, 0]
    assert {request.url.host for request in studio.asked} == {"labels.test", "10.0.0.9"}  # no token went elsewhere


def test_limits_of_images_hold(studio: Studio, monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine) -> None:
    most = max(len(content) for content in studio.images.values())
    studio.images["/data/large.png"] = square(8, 8) + bytes(most)
    with backend(studio, monkeypatch, dummy_engine, max_bytes=most) as client:
        results = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()["results"]
    assert [len(one["result"]) for one in results] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"tasks": {}}, "invalid_body"),
        ({"tasks": [1]}, "invalid_body"),
        ({"tasks": [{}] * 1001}, "too_many_images"),
        ({"project": "x"}, "invalid_body"),
        ({"project": None}, "invalid_body"),
        ({"label_config": "<View/>"}, "invalid_body"),
        ({"label_config": None}, "invalid_body"),
        ({"project": "8.1"}, "label_studio_failed"),
    ],
)
def test_refusals(client: TestClient, studio: Studio, members: dict[str, Any], code: str) -> None:
    answer = client.post("/labelstudio/predict", json=studio.request("/data/upload/a.png", **members))
    assert answer.json()["code"] == code
    assert client.post("/labelstudio/setup", json=[]).json()["code"] == "invalid_body"


def test_a_personal_access_token_is_changed_for_a_short_one(
    monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine
) -> None:
    studio = Studio("aa.bb.cc")
    with backend(studio, monkeypatch, dummy_engine) as client:
        results = client.post("/labelstudio/predict", json=studio.request(*studio.images)).json()["results"]
    assert [len(one["result"]) for one in results] == [1, 1, 1]
    assert sum(request.url.path == "/api/token/refresh" for request in studio.asked) == 1


def test_a_token_that_is_not_taken_is_told(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine
) -> None:
    for token, told in (("other", "status 401"), ("aa.bb.dd", "does not take the personal access token")):
        with backend(studio, monkeypatch, dummy_engine, token=token) as client:
            answer = client.post("/labelstudio/setup", json={"project": "7.1", "schema": CONFIG})
        assert (answer.status_code, answer.json()["code"]) == (502, "label_studio_failed")
        assert told in answer.json()["detail"]
        assert token not in answer.text


def test_keys_guard_it_and_label_studio_shows_them_by_basic_authentication(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, dummy_engine: DummyEngine
) -> None:
    key = "0123456789abcdef"
    with backend(studio, monkeypatch, dummy_engine, api_keys=f"studio={key}") as client:
        assert client.get("/labelstudio/health").status_code == 401
        assert client.get("/labelstudio/health", auth=("anyone", key)).status_code == 200


def test_without_its_setting_there_is_no_such_address(start: Any) -> None:
    with start() as client:
        assert client.get("/labelstudio/health").json()["code"] == "not_found"


def test_settings_go_together() -> None:
    with pytest.raises(ValueError, match="COLOCALIZE_LABEL_STUDIO_TOKEN must be set"):
        Settings(label_studio_url=URL)
    with pytest.raises(ValueError, match="is not of the form"):
        Settings(label_studio_url="labels.test", label_studio_token="x")  # noqa: S106
