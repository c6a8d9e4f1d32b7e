"""The Open Inference Protocol, through Triton's own client and by hand."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.service.conftest import Start, encode
from tests.service.processes import Running, running

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(objects_dir=tmp_path_factory.mktemp("objects"), api_keys=f"gateway={KEY}", max_images=4) as service:
        yield service


@pytest.fixture
def triton(service: Running) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        yield client


def square(x: int, y: int) -> bytes:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[y : y + 16, x : x + 16] = 255
    return encode(pixels, "PNG")


SET = (square(8, 8), square(40, 8), square(24, 32))
HEADERS = {"x-api-key": KEY}


def tensor(name: str, values: tuple[bytes, ...]) -> InferInput:
    made = InferInput(name, [len(values)], "BYTES")
    made.set_data_from_numpy(np.array(values, dtype=np.object_))
    return made


def test_tritons_client_finds_out_what_there_is(triton: InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("colocalize", headers=HEADERS)
    assert triton.is_model_ready("dummy", "0.0.0", headers=HEADERS)
    assert not triton.is_model_ready("dummy", "9", headers=HEADERS)
    assert triton.get_server_metadata(headers=HEADERS)["extensions"] == ["binary_tensor_data"]
    about = triton.get_model_metadata("colocalize", headers=HEADERS)
    assert (about["name"], about["versions"]) == ("colocalize", ["0.0.0"])
    assert about["inputs"][0] == {"name": "images", "datatype": "BYTES", "shape": [-1]}
    assert "boxes" in [output["name"] for output in about["outputs"]]


def test_tritons_client_gets_boxes_scores_and_flags(triton: InferenceServerClient) -> None:
    answer = triton.infer("colocalize", [tensor("images", (*SET, b"no image"))], headers=HEADERS, request_id="r1")
    assert answer.get_response()["id"] == "r1"
    assert answer.get_response()["parameters"] == {"mode": "common"}
    boxes = answer.as_numpy("boxes")
    assert (boxes.shape, boxes.dtype) == ((4, 1, 4), np.float32)
    for box, (x, y) in zip(boxes[:, 0], ((8, 8), (40, 8), (24, 32)), strict=False):
        assert box.tolist() == pytest.approx([x, y, x + 16, y + 16], abs=4)
    assert answer.as_numpy("box_counts").tolist() == [1, 1, 1, 0]
    assert (answer.as_numpy("scores")[:3, 0] > 0.5).all()
    assert answer.as_numpy("contains_common_object").tolist() == [1, 1, 1, 0]
    assert answer.as_numpy("sizes").tolist() == [[64, 64]] * 3 + [[0, 0]]
    assert answer.as_numpy("confidence")[3] == 0
    errors = answer.as_numpy("errors").tolist()
    assert errors[:3] == [b""] * 3
    assert errors[3].startswith(b"unsupported_format: ")
    assert answer.as_numpy("heatmaps") is None


def test_heat_maps_come_where_they_are_asked_for(triton: InferenceServerClient) -> None:
    outputs = [InferRequestedOutput("heatmaps"), InferRequestedOutput("confidence", binary_data=False)]
    answer = triton.infer("dummy", [tensor("images", SET[:2])], outputs=outputs, headers=HEADERS)
    maps = [np.load(io.BytesIO(one)) for one in answer.as_numpy("heatmaps")]
    assert [(one.shape, one.dtype) for one in maps] == [((64, 64), np.float16)] * 2
    assert maps[0][16, 16] > maps[0][50, 50]
    assert answer.as_numpy("confidence").shape == (2,)
    assert answer.as_numpy("boxes") is None


def test_names_hints_and_parameters(triton: InferenceServerClient) -> None:
    hints = json.dumps([{"image": "b", "x0": 40, "y0": 8, "x1": 56, "y1": 24}, {"image": "c"}])
    inputs = [tensor("images", SET), tensor("names", (b"a", b"b", b"c"))]
    answer = triton.infer("colocalize", inputs, headers=HEADERS, parameters={"hints": hints, "max_boxes": 0})
    assert answer.as_numpy("boxes")[1, 0].tolist() == [40, 8, 56, 24]
    assert answer.as_numpy("contains_common_object").tolist()[1:] == [1, 0]
    single = triton.infer("colocalize", [tensor("images", SET[:1])], headers=HEADERS, parameters={"mode": "attention"})
    assert single.as_numpy("contains_common_object").tolist() == [-1]


def test_refusals_are_read_by_tritons_client(triton: InferenceServerClient) -> None:
    def refused(*arguments: Any, **named: Any) -> tuple[str, str]:
        with pytest.raises(InferenceServerException) as caught:
            triton.infer(*arguments, **{"headers": {**HEADERS}, **named})  # it adds headers of its own
        return str(caught.value.status()), str(caught.value.message())

    images = [tensor("images", SET)]
    assert refused("other", images) == (
        "404", "The model is 'dummy', also called 'colocalize', in version '0.0.0'.",
    )  # fmt: skip
    assert refused("colocalize", images, headers={}) == (
        "401", "Send a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
    )  # fmt: skip
    assert refused("colocalize", [tensor("images", (*SET, *SET))])[0] == "413"
    assert refused("colocalize", [tensor("images", (b"", b"x"))])[0] == "422"
    assert refused("colocalize", images, parameters={"object": "none"})[0] == "404"
    assert refused("colocalize", images, parameters={"mode": "both"})[0] == "422"
    assert refused("colocalize", images, request_compression_algorithm="gzip")[0] == "415"
    assert refused("colocalize", images, outputs=[InferRequestedOutput("other")])[0] == "422"


def body(*contents: bytes, **members: Any) -> dict[str, Any]:
    data = [base64.b64encode(content).decode() for content in contents]
    return {"inputs": [{"name": "images", "shape": [len(data)], "datatype": "BYTES", "data": data}], **members}


def test_the_boxes_are_those_of_the_other_endpoint(client: TestClient) -> None:
    files = [("images", (f"{index}.png", content)) for index, content in enumerate(SET)]
    expected = client.post("/colocalize", files=files, data={"max_boxes": "0"}).json()["images"]
    answer = client.post("/v2/models/colocalize/infer", json=body(*SET, parameters={"max_boxes": 0})).json()
    outputs = {output["name"]: output for output in answer["outputs"]}
    most = max(len(image["boxes"]) for image in expected)
    assert outputs["boxes"]["shape"] == [3, most, 4]
    boxes = np.array(outputs["boxes"]["data"], np.float32).reshape(3, most, 4)
    for image, found, count in zip(expected, boxes, outputs["box_counts"]["data"], strict=True):
        corners = [[box[side] for side in ("x0", "y0", "x1", "y1")] for box in image["boxes"]]
        assert count == len(corners)
        np.testing.assert_array_equal(found[:count], np.array(corners, np.float32))
    assert outputs["confidence"]["data"] == pytest.approx([image["confidence"] for image in expected], abs=1e-6)


def test_a_kept_object_is_looked_for(start: Start, tmp_path: Path) -> None:
    with start(objects_dir=tmp_path) as client:
        files = [("images", (f"{index}.png", content)) for index, content in enumerate(SET)]
        client.put("/objects/squares", files=files)
        answer = client.post("/v2/models/dummy/infer", json=body(SET[0], parameters={"object": "squares"})).json()
        assert answer["parameters"] == {"mode": "common"}
        missing = client.post("/v2/models/dummy/infer", json=body(SET[0], parameters={"object": "none"}))
        assert (missing.status_code, missing.json()["code"]) == (404, "object_not_found")
        assert missing.json()["error"] == missing.json()["detail"]


def test_overload_and_limits_are_those_of_the_other_endpoint(start: Start) -> None:
    with start(max_pending_images=1, max_images=1) as client:
        answer = client.post("/v2/models/dummy/infer", json=body(*SET))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_many_images")
    with start(max_request_bytes=100) as client:
        answer = client.post("/v2/models/dummy/infer", json=body(*SET))
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_a_network_that_hangs_is_neither_alive_nor_ready(start: Start, dummy_engine: Any) -> None:
    with start() as client:
        client.app.state.service.draining = True  # type: ignore[attr-defined]
        assert client.get("/v2/health/live").json() == {"live": True}
        for path in ("/v2/health/ready", "/v2/models/dummy/ready"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"] == "The service is shutting down."


def test_names_of_models_are_no_labels_of_metrics(client: TestClient) -> None:
    for index in range(5):
        client.get(f"/v2/models/name-{index}")
    metrics = client.get("/metrics").text
    assert 'colocalize_requests_total{code="model_not_found",path="/v2/models/{name}",status="404"} 5.0' in metrics
    assert "name-" not in metrics
