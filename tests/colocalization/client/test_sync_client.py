"""The client against a service over HTTP, and against one that says what the test wants."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from colocalization.client import (
    AnswerError,
    BusyError,
    Client,
    ProblemError,
    Retries,
    UnreachableError,
)
from colocalization.errors import ImageError
from tests.colocalization.client.conftest import draw
from tests.service.processes import Running, free_port

KEY = "0123456789abcdef"
MODEL = {"name": "dummy", "sha256": "0" * 64, "backbone": "none", "input_size": [32, 32]}
EMPTY = {"model": MODEL, "mode": "common", "images": [], "timing_ms": {}}
BUSY = {"code": "overloaded", "detail": "full", "status": 429}


@pytest.fixture
def client(service: Running) -> Iterator[Client]:
    with Client(service.url, api_key=KEY) as client:
        yield client


def test_a_set_of_images(client: Client, squares: list[Path]) -> None:
    found = client.localize([*squares, b"no image", squares[0].with_name("missing.png")], heatmaps=True)
    assert (found.mode, found.names, len(found)) == ("common", ("a.png", "b.png", "c.png", "image-3", "missing.png"), 5)
    for image, corner in zip(found, ((8, 8), (40, 8), (24, 32)), strict=False):
        expected = [*corner, corner[0] + 16, corner[1] + 16]
        assert image.boxes_array[0] == pytest.approx(expected, abs=4)
        assert image.heatmap is not None
        assert (image.heatmap.shape, image.heatmap.dtype) == ((64, 64), np.float32)
    assert [image.error and image.error.code for image in list(found)[3:]] == ["unsupported_format", "not_found"]
    assert found.model is not None
    assert found.model.name == "dummy"
    assert found.request_id
    assert found.timing_ms["total"] > 0


def test_images_of_the_program_are_as_files(client: Client, squares: list[Path]) -> None:
    images = [Image.open(path) for path in squares]
    by_path = client.localize(squares)
    assert client.localize(images).images == by_path.images
    assert client.localize(np.stack([np.asarray(image) for image in images])).images == by_path.images


def test_mode_boxes_and_hints_arrive(client: Client, squares: list[Path]) -> None:
    assert client.localize(squares, mode="attention").mode == "attention"
    hinted = client.localize(squares, max_boxes=0, hints={squares[0]: (8, 8, 24, 25), 2: None})
    assert hinted[0].boxes[0].as_tuple() == (8, 8, 24, 25)
    assert (len(hinted[2]), hinted[2].contains_common_object) == (0, False)


def test_a_set_of_which_nothing_can_be_read_has_errors_and_not_one_of_its_own(client: Client, tmp_path: Path) -> None:
    sent = client.localize([b"no image", b"neither"])
    assert [image.error and image.error.code for image in sent] == ["unsupported_format"] * 2
    unsent = client.localize([tmp_path / "missing.png"])
    assert [image.error and image.error.code for image in unsent] == ["not_found"]
    assert len(client.localize([])) == 0


def test_a_folder_is_answered_in_sets_in_its_order(client: Client, tmp_path: Path) -> None:
    for index in range(11):
        draw(tmp_path / "set" / f"{index}.png", 4 * index, 8)
    (tmp_path / "set" / "11.png").touch()
    (tmp_path / "set" / "12.png").write_text("no image")
    found = list(client.localize_folder(tmp_path / "set"))
    assert [image.name for image in found] == [f"{index}.png" for index in range(13)]
    for index, image in enumerate(found[:11]):
        assert image.result.boxes_array[0, 0] == pytest.approx(4 * index, abs=4)
        assert image.mode == "common"
    assert [image.result.error and image.result.error.code for image in found[11:]] == [
        "empty_file", "unsupported_format",
    ]  # fmt: skip


def test_objects_are_kept_told_looked_for_and_removed(client: Client, squares: list[Path], tmp_path: Path) -> None:
    kept = client.fit("squares", [*squares, b"no image", tmp_path / "missing.png"], hints={0: (8, 8, 24, 24)})
    assert (kept.name, kept.images, kept.hinted, kept.model_in_use) == ("squares", 3, 1, True)
    assert {name: error.code for name, error in kept.errors.items()} == {
        "image-3": "unsupported_format", "missing.png": "not_found",
    }  # fmt: skip
    assert "squares" in client.objects()
    told = client.object("squares")
    assert (told.sha256, told.errors) == (kept.sha256, {})
    (image,) = client.localize([squares[1]], object="squares")
    assert image.contains_common_object
    (of_folder, *_) = client.localize_folder(tmp_path, object="squares", set_size=2)
    assert (of_folder.name, of_folder.mode) == ("a.png", "common")
    client.delete_object("squares")
    for call in (client.object, client.delete_object):
        with pytest.raises(ProblemError) as caught:
            call("squares")
        assert (caught.value.code, caught.value.status) == ("object_not_found", 404)


def test_fit_needs_an_image_that_can_be_read(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"there is no file 'missing\.png'"):
        client.fit("squares", [tmp_path / "missing.png"])
    with pytest.raises(ValueError, match="fit needs images"):
        client.fit("squares", [])


def test_what_the_service_says_of_itself(client: Client, service: Running) -> None:
    details = client.details()
    assert (details.model.name, details.limits["max_images"], details.provider) == ("dummy", 8, "CPUExecutionProvider")
    assert details.about["pooling"] == "avg"
    assert client.is_ready()
    with Client(f"http://127.0.0.1:{free_port()}") as nobody:
        assert not nobody.is_ready()


def test_refusals_are_named_by_their_code(client: Client, service: Running, squares: list[Path]) -> None:
    with Client(service.url, api_key="wrong") as stranger, pytest.raises(ProblemError) as unauthorized:
        stranger.localize(squares)
    with pytest.raises(ProblemError) as hint:
        client.localize(squares, hints={0: (8, 8, 24, 65)})
    with pytest.raises(ProblemError) as name:
        client.object("Not A Name/../x")
    assert [caught.value.code for caught in (unauthorized, hint, name)] == [
        "unauthorized", "invalid_hint", "not_found",
    ]  # fmt: skip
    assert hint.value.request_id


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"mode": "both"}, "mode must be"),
        ({"max_boxes": -1}, "max_boxes must be"),
        ({"mode": "attention", "object": "a"}, "mode 'attention' uses no object"),
        ({"mode": "attention", "hints": {0: None}}, "hints say what"),
        ({"object": "a", "hints": {0: None}}, "hints say what"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(arguments: dict[str, object], told: str) -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(ValueError, match=told):
        client.localize([b"x"], **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a", "", "http://", "http://a:b", "http://a:99999"])
def test_addresses_are_checked(url: str) -> None:
    with pytest.raises(ValueError, match="the address of a service must be of the form"):
        Client(url)


@pytest.mark.parametrize("key", ["", " ", "a\nb", "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 16])
def test_keys_that_no_header_carries_are_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match=r"api_key must be of printable ASCII characters, without line breaks$"):
        Client(api_key=key)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_timeouts_are_checked(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be above 0 seconds"):
        Client(timeout=timeout)


class Scripted:
    """Answers what a test says, and keeps what was asked; time passes only in `sleep`."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, retries: Retries = Retries()) -> Client:  # noqa: B008
        return Client(transport=httpx.MockTransport(self), retries=retries, sleep=self.waits.append)


