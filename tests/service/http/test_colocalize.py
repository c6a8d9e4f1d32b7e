"""`POST /colocalize` through the whole app."""

import base64
import io
import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from colocalization.advice import advise
from colocalization.results import Scale
from tests.service.conftest import Start, encode


def images(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (f"{index}.jpg", content)) for index, content in enumerate(contents)]


def test_box_is_where_the_white_square_is(client: TestClient, jpeg: bytes) -> None:
    answer = client.post("/colocalize", files=images(jpeg)).json()
    (image,) = answer["images"]
    (box,) = image["boxes"]
    # One cell of the dummy's map is 8 pixels wide; the cut of the upsampled map lies within half a cell of the edge.
    assert [box["x0"], box["y0"], box["x1"], box["y1"]] == pytest.approx([16, 16, 32, 32], abs=4)
    assert (image["name"], image["width"], image["height"], image["error"]) == ("0.jpg", 64, 64, None)
    assert answer["model"] == {
        "name": "dummy", "sha256": "0" * 64, "backbone": "none", "input_size": [32, 32], "prior": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "count", "used"),
    [("common", 2, "common"), ("common", 1, "attention"), ("attention", 2, "attention")],
)
def test_mode_falls_back_to_attention_for_a_single_image(
    client: TestClient, jpeg: bytes, asked: str, count: int, used: str
) -> None:
    answer = client.post("/colocalize", files=images(*[jpeg] * count), data={"mode": asked})
    assert answer.json()["mode"] == used


def test_one_readable_image_among_bad_ones_is_answered_in_attention_mode(client: TestClient, jpeg: bytes) -> None:
    answer = client.post("/colocalize", files=images(b"", jpeg, b"no image")).json()
    assert answer["mode"] == "attention"
    assert [image["error"] and image["error"]["code"] for image in answer["images"]] == [
        "empty_file", None, "unsupported_format",
    ]  # fmt: skip
    assert [len(image["boxes"]) for image in answer["images"]] == [0, 1, 0]


def test_order_and_names_are_kept(client: TestClient, jpeg: bytes) -> None:
    wide = encode(np.full((10, 30, 3), 99, dtype=np.uint8))
    files = [("images", ("b", jpeg)), ("images", ("ä/ö.jpg", wide)), ("images", ("b", jpeg))]
    answer = client.post("/colocalize", files=files).json()
    assert [(image["name"], image["width"]) for image in answer["images"]] == [("b", 64), ("ä/ö.jpg", 30), ("b", 64)]


def test_query_and_form_fields_mean_the_same_and_the_form_wins(client: TestClient, jpeg: bytes) -> None:
    by_query = client.post("/colocalize?mode=attention", files=images(jpeg, jpeg)).json()
    by_both = client.post("/colocalize?mode=attention", files=images(jpeg, jpeg), data={"mode": "common"}).json()
    assert (by_query["mode"], by_both["mode"]) == ("attention", "common")


@pytest.mark.parametrize("kind", ["png", "overlay"])
def test_heatmap_as_image(client: TestClient, jpeg: bytes, kind: str) -> None:
    (image,) = client.post("/colocalize", files=images(jpeg), data={"heatmap": kind}).json()["images"]
    drawn = Image.open(io.BytesIO(base64.b64decode(image["heatmap"]["data"])))
    assert (drawn.format, drawn.size, image["heatmap"]["media_type"]) == ("PNG", (64, 64), "image/png")


def test_heatmap_as_array_is_hot_in_the_square_and_cold_outside(client: TestClient, jpeg: bytes) -> None:
    (image,) = client.post("/colocalize", files=images(jpeg), data={"heatmap": "array"}).json()["images"]
    heat = np.load(io.BytesIO(base64.b64decode(image["heatmap"]["data"])), allow_pickle=False)
    assert (heat.shape, heat.dtype) == ((64, 64), np.float16)
    assert heat[24, 24] > 0.9
    assert heat[56, 56] < 0.05


