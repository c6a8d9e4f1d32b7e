"""Answers become results or errors; what is not the service's is told as such."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest

from colocalization.boxes import Box
from colocalization.client.answers import read_details, read_object, read_object_names, read_problem, read_set
from colocalization.client.errors import AnswerError, BusyError, ProblemError
from colocalization.results import Scale

MODEL = {"name": "dummy", "sha256": "0" * 64, "backbone": "none", "input_size": [32, 32]}
FOUND: dict[str, Any] = {
    "name": "a.jpg", "width": 64, "height": 48, "boxes": [{"x0": 1, "y0": 2.5, "x1": 3, "y1": 4, "score": 0.9}],
    "confidence": 0.8, "contains_common_object": True, "heatmap": None, "error": None,
    "warning": {"code": "truncated", "message": "ends early"},
}  # fmt: skip
FAILED = {**FOUND, "width": 0, "boxes": [], "error": {"code": "empty_file", "message": "0 bytes"}}


def answer(*images: dict[str, Any]) -> httpx.Response:
    content = {"model": MODEL, "mode": "common", "images": images, "timing_ms": {"total": 5.0}}
    return httpx.Response(200, json=content, headers={"x-request-id": "r1"})


def problem(status: int, **members: object) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "detail": "no", **members})


def test_scale_is_that_of_the_package_and_may_be_missing() -> None:
    """A service of before does not tell it."""
    told: dict[str, Any] = {"tiles": 3, "side": 0.125, "text": "3 x 3 tiles an image"}
    content: dict[str, Any] = {
        "model": MODEL, "mode": "common", "images": [FOUND], "scale": told, "timing_ms": {},
    }  # fmt: skip
    found = read_set(httpx.Response(200, json=content), ["a.jpg"])
    assert found.scale == Scale(3, 0.125, "3 x 3 tiles an image")
    whole = {**content, "scale": {**told, "tiles": 1, "side": None}}
    assert read_set(httpx.Response(200, json=whole), ["a.jpg"]).scale == Scale(1, None, "3 x 3 tiles an image")
    assert read_set(answer(FOUND), ["a.jpg"]).scale is None
    with pytest.raises(AnswerError):
        read_set(httpx.Response(200, json={**content, "scale": {"tiles": 3}}), ["a.jpg"])


def test_results_have_the_types_of_the_package() -> None:
    found = read_set(answer(FOUND, FAILED), ["a.jpg", "b.jpg"])
    assert (found.mode, found.names, found.request_id, found.timing_ms) == (
        "common", ("a.jpg", "b.jpg"), "r1", {"total": 5.0},
    )  # fmt: skip
    assert found.model is not None
    assert found.model.input_size == (32, 32)
    assert found[0].boxes == (Box(1.0, 2.5, 3.0, 4.0, 0.9),)
    assert (found[0].width, found[0].height, found[0].confidence) == (64, 48, 0.8)
    assert found[0].warning is not None
    assert found[0].warning.code == "truncated"
    assert found[1].error is not None
    assert (found[1].error.code, found[1].error.message, len(found[1])) == ("empty_file", "0 bytes", 0)


def test_heat_maps_are_arrays() -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([[0.0, 0.5]], np.float16))
    told = {"media_type": "application/x-npy", "data": base64.b64encode(stream.getvalue()).decode()}
    (image,) = read_set(answer({**FOUND, "heatmap": told}), ["a.jpg"])
    assert image.heatmap is not None
    assert (image.heatmap.tolist(), image.heatmap.dtype) == ([[0.0, 0.5]], np.float32)


def test_set_of_which_nothing_can_be_read_has_an_error_for_each() -> None:
    errors = [{"name": "a", "code": "empty_file", "message": "0 bytes"}]
    found = read_set(problem(422, code="no_readable_image", errors=errors), ["a", "b"])
    assert [image.error and (image.error.code, image.error.message) for image in found] == [
        ("empty_file", "0 bytes"), ("empty_file", "no"),
    ]  # fmt: skip
    assert found.model is None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(422, "invalid_hint", ProblemError), (429, "overloaded", BusyError), (503, "not_ready", BusyError)],
)
def test_problems_keep_their_members(status: int, code: str, kind: type[ProblemError]) -> None:
    limit = {"name": "max_images", "value": 8}
    error = read_problem(problem(status, code=code, limit=limit, request_id="r2"))
    assert type(error) is kind
    assert isinstance(error, ProblemError)
    assert (error.code, error.message, error.status, error.request_id) == (code, "no", status, "r2")
    assert error.members["limit"] == limit


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>hello</html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"model": MODEL, "mode": "common", "images": [{}], "timing_ms": {}}),
        answer({**FOUND, "heatmap": {"media_type": "application/x-npy", "data": "?"}}),
        answer({**FOUND, "heatmap": {"media_type": "image/png", "data": ""}}),
        answer(FOUND, FOUND),
        httpx.Response(307, headers={"location": "http://elsewhere"}),
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(500, json=["no"]),
    ],
    ids=["page", "list", "image", "base64", "png", "too many", "redirect", "gateway", "error"],
)
def test_what_is_not_of_the_service_is_an_error_of_its_own(response: httpx.Response) -> None:
    with pytest.raises(AnswerError) as caught:
        read_set(response, ["a.jpg"])
    assert caught.value.status == response.status_code


def test_a_redirect_names_where_it_leads() -> None:
    with pytest.raises(AnswerError, match="HTTP status 307 to 'https://elsewhere/': redirects are not followed"):
        read_details(httpx.Response(307, headers={"location": "https://elsewhere/"}))


@pytest.mark.parametrize("read", [read_details, read_object, read_object_names])
def test_other_answers_are_checked_too(read: Any) -> None:
    with pytest.raises(AnswerError, match="not an answer of the service"):
        read(httpx.Response(200, json={}))
    with pytest.raises(ProblemError):
        read(problem(401, code="unauthorized"))
