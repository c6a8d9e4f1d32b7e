"""From the JSON of an answer to results, checked on the way: what is not of the service's form is one error."""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import Box
from colocalization.client.errors import AnswerError, BusyError, ProblemError
from colocalization.client.retries import REFUSED
from colocalization.errors import ImageError, ImageWarning
from colocalization.results import ImageResult, Mode, Scale, SetResult

__all__ = [
    "NamedResult",
    "ServedModel",
    "ServedSet",
    "ServiceDetails",
    "StoredObject",
    "read_details",
    "read_object",
    "read_object_names",
    "read_problem",
    "read_set",
]

_MAX_TOLD = 120
_UNREADABLE = frozenset({"no_readable_image", "image_too_large"})


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model that answered.

    Attributes:
        name: Its name.
        sha256: Hexadecimal SHA-256 of its file.
        backbone: The network in it.
        input_size: Width and height of the network's input, in pixels.
    """

    name: str
    sha256: str
    backbone: str
    input_size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ServedSet(SetResult):
    """What the service found in a set of images: a `SetResult`, and how it came about.

    Attributes:
        names: What each image was called in the request, in the order given.
        model: The model that answered; None where not one image could be read, and none ran.
        timing_ms: Milliseconds by stage, as the service measured them.
        request_id: The service's name of the request, for its log.
    """

    names: tuple[str, ...] = ()
    model: ServedModel | None = None
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NamedResult:
    """What was found in one image of a folder.

    Attributes:
        name: Its name relative to the folder, with forward slashes.
        mode: The mode that was used for its set.
        result: What was found.
    """

    name: str
    mode: Mode
    result: ImageResult


@dataclass(frozen=True, slots=True)
class ServiceDetails:
    """What a service says of itself.

    Attributes:
        model: Its model.
        provider: ONNX Runtime's execution provider in use.
        provider_warning: Why it is not the one hoped for, or None.
        limits: What a request may cost, by the names of the service's settings.
        about: All that the service says of its model.
    """

    model: ServedModel
    provider: str
    provider_warning: str | None
    limits: Mapping[str, float]
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that the service keeps.

    Attributes:
        name: Its name.
        model_name: Name of the model that it was fitted with.
        model_sha256: Hexadecimal SHA-256 of that model's file.
        model_in_use: Whether the service runs that model, so that the object can be looked for.
        images: How many images it was fitted on.
        hinted: How many of them had hints.
        agreement: How alike different images show it, in [0, 1].
        sha256: Hexadecimal SHA-256 of all that it holds.
        size: Bytes of its file.
        kept_at: When it was kept.
        errors: Images that could not be used, by their names, where it has just been fitted.
    """

    name: str
    model_name: str
    model_sha256: str
    model_in_use: bool
    images: int
    hinted: int
    agreement: float
    sha256: str
    size: int
    kept_at: datetime
    errors: Mapping[str, ImageError] = field(default_factory=dict)


def read_problem(response: httpx.Response) -> ProblemError | AnswerError:
    """The error of an answer that is none of success."""
    status = response.status_code
    try:
        members = response.json()
        code, detail = str(members["code"]), str(members["detail"])
    except (ValueError, KeyError, TypeError):
        return AnswerError(f"HTTP status {status} without problem details: {_shown(response)}", status=status)
    kind = BusyError if status in REFUSED else ProblemError
    request_id = members.get("request_id")
    return kind(code, detail, status=status, request_id=request_id, members=members)


def read_set(response: httpx.Response, names: Sequence[str]) -> ServedSet:
    """The results of `POST /colocalize`, also where not one of the images could be read.

    Args:
        response: The answer.
        names: What the images are called, in the order sent.

    Raises:
        ProblemError: The service refused the request or failed.
        AnswerError: The answer is of another form.
    """
    if response.is_error:
        problem = read_problem(response)
        if problem.code not in _UNREADABLE or not isinstance(problem, ProblemError):
            raise problem
        results = tuple(ImageResult.failed(error) for error in _errors_of_all(problem, len(names)))
        return ServedSet("attention", results, names=tuple(names), request_id=problem.request_id)
    answer = _json(response)
    try:
        images = tuple(_image(one) for one in answer["images"])
        mode, model, timing = answer["mode"], _model(answer["model"]), dict(answer["timing_ms"])
        scale = _scale(answer.get("scale"))
    except _MALFORMED as error:
        raise _unexpected(response, error) from error
    if len(images) != len(names):
        raise AnswerError(
            f"{len(names)} images were sent, and {len(images)} were answered", status=response.status_code
        )
    return ServedSet(
        mode,
        images,
        scale,
        names=tuple(names),
        model=model,
        timing_ms=timing,
        request_id=response.headers.get("x-request-id"),
    )