def test_timing_adds_up_for_a_single_image(client: TestClient, jpeg: bytes) -> None:
    answer = client.post("/colocalize", files=images(jpeg))
    spent = answer.json()["timing_ms"]
    stages = sum(spent[stage] for stage in ("queue", "decode", "inference", "postprocess"))
    assert 0 < stages <= spent["total"]
    assert f"total;dur={spent['total']:.1f}" in answer.headers["server-timing"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"mode": "colour"}, "mode: Input should be 'attention' or 'common', got 'colour'."),
        ({"max_boxes": "-1"}, "max_boxes: Input should be greater than or equal to 0, got '-1'."),
        ({"max_boxes": "101"}, "max_boxes is 101; at most 100 is allowed."),
        ({"max_boxes": "1.5"}, "got '1.5'"),
        ({"heatmap": "jpeg"}, "got 'jpeg'"),
        ({"max_box": "1"}, "max_box"),
    ],
)
@pytest.mark.parametrize("place", ["data", "params"])
def test_bad_parameters_are_named(
    client: TestClient, jpeg: bytes, parameters: dict[str, str], named: str, place: str
) -> None:
    answer = client.post("/colocalize", files=images(jpeg), **{place: parameters})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert named in answer.json()["detail"]


def test_set_without_an_image(client: TestClient) -> None:
    answer = client.post("/colocalize", files={"mode": (None, "common")})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_images")


def test_set_without_a_readable_image(client: TestClient) -> None:
    answer = client.post("/colocalize", files=images(b"", b"no image"))
    assert (answer.status_code, answer.json()["code"]) == (422, "no_readable_image")
    errors = answer.json()["errors"]
    assert [error["code"] for error in errors] == ["empty_file", "unsupported_format"]
    assert [error["name"] for error in errors] == ["0.jpg", "1.jpg"]


def test_too_large_image_spares_its_set_and_is_413_by_itself(start: Start, jpeg: bytes) -> None:
    with start(max_bytes=len(jpeg)) as client:
        together = client.post("/colocalize", files=images(jpeg, jpeg + b"\0"))
        alone = client.post("/colocalize", files=images(jpeg + b"\0"))
    assert together.json()["images"][1]["error"] == {
        "code": "file_too_large",
        "message": f"{len(jpeg) + 1} bytes, at most {len(jpeg)} are allowed",
    }
    assert (alone.status_code, alone.json()["code"]) == (413, "image_too_large")


def test_too_many_images(start: Start, jpeg: bytes) -> None:
    with start(max_images=2) as client:
        assert client.post("/colocalize", files=images(jpeg, jpeg)).status_code == 200
        answer = client.post("/colocalize", files=images(jpeg, jpeg, jpeg))
    assert (answer.status_code, answer.json()["limit"]) == (413, {"name": "max_images", "value": 2})


def test_failing_network_is_500_without_details(start: Start, jpeg: bytes, dummy_engine) -> None:
    with start() as client:

        def fail(_: int) -> None:
            raise RuntimeError("secret path")

        dummy_engine.before_run = fail
        answer = client.post("/colocalize", files=images(jpeg))
        dummy_engine.before_run = None
        after = client.post("/colocalize", files=images(jpeg))
    assert (answer.status_code, answer.json()["code"], after.status_code) == (500, "inference_failed", 200)
    assert "secret" not in answer.text


def test_answer_after_the_deadline_is_504_and_its_work_is_dropped(start: Start, jpeg: bytes, dummy_engine) -> None:
    with start(request_timeout=0.1) as client:
        dummy_engine.delay_s = 0.3
        answer = client.post("/colocalize", files=images(jpeg))
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        dummy_engine.delay_s = 0.0
        assert 'colocalize_images_total{code="dropped"} 1.0' in client.get("/metrics").text


def test_attention_is_not_certain_of_a_common_object(client: TestClient, jpeg: bytes) -> None:
    answers = [
        client.post("/colocalize", files=images(*[jpeg] * count), data={"mode": mode}).json()
        for mode, count in (("attention", 2), ("common", 1))  # the second falls back
    ]
    for answer in answers:
        assert answer["mode"] == "attention"
        assert {image["contains_common_object"] for image in answer["images"]} == {None}
        assert all(0 < image["confidence"] <= 1 for image in answer["images"])


def test_unreadable_images_do_not_change_what_the_others_get(client: TestClient, jpeg: bytes) -> None:
    alone = client.post("/colocalize", files=images(*[jpeg] * 4)).json()
    among = client.post("/colocalize", files=images(*[b"no image"] * 30, *[jpeg] * 4, *[b""] * 20)).json()
    assert (among["mode"], len(among["images"])) == ("common", 54)
    for got, expected in zip(among["images"][30:34], alone["images"], strict=True):
        assert {**got, "name": ""} == {**expected, "name": ""}


