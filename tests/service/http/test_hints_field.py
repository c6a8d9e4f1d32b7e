"""Hints in requests: what they may be, what is refused and how, and that they teach what they teach in Python."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from colocalization.hints import ImageHints
from colocalization.localizer import Localizer
from service.http.app import create_app
from service.http.hints_field import MAX_HINTS, read_hints
from service.http.problems import Problem
from service.settings import Settings
from tests.service.conftest import Start, encode, wait_until

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples" / "images").glob("*.jpg"))
NAMES = ["a.jpg", "b.jpg", "twice.jpg", "twice.jpg"]
BOX = {"x0": 1, "y0": 2, "x1": 3, "y1": 4.5}


def files(**contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (name, content)) for name, content in contents.items()]


def test_boxes_and_images_that_do_not_show_it() -> None:
    said = [{"image": "b.jpg", **BOX}, {"image": "a.jpg"}, {"image": "b.jpg", **BOX, "x1": 9}]
    assert read_hints(json.dumps(said), NAMES) == {
        1: ImageHints(((1.0, 2.0, 3.0, 4.5), (1.0, 2.0, 9.0, 4.5))),
        0: ImageHints(()),
    }
    nulls = [{"image": "a.jpg", "x0": None, "y0": None, "x1": None, "y1": None}]
    assert read_hints(json.dumps(nulls), NAMES) == {0: ImageHints(())}
    assert read_hints("[]", NAMES) == {}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "hints must be a JSON list, got ''."),
        ("{", "hints must be a JSON list, got '{'."),
        ("[" * 30_000, "hints must be a JSON list, got '[[["),
        ("1" * 5000, "hints must be a JSON list, got '111"),
        ({"image": "a.jpg"}, "hints must be a JSON list"),
        ([["a.jpg", 1, 2, 3, 4]], 'Hint 1, ["a.jpg", 1, 2, 3, 4], must be an object with the name of an "image"'),
        ([{"image": "a.jpg"}, {"image": 7}], 'Hint 2, {"image": 7}, must be an object'),
        ([{"image": "c.jpg", **BOX}], "Hint 1, c.jpg:1,2,3,4.5, is for an image that is not in the request."),
        ([{"image": "twice.jpg"}], "Hint 1, twice.jpg:none, is for one of 2 images of one name"),
        ([{"image": "a.jpg", "box": None}], "has 'box'; its members are image, x0, y0, x1, y1"),
        ([{"image": "a.jpg", "\ud800": 1}], "has '\\ud800'; its members"),
        ([{"image": "a.jpg", "x0": 1}], "must have four numbers x0, y0, x1, y1, or none of them"),
        ([{"image": "a.jpg", **BOX, "x0": "1"}], "must have four numbers"),
        ([{"image": "a.jpg", **BOX, "x0": True}], "must have four numbers"),
        ([{"image": "a.jpg", **BOX, "x0": float("nan")}], "must have 0 <= x0 < x1 and 0 <= y0 < y1, in pixels"),
        ([{"image": "a.jpg", **BOX, "x1": float("inf")}], "must have 0 <= x0 < x1"),
        ([{"image": "a.jpg", **BOX, "x1": 10**400}], "must have 0 <= x0 < x1"),
        ([{"image": "a.jpg", **BOX, "x0": -1}], "must have 0 <= x0 < x1"),
        ([{"image": "a.jpg", **BOX, "x1": 1}], "must have 0 <= x0 < x1"),
        ([{"image": "a.jpg", **BOX}, {"image": "a.jpg"}], "contradicts another, which says the opposite of 'a.jpg'."),
        ([{"image": "a.jpg", **BOX}] * (MAX_HINTS + 1), "The request has 65 hints; at most 64 are allowed."),
    ],
)
def test_what_cannot_be_used_is_named(said: Any, told: str) -> None:
    with pytest.raises(Problem) as caught:
        read_hints(said if isinstance(said, str) else json.dumps(said), NAMES)
    assert (caught.value.code, caught.value.status) == ("invalid_hint", 422)
    assert told in caught.value.detail
    assert len(caught.value.detail) < 600
    json.dumps(caught.value.body(None), ensure_ascii=False).encode()


def test_hinted_image_comes_back_with_its_hint_as_its_best_box(client: TestClient, jpeg: bytes) -> None:
    hint = {"image": "b.jpg", "x0": 15.0, "y0": 16.0, "x1": 31.0, "y1": 33.0}
    sent = {"hints": json.dumps([hint, {"image": "c.jpg"}])}
    answer = client.post("/colocalize", files=files(**{f"{name}.jpg": jpeg for name in "abc"}), data=sent).json()
    first, hinted, absent = answer["images"]
    assert len(first["boxes"]) == 1
    (box,) = hinted["boxes"]
    assert {**box, "image": "b.jpg"} == {**hint, "score": 1.0}
    assert (absent["boxes"], absent["contains_common_object"]) == ([], False)


@pytest.mark.parametrize("place", ["data", "params"])
def test_hint_outside_its_image_is_named(client: TestClient, jpeg: bytes, place: str) -> None:
    hints = json.dumps([{"image": "ä.jpg", "x0": 0, "y0": 0, "x1": 65, "y1": 64}])
    where: dict[str, Any] = {place: {"hints": hints}}
    answer = client.post("/colocalize", files=files(**{"ä.jpg": jpeg, "b.jpg": jpeg}), **where)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_hint")
    assert answer.json()["detail"] == "The hint 0,0,65,64 does not lie in 'ä.jpg', which is 64 x 64 pixels."
    assert 'code="dropped"} 2.0' in client.get("/metrics").text  # nothing is left to be done
    assert client.post("/colocalize", files=files(a=jpeg)).status_code == 200


def test_hint_for_an_image_that_cannot_be_read_is_not_lost_silently(client: TestClient, jpeg: bytes) -> None:
    sent = files(**{"a.jpg": b"no image", "b.jpg": jpeg, "c.jpg": jpeg})
    hints = json.dumps([{"image": "a.jpg", **BOX}])
    answer = client.post("/colocalize", files=sent, data={"hints": hints})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_hint")
    assert answer.json()["detail"].startswith("The hint is for 'a.jpg', which cannot be used: ")
    both = json.dumps([{"image": "a.jpg", **BOX}, {"image": "b.jpg", **BOX}])  # one is left
    assert client.post("/colocalize", files=sent, data={"hints": both}).status_code == 200
    alone = client.post("/colocalize", files=sent[:2], data={"hints": hints})
    assert alone.json()["code"] == "invalid_hint"


def test_hints_in_attention_mode_are_refused(client: TestClient, jpeg: bytes) -> None:
    data = {"hints": json.dumps([{"image": "a"}]), "mode": "attention"}
    answer = client.post("/colocalize", files=files(a=jpeg, b=jpeg), data=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_hint")


def test_field_may_be_larger_than_others_and_is_bounded(client: TestClient, jpeg: bytes) -> None:
    entry = json.dumps([{"image": "a", **BOX}])
    at_limit = entry.replace(", ", "," + " " * (64 * 1024 - len(entry) + 1), 1)
    assert client.post("/colocalize", files=files(a=jpeg, b=jpeg), data={"hints": at_limit}).status_code == 200
    over = client.post("/colocalize", files=files(a=jpeg), data={"hints": at_limit + " "})
    assert (over.status_code, over.json()["code"]) == (422, "invalid_parameter")
    assert "'hints' has more than the 65536 bytes allowed" in over.json()["detail"]


def _small(path: Path) -> bytes:
    image = Image.open(path).convert("RGB")
    image.thumbnail((400, 400))
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def test_same_as_python_with_the_real_model() -> None:
    contents = [_small(path) for path in EXAMPLES[:4]]
    localizer = Localizer.load(device="cpu", threads=1, precision="fp32")
    prepared = [localizer.prepare(content) for content in contents]
    features = [localizer.run([image])[0] for image in prepared]
    width, height = prepared[1].image.width, prepared[1].image.height
    box = (0.1 * width, 0.2 * height, 0.3 * width, 0.45 * height)  # not what they share: it must be learnt
    hints = {1: ImageHints((box,)), 3: ImageHints(())}
    fitted = localizer.fit_features([image.image for image in prepared], features, hints=hints)
    expected = [
        localizer.finish(image, features[i], fitted.common, looks=fitted.looks.get(i), hint=hints.get(i), max_boxes=100)
        for i, image in enumerate(prepared)
    ]
    app: FastAPI = create_app(Settings(device="cpu", precision="fp32"))
    with TestClient(app, raise_server_exceptions=False) as client:
        wait_until(lambda: app.state.service.slot.warm, 60)
        said = [{"image": "1", **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))}, {"image": "3"}]
        sent = files(**{str(i): content for i, content in enumerate(contents)})
        answer = client.post("/colocalize", files=sent, data={"hints": json.dumps(said), "max_boxes": "0"})
        plain = client.post("/colocalize", files=sent).json()
    assert answer.status_code == 200, answer.text
    for got, result in zip(answer.json()["images"], expected, strict=True):
        assert np.array([[b[c] for c in ("x0", "y0", "x1", "y1", "score")] for b in got["boxes"]]) == pytest.approx(
            np.array([(*b.as_tuple(), b.score) for b in result.boxes])
        )
        assert got["confidence"] == pytest.approx(result.confidence)
        assert got["contains_common_object"] == result.contains_common_object
    assert fitted.common is not None
    assert fitted.common.exemplar is not None
    assert answer.json()["images"][0]["boxes"] != plain["images"][0]["boxes"]


def test_more_boxes_than_asked_for_are_not_given(start: Start) -> None:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[8:24, 8:24] = pixels[40:56, 40:56] = 255
    with start(max_boxes=1) as client:
        sent = files(a=encode(pixels), b=encode(pixels))
        answer = client.post("/colocalize", files=sent, data={"max_boxes": "0", "mode": "attention"})
        assert [len(image["boxes"]) for image in answer.json()["images"]] == [1, 1]
    with start() as client:
        answer = client.post("/colocalize", files=sent, data={"max_boxes": "0", "mode": "attention"})
        assert [len(image["boxes"]) for image in answer.json()["images"]] == [2, 2]
