"""The bodies of the Open Inference Protocol (v2) over HTTP: JSON, with tensors in it or, as bytes, after it.

The bytes after the JSON are the protocol's extension "binary tensor data", which Triton's clients send by themselves;
the header `Inference-Header-Content-Length` says where the JSON ends.
"""

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from colocalization.errors import ImageError
from service.http.form import (
    IMAGES_FIELD,
    Upload,
    UploadedImage,
    UploadLimits,
    check_field,
    check_field_size,
    check_image,
)
from service.http.json_upload import decode_base64, read_json
from service.http.problems import Problem

__all__ = ["HEADER_LENGTH", "NAMES_INPUT", "Tensor", "TensorType", "WantedOutputs", "read_infer", "write_infer"]

HEADER_LENGTH = "inference-header-content-length"
"""Header that says how many bytes of a body are its JSON."""

NAMES_INPUT = "names"
"""Name of the input that names the images, for hints."""

TensorType = Literal["BYTES", "FP32", "INT32", "INT8"]

_MOST_JSON = 2**20
"""Most bytes of the JSON before binary tensors."""

_MAX_TOLD = 80
_OWN_PARAMETERS = frozenset(
    {"binary_data_output", "priority", "timeout", "sequence_id", "sequence_start", "sequence_end"}
)
"""Parameters of a request that the protocol's clients send; all but the first say nothing here."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One output.

    Attributes:
        name: Its name.
        kind: The protocol's name of its type.
        shape: Its shape.
        values: Its values: an array, or a list of byte strings.
    """

    name: str
    kind: TensorType
    shape: tuple[int, ...]
    values: NDArray[Any] | Sequence[bytes]

    def raw(self) -> bytes:
        """The values as bytes: little-endian, rows first; each byte string after its length as four bytes."""
        if isinstance(self.values, np.ndarray):
            return self.values.astype(self.values.dtype.newbyteorder("<"), copy=False).tobytes()
        return b"".join(struct.pack("<I", len(value)) + value for value in self.values)

    def listed(self) -> list[Any]:
        """The values in one list, rows first, for JSON; byte strings that are no text come in base64."""
        if isinstance(self.values, np.ndarray):
            flat: list[Any] = self.values.reshape(-1).tolist()
            return flat
        return [_as_text(value) for value in self.values]


@dataclass(frozen=True, slots=True)
class WantedOutputs:
    """Which outputs a request wants, and how.

    Attributes:
        request_id: The request's name of itself, given back; None where it has none.
        binary: Whether each comes as bytes, by its name, in the order asked for.
    """

    request_id: str | None
    binary: Mapping[str, bool]


def read_infer(
    body: bytes,
    header_length: str | None,
    limits: UploadLimits,
    allowed_fields: frozenset[str],
    outputs: Sequence[str],
    by_default: Sequence[str],
) -> tuple[Upload, WantedOutputs]:
    """Read the body of an inference request: images as a BYTES tensor `images`, names as one `names`.

    Args:
        body: The body.
        header_length: What `Inference-Header-Content-Length` says; None where there is no such header.
        limits: What the request may send.
        allowed_fields: Names of request parameters besides the protocol's own.
        outputs: Names of all outputs.
        by_default: Names of those that are given where none are asked for.

    Raises:
        Problem: The body is malformed (`malformed_body`), of another form (`invalid_body`, `invalid_parameter`), or
            over a limit.
    """
    told, rest = _split(body, header_length)
    inputs = _inputs(told, rest, limits)
    if IMAGES_FIELD not in inputs:
        raise Problem("no_images", f"Send at least one image in the input `{IMAGES_FIELD}`, of the type BYTES.")
    sources = inputs[IMAGES_FIELD]
    names = [str(index) for index in range(len(sources))]
    if NAMES_INPUT in inputs:
        names = [_name(value) for value in inputs[NAMES_INPUT]]
        if len(names) != len(sources):
            raise Problem("invalid_body", f"There are {len(sources)} images and {len(names)} names for them.")
    upload = Upload(size=len(body))
    for index, name in enumerate(names):
        check_image(index, name, limits, close=False)
        upload.images.append(UploadedImage(name, _source(index, sources[index], limits)))
    parameters = _member(told, "parameters", dict, {})
    for field, value in parameters.items():
        if field not in _OWN_PARAMETERS:
            check_field(field, allowed_fields, close=False)
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise Problem("invalid_parameter", f"The parameter {field} must be a text or a whole number.")
            check_field_size(field, len(str(value)), close=False)
            upload.fields[field] = str(value)
    return upload, _wanted(told, parameters, outputs, by_default)