def test_image_that_ends_early_is_answered_with_a_warning(client: TestClient, jpeg: bytes) -> None:
    whole, cut = client.post("/colocalize", files=images(jpeg, jpeg[:-2])).json()["images"]
    assert (whole["warning"], whole["error"], cut["error"]) == (None, None, None)
    assert cut["warning"]["code"] == "truncated"
    assert len(cut["boxes"]) == 1


def tiff(pixels: np.ndarray) -> bytes:
    return encode(pixels, "TIFF")


def test_previews_are_of_tiff_alone_where_those_are_asked_for(client: TestClient, jpeg: bytes) -> None:
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[:, 30:] = (250, 20, 20)
    files = [("images", (name, content)) for name, content in (("a.jpg", jpeg), ("b", tiff(pixels)), ("c.tif", b"II"))]
    first, second, third = client.post("/colocalize?preview=tiff", files=files).json()["images"]
    assert (first["preview"], third["preview"], third["error"]["code"]) == (None, None, "unsupported_format")
    preview = second["preview"]
    assert (preview["media_type"], preview["width"], preview["height"]) == ("image/jpeg", 60, 40)
    with Image.open(io.BytesIO(base64.b64decode(preview["data"]))) as shown:
        assert (shown.format, shown.size) == ("JPEG", (60, 40))
        assert np.asarray(shown)[20, 50] == pytest.approx([250, 20, 20], abs=12)
    every = client.post("/colocalize", files=files[:2], data={"preview": "all"}).json()["images"]
    assert [image["preview"] is not None for image in every] == [True, True]
    none = client.post("/colocalize", files=files[:2]).json()["images"]
    assert [image["preview"] for image in none] == [None, None]


def test_advice_is_that_of_the_boxes(client: TestClient, jpeg: bytes) -> None:
    answer = client.post("/colocalize", files=images(jpeg, b"no image", jpeg)).json()
    scores = [image["boxes"][0]["score"] for image in answer["images"] if image["contains_common_object"]]
    expected = advise(sum(scores), len(scores))
    assert len(scores) == 2
    assert expected is not None
    assert answer["advice"] == {**asdict(expected), "right": pytest.approx(expected.right)}


def test_no_scale_where_none_was_chosen(client: TestClient, jpeg: bytes) -> None:
    assert client.post("/colocalize", files=images(jpeg, jpeg)).json()["scale"] is None


def test_scale_that_a_hint_has_chosen(client: TestClient, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dummy engine's features teach no tiles; what the set's object says of them is told as it is."""
    scale = Scale(3, 0.125, "3 x 3 tiles an image: what was drawn by hand has 12 % of their image's side")
    monkeypatch.setattr("service.inference.job.scale_of", lambda common: None if common is None else scale)
    answer = client.post("/colocalize", files=images(jpeg, jpeg)).json()
    assert answer["mode"] == "common"
    assert answer["scale"] == asdict(scale)
    poor = client.post("/colocalize", files=images(jpeg)).json()
    assert (poor["mode"], poor["scale"]) == ("attention", None)


def test_no_advice_where_there_is_no_box(client: TestClient) -> None:
    blank = encode(np.zeros((20, 30, 3), dtype=np.uint8))
    assert client.post("/colocalize", files=images(blank, blank)).json()["advice"] is None


def test_box_drawn_by_a_user_does_not_make_a_set_look_better(client: TestClient, jpeg: bytes) -> None:
    plain = client.post("/colocalize", files=images(jpeg, jpeg)).json()
    hints = json.dumps([{"image": "0.jpg", "x0": 16, "y0": 16, "x1": 32, "y1": 32}])
    files = [("images", ("0.jpg", jpeg)), ("images", ("1.jpg", jpeg))]
    hinted = client.post("/colocalize", files=files, data={"hints": hints}).json()
    assert hinted["images"][0]["boxes"][0]["score"] == 1
    assert hinted["advice"]["right"] == pytest.approx(hinted["images"][1]["boxes"][0]["score"])
    assert plain["advice"]["right"] < 1
