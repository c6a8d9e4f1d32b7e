"""JSON in place of a form: the same images, limits and refusals."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from colocalization.errors import ImageError
from service.http.form import UploadLimits
from service.http.json_upload import ImageUrl, decode_base64, read_json_upload
from service.http.problems import Problem
from tests.service.conftest import Start, encode

LIMITS = UploadLimits(max_images=2, max_bytes=10, max_request_bytes=2000, max_name_length=5, timeout=0.2)
FIELDS = frozenset({"mode", "hints", "max_boxes"})


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def read(body: Any) -> Any:
    return read_json_upload(body if isinstance(body, bytes) else json.dumps(body).encode(), LIMITS, FIELDS)


def refusal(body: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(body)
    assert not caught.value.close  # all of it has come
    return caught.value


def test_images_names_and_fields() -> None:
    images = [{"name": "a.jpg", "data": text(b"123")}, text(b"\xff\xef\xbe")]
    upload, urls = read({"images": images, "mode": "common", "max_boxes": 3, "hints": [{"image": "a.jpg"}]})
    assert [(image.name, image.source) for image in upload.images] == [("a.jpg", b"123"), ("", b"\xff\xef\xbe")]
    assert upload.fields == {"mode": "common", "max_boxes": "3", "hints": '[{"image": "a.jpg"}]'}
    assert urls == []


def test_what_is_null_is_left_out_and_urls_are_told() -> None:
    upload, urls = read({"images": [{"url": "https://a.b/c/d.png?e"}], "mode": None})
    assert (upload.fields, urls, upload.images[0].name) == ({}, [ImageUrl(0, "https://a.b/c/d.png?e")], "d.png")


@pytest.mark.parametrize("given", ["AQID", "data:image/png;base64,AQID", "AQ\nID\n"])
def test_forms_of_base64(given: str) -> None:
    assert decode_base64(given, LIMITS) == b"\1\2\3"


def test_alphabets_and_padding_of_base64() -> None:
    content = bytes(range(246, 256))
    for encoded in (base64.b64encode(content), base64.urlsafe_b64encode(content)):
        assert decode_base64(encoded.decode(), LIMITS) == content
        assert decode_base64(encoded.decode().rstrip("="), LIMITS) == content


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 12])
def test_limit_of_an_image_counts_decoded_bytes(size: int) -> None:
    upload, _ = read({"images": [{"data": text(b"x" * size)}]})
    source = upload.images[0].source
    if size <= 10:
        assert source == b"x" * size
    else:
        assert isinstance(source, ImageError)
        assert (source.code, source.message) == ("file_too_large", f"{size} bytes, at most 10 are allowed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_body"),
        (b"{", "malformed_body"),
        (b'{"images": NaN}', "malformed_body"),
        (b'"\xff"', "malformed_body"),
        (b"[" * 100_001, "malformed_body"),
        (b'{"a": [' + b"1," * 100_001 + b"1]}", "malformed_body"),
        ([], "invalid_body"),
        ({"images": "AQID"}, "invalid_body"),
        ({"images": [3]}, "invalid_body"),
        ({"images": [{}]}, "invalid_body"),
        ({"images": [{"data": "AQID", "url": "https://a"}]}, "invalid_body"),
        ({"images": [{"data": "AQID", "size": "3"}]}, "invalid_body"),
        ({"images": [{"data": 3}]}, "invalid_body"),
        ({"images": [{"data": "AQID", "name": None}]}, "invalid_body"),
        ({"images": [{"data": "A*ID"}]}, "invalid_body"),
        ({"images": [{"data": "A"}]}, "invalid_body"),
        ({"images": ["AQID"] * 3}, "too_many_images"),
        ({"images": [{"data": "AQID", "name": "123456"}]}, "invalid_parameter"),
        ({"images": ["AQID"], "other": 1}, "invalid_parameter"),
        ({"images": ["AQID"], "mode": True}, "invalid_parameter"),
        ({"images": ["AQID"], "mode": 1.5}, "invalid_parameter"),
        ({"images": ["AQID"], "mode": "x" * 1025}, "invalid_parameter"),
    ],
)
def test_refusals(body: Any, code: str) -> None:
    assert refusal(body).code == code


def test_a_refusal_does_not_repeat_a_large_value() -> None:
    for value in ("*" + "x" * 10, [["x" * 10**6]], {"x" * 10**6: 1}, {"data": 3, "name": "x" * 10**6}):
        assert len(refusal({"images": [value]}).detail) < 400


def test_the_same_as_a_form(client: TestClient, jpeg: bytes) -> None:
    other = encode(np.full((10, 30, 3), 99, dtype=np.uint8))
    contents = (jpeg, b"no image", other, jpeg)
    files = [("images", (f"{index}.jpg", content)) for index, content in enumerate(contents)]
    hints = [{"image": "0.jpg", "x0": 16, "y0": 16, "x1": 32, "y1": 32}]
    form = client.post("/colocalize", files=files, data={"max_boxes": "0", "hints": json.dumps(hints)})
    images = [{"name": f"{index}.jpg", "data": text(content)} for index, content in enumerate(contents)]
    as_json = client.post("/colocalize?max_boxes=0", json={"images": images, "hints": hints})
    assert (form.status_code, as_json.status_code) == (200, 200)
    assert as_json.json()["images"] == form.json()["images"]
    assert as_json.json()["mode"] == "common"


def test_objects_are_fitted_from_json_too(start: Start, jpeg: bytes, tmp_path: Any) -> None:
    with start(objects_dir=tmp_path) as client:
        put = client.put("/objects/squares", json={"images": [text(jpeg), text(jpeg)]})
        assert (put.status_code, put.json()["images"]) == (201, 2)


def test_limits_before_and_after_decoding(start: Start, jpeg: bytes) -> None:
    with start(max_bytes=len(jpeg), max_request_bytes=3 * len(jpeg)) as client:
        larger = client.post("/colocalize", json={"images": [text(jpeg), text(jpeg + b"\0")]})
        assert [image["error"] and image["error"]["code"] for image in larger.json()["images"]] == [
            None, "file_too_large",
        ]  # fmt: skip
        body = client.post("/colocalize", json={"images": [text(jpeg)] * 3})
        assert (body.status_code, body.json()["limit"]["name"]) == (413, "max_request_bytes")
        alone = client.post("/colocalize", json={"images": [text(jpeg + b"\0")]})
        assert (alone.status_code, alone.json()["code"]) == (413, "image_too_large")
        assert client.post("/colocalize", json={}).json()["code"] == "no_images"
        compressed = client.post("/colocalize", json={}, headers={"content-encoding": "gzip"})
        assert (compressed.status_code, compressed.json()["code"]) == (415, "unsupported_media_type")


def test_memory_for_reading_json_is_accounted_for(start: Start, jpeg: bytes) -> None:
    body = json.dumps({"images": [text(jpeg)]})
    limits = {"max_request_bytes": len(body), "max_buffered_bytes": 2 * len(body), "max_bytes": len(jpeg)}
    with start(**limits) as client:
        answer = client.post("/colocalize", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
    with start(**{**limits, "max_buffered_bytes": 3 * len(body)}) as client:
        assert client.post("/colocalize", content=body, headers={"content-type": "application/json"}).status_code == 200


def test_urls_are_refused_by_a_service_that_names_no_host(client: TestClient) -> None:
    answer = client.post("/colocalize", json={"images": [{"url": "https://example.com/a.jpg"}]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert "COLOCALIZE_URL_HOSTS names no host" in answer.json()["detail"]