def busy(status: int = 429, retry_after: str | None = "2") -> httpx.Response:
    return httpx.Response(status, json=BUSY, headers={} if retry_after is None else {"retry-after": retry_after})


def answered() -> httpx.Response:
    image = {"width": 1, "height": 1, "boxes": [], "confidence": 0, "contains_common_object": None, "heatmap": None}
    return httpx.Response(200, json={**EMPTY, "images": [{**image, "name": "a", "error": None}]})


def test_what_was_refused_is_sent_again_whole_after_the_time_that_was_asked_for(squares: list[Path]) -> None:
    service = Scripted(busy(), busy(503, "3"), answered())
    assert len(service.client().localize(squares[:1])) == 1
    assert len(service.waits) == 2
    assert service.waits[0] >= 2
    assert service.waits[1] >= 3
    content = squares[0].read_bytes()
    assert [body.count(content) for body in service.bodies] == [1, 1, 1]


def test_patience_ends_with_what_the_service_said() -> None:
    service = Scripted(busy())
    with pytest.raises(BusyError) as caught:
        service.client(Retries(seconds=1)).localize([b"x"])
    assert (caught.value.code, caught.value.status, service.waits) == ("overloaded", 429, [])


def test_a_proxy_without_problem_details_is_waited_for_too() -> None:
    service = Scripted(httpx.Response(503, text="<html>"), answered())
    assert len(service.client().localize([b"x"])) == 1
    with pytest.raises(AnswerError, match="HTTP status 503 without problem details"):
        Scripted(httpx.Response(503, text="<html>")).client(Retries(seconds=0)).localize([b"x"])


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
def test_connections_are_tried_again(error: Exception) -> None:
    service = Scripted(error, error, answered())
    assert len(service.client().localize([b"x"])) == 1
    assert service.waits == [0.5, 1.0]
    with pytest.raises(UnreachableError, match="no connection") as caught:
        Scripted(error, error).client(Retries(connections=2)).localize([b"x"])
    assert not caught.value.was_sent


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("x"),
        httpx.DecodingError("gzip"),
    ],
)
@pytest.mark.parametrize("call", [lambda client: client.localize([b"x"]), lambda client: client.fit("a", [b"x"])])
def test_what_may_have_been_taken_is_not_sent_again(error: Exception, call: Callable[[Client], object]) -> None:
    service = Scripted(error, answered())
    with pytest.raises(UnreachableError, match="the connection was lost") as caught:
        call(service.client())
    assert caught.value.was_sent
    assert len(service.bodies) == 1


@pytest.mark.parametrize("status", [400, 401, 408, 413, 422, 500, 504])
def test_answers_that_stand_are_not_asked_for_again(status: int) -> None:
    service = Scripted(httpx.Response(status, json={**BUSY, "code": "some_code"}), answered())
    with pytest.raises(ProblemError) as caught:
        service.client().localize([b"x"])
    assert (caught.value.code, caught.value.status, len(service.bodies)) == ("some_code", status, 1)


def test_without_httpx_there_is_one_line() -> None:
    code = "import sys; sys.modules['httpx'] = None; import colocalization.client"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert told.splitlines()[-1].endswith(
        "colocalization.client needs the package 'httpx'; install it with: pip install 'colocalize[client]'"
    )