def write_infer(
    model: str, version: str, wanted: WantedOutputs, tensors: Sequence[Tensor], parameters: Mapping[str, str]
) -> tuple[list[bytes], int | None]:
    """The body of an answer.

    Args:
        model: The model's name, as the request called it.
        version: Its version.
        wanted: How the outputs are to come.
        tensors: The outputs.
        parameters: What is said besides them.

    Returns:
        The body in pieces, and the bytes of its JSON where something comes after that.
    """
    outputs: list[dict[str, object]] = []
    raw: list[bytes] = []
    for tensor in tensors:
        told: dict[str, object] = {"name": tensor.name, "datatype": tensor.kind, "shape": list(tensor.shape)}
        if wanted.binary[tensor.name]:
            raw.append(tensor.raw())
            told["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            told["data"] = tensor.listed()
        outputs.append(told)
    answer = {"model_name": model, "model_version": version, "parameters": dict(parameters), "outputs": outputs}
    if wanted.request_id is not None:
        answer["id"] = wanted.request_id
    head = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
    return [head, *raw], len(head) if raw else None


def _split(body: bytes, header_length: str | None) -> tuple[dict[str, Any], memoryview]:
    length = len(body)
    if header_length is not None:
        if not header_length.isdecimal() or not 0 < int(header_length) <= min(len(body), _MOST_JSON):
            raise Problem(
                "malformed_body",
                f"Inference-Header-Content-Length must be from 1 to {min(len(body), _MOST_JSON)}, "
                f"got {header_length[:_MAX_TOLD]!r}.",
            )
        length = int(header_length)
    told = read_json(body[:length] if length < len(body) else body)
    if not isinstance(told, dict):
        raise Problem("invalid_body", "The body must be a JSON object with a member `inputs`.")
    return told, memoryview(body)[length:]


def _inputs(told: Mapping[str, Any], rest: memoryview, limits: UploadLimits) -> dict[str, list[bytes | str]]:
    """The values of each input: bytes where they came as such, texts where they came in the JSON."""
    found: dict[str, list[bytes | str]] = {}
    for index, tensor in enumerate(_member(told, "inputs", list, [])):
        if not isinstance(tensor, dict) or tensor.get("name") not in (IMAGES_FIELD, NAMES_INPUT):
            raise Problem("invalid_body", f"inputs[{index}] must be `{IMAGES_FIELD}` or `{NAMES_INPUT}`.")
        name, shape = tensor["name"], tensor.get("shape")
        if tensor.get("datatype") != "BYTES":
            raise Problem("invalid_body", f"The input `{name}` must be of the datatype BYTES.")
        if name in found:
            raise Problem("invalid_body", f"The input `{name}` is given more than once.")
        if (
            not isinstance(shape, list)
            or not shape
            or not all(type(side) is int and 0 <= side < 2**31 for side in shape)
        ):
            raise Problem("invalid_body", f"The shape of the input `{name}` must be a list of whole numbers.")
        size = _member(tensor, "parameters", dict, {}).get("binary_data_size")
        values: list[bytes | str]
        if size is None:
            values = _flat(_member(tensor, "data", list, []))
        elif type(size) is int and 0 <= size <= len(rest):
            values, rest = _elements(name, rest[:size], limits), rest[size:]
        else:
            raise Problem("invalid_body", f"binary_data_size of the input `{name}` must be from 0 to {len(rest)}.")
        if prod(shape) != len(values):
            raise Problem("invalid_body", f"The input `{name}` of shape {shape} has {len(values)} elements.")
        found[name] = values
    if rest:
        raise Problem("malformed_body", f"{len(rest)} bytes are left after the last binary tensor.")
    return found


def _flat(values: list[Any]) -> list[bytes | str]:
    while values and all(isinstance(value, list) for value in values):
        values = [inner for value in values for inner in value]
    if not all(isinstance(value, str) for value in values):
        raise Problem("invalid_body", "Elements of BYTES tensors in JSON must be texts; images are sent in base64.")
    return list(values)


def _elements(name: str, raw: memoryview, limits: UploadLimits) -> list[bytes | str]:
    """The elements of a BYTES tensor: each after its length as four bytes, little-endian."""
    found: list[bytes | str] = []
    while raw:
        length = int.from_bytes(raw[:4], "little")
        check_image(len(found), "", limits, close=False)  # elements of no bytes would cost many times what they take
        if len(raw) < 4 or len(raw) < 4 + length:
            raise Problem("malformed_body", f"The binary tensor `{name}` ends within its element {len(found)}.")
        found.append(bytes(raw[4 : 4 + length]))
        raw = raw[4 + length :]
    return found


def _source(index: int, value: bytes | str, limits: UploadLimits) -> bytes | ImageError:
    if isinstance(value, str):
        try:
            return decode_base64(value, limits)
        except ValueError as error:
            raise Problem("invalid_body", f"Element {index} of `{IMAGES_FIELD}` is no base64: {error}.") from error
    if len(value) > limits.max_bytes:
        return ImageError("file_too_large", f"{len(value)} bytes, at most {limits.max_bytes} are allowed")
    return value


def _name(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _wanted(
    told: Mapping[str, Any], parameters: Mapping[str, Any], outputs: Sequence[str], by_default: Sequence[str]
) -> WantedOutputs:
    all_binary = parameters.get("binary_data_output") is True
    binary: dict[str, bool] = {}
    for index, output in enumerate(_member(told, "outputs", list, [])):
        if not isinstance(output, dict) or output.get("name") not in outputs:
            raise Problem("invalid_body", f"outputs[{index}] must be one of {', '.join(outputs)}.")
        binary[output["name"]] = _member(output, "parameters", dict, {}).get("binary_data", all_binary) is True
    request_id = told.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise Problem("invalid_body", "`id` must be a text.")
    return WantedOutputs(request_id, binary or dict.fromkeys(by_default, all_binary))


def _member(told: Mapping[str, Any], name: str, kind: type[Any], default: Any) -> Any:
    value = told.get(name, default)
    if not isinstance(value, kind):
        raise Problem("invalid_body", f"`{name}` must be {'a list' if kind is list else 'an object'}.")
    return value


def _as_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
