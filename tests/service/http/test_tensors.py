"""Bodies of the Open Inference Protocol, read and written."""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from colocalization.errors import ImageError
from service.http.form import Upload, UploadLimits
from service.http.problems import Problem
from service.http.tensors import Tensor, WantedOutputs, read_infer, write_infer

LIMITS = UploadLimits(max_images=3, max_bytes=10, max_request_bytes=2000, max_name_length=5, timeout=0.2)
OUTPUTS = ["boxes", "scores", "heatmaps"]


def elements(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def tensor(name: str, count: int, **members: Any) -> dict[str, Any]:
    return {"name": name, "shape": [count], "datatype": "BYTES", **members}


def binary(name: str, *values: bytes) -> tuple[dict[str, Any], bytes]:
    raw = elements(*values)
    return tensor(name, len(values), parameters={"binary_data_size": len(raw)}), raw


def read(told: Any, rest: bytes = b"", length: str | None = None) -> tuple[Upload, WantedOutputs]:
    head = json.dumps(told).encode()
    if rest and length is None:
        length = str(len(head))
    return read_infer(head + rest, length, LIMITS, frozenset({"mode", "max_boxes"}), OUTPUTS, OUTPUTS[:2])


def test_binary_tensors_follow_the_json_in_its_order() -> None:
    names, raw_names = binary("names", b"a", "\xe4".encode())
    images, raw_images = binary("images", b"\xff\xd8", b"")
    upload, wanted = read({"inputs": [names, images], "id": "7"}, raw_names + raw_images)
    assert [(image.name, image.source) for image in upload.images] == [("a", b"\xff\xd8"), ("\xe4", b"")]
    assert wanted == WantedOutputs("7", {"boxes": False, "scores": False})


def test_images_in_the_json_are_base64_in_any_nesting() -> None:
    texts = [base64.b64encode(value).decode() for value in (b"one", b"two")]
    for shape, data in (([2], texts), ([2, 1], [[texts[0]], [texts[1]]]), ([1, 2], [texts])):
        upload, _ = read({"inputs": [tensor("images", 0, data=data) | {"shape": shape}]})
        assert [(image.name, image.source) for image in upload.images] == [("0", b"one"), ("1", b"two")]


def test_an_image_too_large_is_not_kept() -> None:
    images, raw = binary("images", b"x" * 11, b"x" * 10)
    upload, _ = read({"inputs": [images]}, raw)
    assert isinstance(upload.images[0].source, ImageError)
    assert (upload.images[0].source.code, upload.images[1].source) == ("file_too_large", b"x" * 10)


def test_parameters_are_fields_and_those_of_the_protocol_are_let_be() -> None:
    images, raw = binary("images", b"x")
    parameters = {"mode": "common", "max_boxes": 2, "timeout": 9, "priority": 1, "binary_data_output": True}
    upload, wanted = read({"inputs": [images], "parameters": parameters}, raw)
    assert upload.fields == {"mode": "common", "max_boxes": "2"}
    assert wanted.binary == {"boxes": True, "scores": True}


def test_outputs_are_chosen_each_in_its_form() -> None:
    images, raw = binary("images", b"x")
    outputs = [{"name": "heatmaps", "parameters": {"binary_data": True}}, {"name": "boxes"}]
    _, wanted = read({"inputs": [images], "outputs": outputs}, raw)
    assert list(wanted.binary.items()) == [("heatmaps", True), ("boxes", False)]


GOOD = tensor("images", 1, data=["AQID"])


@pytest.mark.parametrize(
    ("told", "rest", "length", "code"),
    [
        ([], b"", None, "invalid_body"),
        ({}, b"", None, "no_images"),
        ({"inputs": {}}, b"", None, "invalid_body"),
        ({"inputs": [3]}, b"", None, "invalid_body"),
        ({"inputs": [tensor("other", 1)]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD, GOOD]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"datatype": "UINT8"}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"shape": [2]}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"shape": [-1, -1]}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"shape": [True]}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"shape": 1}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"data": ["?"]}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"data": [1]}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD | {"data": "AQID"}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD, tensor("names", 2, data=["a", "b"])]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD, tensor("names", 1, data=["123456"])]}, b"", None, "invalid_parameter"),
        ({"inputs": [GOOD], "parameters": {"other": 1}}, b"", None, "invalid_parameter"),
        ({"inputs": [GOOD], "parameters": {"mode": True}}, b"", None, "invalid_parameter"),
        ({"inputs": [GOOD], "outputs": [{"name": "other"}]}, b"", None, "invalid_body"),
        ({"inputs": [GOOD], "id": 3}, b"", None, "invalid_body"),
        ({"inputs": [GOOD]}, b"rest", None, "malformed_body"),
        ({"inputs": [GOOD]}, b"", "0", "malformed_body"),
        ({"inputs": [GOOD]}, b"", "-1", "malformed_body"),
        ({"inputs": [GOOD]}, b"", "99999", "malformed_body"),
        ({"inputs": [GOOD]}, b"", "5", "malformed_body"),
        ({"inputs": [tensor("images", 1, parameters={"binary_data_size": 9})]}, b"1234", None, "invalid_body"),
        ({"inputs": [tensor("images", 1, parameters={"binary_data_size": -1})]}, b"1234", None, "invalid_body"),
        ({"inputs": [tensor("images", 1, parameters={"binary_data_size": 3})]}, b"123", None, "malformed_body"),
        ({"inputs": [tensor("images", 1, parameters={"binary_data_size": 5})]}, b"\2\0\0\0x", None, "malformed_body"),
        ({"inputs": [tensor("images", 4, parameters={"binary_data_size": 16})]}, bytes(16), None, "too_many_images"),
    ],
)
def test_refusals(told: Any, rest: bytes, length: str | None, code: str) -> None:
    with pytest.raises(Problem) as caught:
        read(told, rest, length)
    assert caught.value.code == code


def test_answers_in_json_and_in_bytes() -> None:
    tensors = [
        Tensor("boxes", "FP32", (1, 1, 2), np.array([[[1.5, 2]]], np.float32)),
        Tensor("heatmaps", "BYTES", (2,), [b"\xff", b"ok"]),
    ]
    wanted = WantedOutputs("7", {"boxes": False, "heatmaps": False})
    (head,), length = write_infer("m", "1", wanted, tensors, {"mode": "common"})
    told = json.loads(head)
    assert (told["model_name"], told["model_version"], told["id"], told["parameters"], length) == (
        "m", "1", "7", {"mode": "common"}, None,
    )  # fmt: skip
    assert told["outputs"] == [
        {"name": "boxes", "datatype": "FP32", "shape": [1, 1, 2], "data": [1.5, 2.0]},
        {"name": "heatmaps", "datatype": "BYTES", "shape": [2], "data": ["/w==", "ok"]},
    ]
    pieces, length = write_infer("m", "1", WantedOutputs(None, {"boxes": True, "heatmaps": True}), tensors, {})
    assert length == len(pieces[0])
    assert pieces[1:] == [struct.pack("<2f", 1.5, 2), elements(b"\xff", b"ok")]
    assert [one["parameters"] for one in json.loads(pieces[0])["outputs"]] == [
        {"binary_data_size": 8}, {"binary_data_size": 11},
    ]  # fmt: skip