def read_details(response: httpx.Response) -> ServiceDetails:
    """What `GET /model` says.

    Raises:
        ProblemError: The service refused the request or failed.
        AnswerError: The answer is of another form.
    """
    told = _checked(response)
    try:
        return ServiceDetails(
            model=_model(told),
            provider=str(told["provider"]),
            provider_warning=told["provider_warning"],
            limits=dict(told["limits"]),
            about={name: value for name, value in told.items() if name != "limits"},
        )
    except _MALFORMED as error:
        raise _unexpected(response, error) from error


def read_object(response: httpx.Response) -> StoredObject:
    """What the service says of a kept object.

    Raises:
        ProblemError: The service refused the request or failed.
        AnswerError: The answer is of another form.
    """
    told = _checked(response)
    try:
        return StoredObject(
            name=str(told["name"]),
            model_name=str(told["model"]["name"]),
            model_sha256=str(told["model"]["sha256"]),
            model_in_use=bool(told["model"]["in_use"]),
            images=int(told["images"]),
            hinted=int(told["hinted"]),
            agreement=float(told["agreement"]),
            sha256=str(told["sha256"]),
            size=int(told["bytes"]),
            kept_at=datetime.fromisoformat(told["kept_at"]),
            errors={str(one["name"]): _error(one) for one in told.get("errors", ())},
        )
    except _MALFORMED as error:
        raise _unexpected(response, error) from error


def read_object_names(response: httpx.Response) -> tuple[str, ...]:
    """The names of all kept objects.

    Raises:
        ProblemError: The service refused the request or failed.
        AnswerError: The answer is of another form.
    """
    told = _checked(response)
    try:
        return tuple(str(name) for name in told["objects"])
    except _MALFORMED as error:
        raise _unexpected(response, error) from error


_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, binascii.Error)


def _checked(response: httpx.Response) -> Any:
    if response.is_error:
        raise read_problem(response)
    return _json(response)


def _json(response: httpx.Response) -> Any:
    if response.has_redirect_location:  # not followed: what is sent goes where it was meant to go
        raise AnswerError(
            f"HTTP status {response.status_code} to {response.headers['location']!r}: redirects are not followed, give "
            "the address that the service has in the end",
            status=response.status_code,
        )
    if not response.is_success:
        raise AnswerError(
            f"HTTP status {response.status_code}, which the service never gives: {_shown(response)}",
            status=response.status_code,
        )
    try:
        return response.json()
    except ValueError as error:
        raise _unexpected(response, error) from error


def _unexpected(response: httpx.Response, error: Exception) -> AnswerError:
    why = f"{type(error).__name__}: {error}"
    return AnswerError(f"not an answer of the service ({why}): {_shown(response)}", status=response.status_code)


def _shown(response: httpx.Response) -> str:
    text = " ".join(response.text.split())
    return repr(text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}…")


def _scale(told: Mapping[str, Any] | None) -> Scale | None:
    if told is None:
        return None
    side = told["side"]
    return Scale(int(told["tiles"]), None if side is None else float(side), str(told["text"]))


def _model(told: Any) -> ServedModel:
    width, height = told["input_size"]
    return ServedModel(str(told["name"]), str(told["sha256"]), str(told["backbone"]), (int(width), int(height)))


def _image(told: Any) -> ImageResult:
    if told["error"] is not None:
        return ImageResult.failed(_error(told["error"]))
    warning = told.get("warning")
    return ImageResult(
        width=int(told["width"]),
        height=int(told["height"]),
        boxes=tuple(Box(*(float(box[side]) for side in ("x0", "y0", "x1", "y1", "score"))) for box in told["boxes"]),
        confidence=float(told["confidence"]),
        contains_common_object=told["contains_common_object"],
        heatmap=None if told["heatmap"] is None else _heatmap(told["heatmap"]),
        warning=None if warning is None else ImageWarning(warning["code"], str(warning["message"])),
    )


def _error(told: Any) -> ImageError:
    return ImageError(told["code"], str(told["message"]))


def _heatmap(told: Any) -> NDArray[np.float32]:
    if told["media_type"] != "application/x-npy":
        raise ValueError(f"a heat map of the type {told['media_type']!r}")
    content = base64.b64decode(told["data"], validate=True)
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False), dtype=np.float32)


def _errors_of_all(problem: ProblemError, count: int) -> list[ImageError]:
    """Why each image could not be read; the problem names the first ones."""
    errors = [_error(one) for one in problem.members.get("errors", ())][:count]
    code = errors[-1].code if errors else "undecodable"
    return errors + [ImageError(code, problem.message)] * (count - len(errors))
