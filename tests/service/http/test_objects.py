"""`/objects`, and `POST /colocalize` with an object that was kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from colocalization.common_object import CommonObject
from service.inference.object_store import ObjectStore
from tests.dummy_engine import DummyEngine
from tests.service.conftest import Start, encode

KEY = "k" * 16


def square(x: int, y: int, side: int = 16) -> bytes:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[y : y + side, x : x + side] = 255
    return encode(pixels, "PNG")


def images(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (f"{index}.png", content)) for index, content in enumerate(contents)]


SET = (square(8, 8), square(40, 8), square(24, 32))


def test_fitted_kept_told_listed_looked_for_and_removed(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path) as client:
        put = client.put("/objects/birds", files=images(*SET))
        assert (put.status_code, put.headers["location"], put.json()["errors"]) == (201, "/objects/birds", [])
        told = client.get("/objects/birds")
        assert {**told.json(), "errors": []} == {**put.json(), "kept_at": told.json()["kept_at"]}
        about = told.json()
        assert (about["name"], about["images"], about["hinted"], about["effort"]) == ("birds", 3, 0, "full")
        assert about["model"] == {"name": "dummy", "sha256": "0" * 64, "in_use": True}
        assert about["bytes"] == (tmp_path / "birds.npz").stat().st_size
        assert client.get("/objects").json() == {"objects": ["birds"]}
        assert client.head("/objects/birds").status_code == 200
        answer = client.post("/colocalize?object=birds", files=images(square(30, 20))).json()
        assert (answer["mode"], answer["images"][0]["contains_common_object"]) == ("common", True)
        (box,) = answer["images"][0]["boxes"]
        assert [box["x0"], box["y0"], box["x1"], box["y1"]] == pytest.approx([30, 20, 46, 36], abs=4)
        assert client.put("/objects/birds", files=images(*SET)).status_code == 200
        removed = client.delete("/objects/birds")
        assert (removed.status_code, removed.content, client.get("/objects").json()) == (204, b"", {"objects": []})


def test_kept_object_gives_the_same_as_the_set_that_it_was_fitted_on(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path) as client:
        client.put("/objects/birds", files=images(*SET))
        together = client.post("/colocalize", files=images(*SET)).json()["images"]
        many = client.post("/colocalize", files=images(*SET), data={"object": "birds"}).json()["images"]
        single = [client.post("/colocalize?object=birds", files=images(one)).json()["images"][0] for one in SET]
    assert many == together
    assert [image["boxes"] for image in single] == [image["boxes"] for image in together]


def test_found_again_after_a_restart_and_readable_in_python(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path) as client:
        sha256 = client.put("/objects/birds", files=images(*SET)).json()["sha256"]
    assert CommonObject.load(tmp_path / "birds.npz").digest == sha256
    with start(objects_dir=tmp_path) as client:
        assert client.get("/objects/birds").json()["sha256"] == sha256


def test_hints_teach_a_kept_object(start: Start, tmp_path: Path) -> None:
    hints = json.dumps([{"image": "0.png", "x0": 8, "y0": 8, "x1": 24, "y1": 24}, {"image": "1.png"}])
    with start(objects_dir=tmp_path) as client:
        put = client.put("/objects/birds", files=images(*SET), data={"hints": hints})
        assert (put.status_code, put.json()["hinted"]) == (201, 2)
        outside = json.dumps([{"image": "0.png", "x0": 8, "y0": 8, "x1": 24, "y1": 65}])
        refused = client.put("/objects/cars", files=images(*SET), data={"hints": outside})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_hint")
        assert client.get("/objects").json() == {"objects": ["birds"]}


def test_images_that_cannot_be_read_are_told(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path) as client:
        put = client.put("/objects/birds", files=images(SET[0], b"no image", SET[1]))
        assert (put.json()["images"], [error["name"] for error in put.json()["errors"]]) == (2, ["1.png"])
        assert put.json()["errors"][0]["code"] == "unsupported_format"
        none = client.put("/objects/cars", files=images(b"no image", b""))
        assert (none.status_code, none.json()["code"]) == (422, "no_readable_image")
        one = client.put("/objects/cars", files=images(SET[0], b"no image"))
        assert (one.status_code, one.json()["code"]) == (422, "nothing_in_common")
        assert one.json()["detail"] == ("Of the 2 images 1 can be read, and at least 2 that show the same are needed.")
        assert client.put("/objects/cars", files={"hints": (None, "[]")}).json()["code"] == "no_images"
        assert "colocalize_pending_images 0.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/objects"), ("GET", "/objects/a"), ("PUT", "/objects/a"), ("DELETE", "/objects/a")],
)
def test_without_a_folder_nothing_is_kept(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "objects_disabled")
    assert "COLOCALIZE_OBJECTS_DIR" in answer.json()["detail"]


def test_object_where_none_are_kept_or_there_is_none_of_the_name(
    start: Start, client: TestClient, tmp_path: Path, jpeg: bytes
) -> None:
    assert client.post("/colocalize?object=a", files=images(jpeg)).json()["code"] == "objects_disabled"
    with start(objects_dir=tmp_path) as keeping:
        for answer in (
            keeping.post("/colocalize?object=a", files=images(jpeg)),
            keeping.get("/objects/a"),
            keeping.delete("/objects/a"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "object_not_found")
            assert answer.json()["detail"] == "There is no object 'a'; `GET /objects` lists them."


@pytest.mark.parametrize("name", ["A", "a%20b", "%2e%2e%5ca", "-", "a" * 65, "%C3%A4"])
def test_names_are_checked(start: Start, tmp_path: Path, jpeg: bytes, name: str) -> None:
    with start(objects_dir=tmp_path / "objects") as client:
        for method in ("GET", "PUT", "DELETE"):
            answer = client.request(method, f"/objects/{name}")
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
            assert "[a-z0-9][a-z0-9._-]{0,63}" in answer.json()["detail"]
        assert client.post(f"/colocalize?object={name}", files=images(jpeg)).json()["code"] == "invalid_parameter"
    assert [path.name for path in tmp_path.rglob("*")] == ["objects", "lock"]


def test_hints_and_a_kept_object_do_not_go_together(start: Start, tmp_path: Path, jpeg: bytes) -> None:
    with start(objects_dir=tmp_path) as client:
        client.put("/objects/birds", files=images(*SET))
        data = {"object": "birds", "hints": json.dumps([{"image": "0.png"}])}
        answer = client.post("/colocalize", files=images(jpeg), data=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_hint")


def test_object_of_another_model_names_both(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path) as client:
        client.put("/objects/birds", files=images(*SET))
    with start(engine=DummyEngine(sha256="1" * 64), objects_dir=tmp_path) as client:
        answer = client.post("/colocalize?object=birds", files=images(SET[0]))
        assert client.get("/objects/birds").json()["model"]["in_use"] is False
    assert (answer.status_code, answer.json()["code"]) == (409, "object_of_another_model")
    assert "'dummy' (000000000000)" in answer.json()["detail"]
    assert "'dummy' (111111111111, fp32)" in answer.json()["detail"]


def test_number_of_objects_is_bounded(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path, max_objects=1) as client:
        client.put("/objects/a", files=images(*SET))
        answer = client.put("/objects/b", files=images(*SET))
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_objects")
        assert answer.json()["limit"] == {"name": "max_objects", "value": 1}
        assert client.put("/objects/a", files=images(*SET)).status_code == 200
    with start(objects_dir=tmp_path, max_objects_bytes=10) as client:
        answer = client.put("/objects/a", files=images(*SET))
        assert answer.json()["limit"] == {"name": "max_objects_bytes", "value": 10}


def test_damaged_object_is_a_problem_and_can_be_kept_anew(start: Start, tmp_path: Path) -> None:
    (tmp_path / "birds.npz").write_bytes(b"PK\3\4 no object")
    with start(objects_dir=tmp_path) as client:
        for answer in (
            client.get("/objects/birds"),
            client.post("/colocalize?object=birds", files=images(SET[0])),
        ):
            assert (answer.status_code, answer.json()["code"]) == (500, "object_unusable")
        assert client.get("/objects").json() == {"objects": ["birds"]}
        assert client.put("/objects/birds", files=images(*SET)).status_code == 200
        assert client.post("/colocalize?object=birds", files=images(SET[0])).status_code == 200


def test_folder_that_fails_is_a_problem(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/secret/objects")

    with start(objects_dir=tmp_path) as client:
        monkeypatch.setattr(ObjectStore, "put", full)
        answer = client.put("/objects/birds", files=images(*SET))
    assert (answer.status_code, answer.json()["code"]) == (500, "object_unusable")
    assert "secret" not in answer.text


def test_folder_that_cannot_be_made_ends_the_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"COLOCALIZE_OBJECTS_DIR cannot be used: .*file"):
        start(objects_dir=tmp_path / "file").__enter__()


def test_names_of_objects_are_no_labels_of_metrics(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path) as client:
        for index in range(20):
            client.get(f"/objects/name-{index}")
        metrics = client.get("/metrics").text
    assert 'colocalize_requests_total{code="object_not_found",path="/objects/{name}",status="404"} 20.0' in metrics
    assert "name-" not in metrics


@pytest.mark.parametrize("path", ["/objects", "/objects/birds"])
def test_keys_guard_them(start: Start, tmp_path: Path, path: str) -> None:
    with start(objects_dir=tmp_path, api_keys=f"alice={KEY}") as client:
        assert client.get(path).status_code == 401
        assert client.put(path, files=images(*SET)).status_code == 401
        assert client.get("/objects", headers={"x-api-key": KEY}).status_code == 200
        document = client.get("/openapi.json").json()
    assert all("security" in described for described in document["paths"]["/objects/{name}"].values())
