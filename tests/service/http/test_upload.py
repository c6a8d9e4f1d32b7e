"""Reading multipart bodies within limits."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import ClientDisconnect

from colocalization.errors import ImageError
from service.http.budget import ByteBudget
from service.http.form import Upload, UploadLimits
from service.http.problems import Problem
from service.http.upload import read_upload

LIMITS = UploadLimits(max_images=2, max_bytes=10, max_request_bytes=2000, max_name_length=5, timeout=0.2)
END = b"--B--\r\n"
TYPE = "multipart/form-data; boundary=B"


def part(name: str, content: bytes, file_name: str | None = None) -> bytes:
    file = "" if file_name is None else f'; filename="{file_name}"'
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"


def read(
    *chunks: bytes | None,
    limits: UploadLimits = LIMITS,
    content_type: str | None = TYPE,
    budget: int = 10_000,
    headers: dict[str, str] | None = None,
) -> Upload:
    """Read a body that arrives in these chunks; None is the client's leaving, and the end of the list a stall."""

    async def run() -> Upload:
        left: list[bytes | None] = list(chunks)
        sent = b""

        async def receive() -> dict[str, object]:
            nonlocal sent
            if not left:
                await asyncio.sleep(10)
            chunk = left.pop(0)
            if chunk is None:
                return {"type": "http.disconnect"}
            sent += chunk
            return {"type": "http.request", "body": chunk, "more_body": not sent.endswith(END)}

        given = {"content-type": content_type} if content_type is not None else {}
        with ByteBudget(budget).reservation() as reservation:
            return await read_upload(
                {**given, **(headers or {})}, receive, limits, reservation, frozenset({"mode"}), lambda: 7
            )

    return asyncio.run(run())


def refused(*chunks: bytes | None, **options: object) -> Problem:
    with pytest.raises(Problem) as caught:
        read(*chunks, **options)
    return caught.value


BODY = part("images", b"one", "a") + part("mode", b"common") + part("images", b"\r\n--two", "b") + END


@pytest.mark.parametrize("size", [1, 2, 7, len(BODY)])
def test_body_is_the_same_in_chunks_of_any_size(size: int) -> None:
    upload = read(*(BODY[start : start + size] for start in range(0, len(BODY), size)))
    assert [(image.name, image.source) for image in upload.images] == [("a", b"one"), ("b", b"\r\n--two")]
    assert (upload.fields, upload.size) == ({"mode": "common"}, len(BODY))


def test_image_of_exactly_the_limit_is_kept_and_one_byte_more_is_not() -> None:
    upload = read(part("images", b"x" * 10) + part("images", b"y" * 11) + END)
    assert upload.images[0].source == b"x" * 10
    error = upload.images[1].source
    assert isinstance(error, ImageError)
    assert (error.code, error.message) == ("file_too_large", "11 bytes, at most 10 are allowed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (part("images", b"", "a") * 3 + END, "too_many_images"),
        (part("images", b"", "123456") + END, "invalid_parameter"),
        (part("image", b"") + END, "invalid_parameter"),
        (part("mode", b"a") * 2 + END, "invalid_parameter"),
        (part("mode", b"a" * 1025) + END, "invalid_parameter"),
        (b"x" * 2001, "request_too_large"),
        (b"--C\r\n", "malformed_body"),
        (b"--B\r\nContent-Type: image/jpeg\r\n\r\n\r\n" + END, "malformed_body"),
        (b"--B\r\n" + b"A: b\r\n" * 9 + b"\r\n\r\n" + END, "malformed_body"),
        (b"--B\r\nA: " + b"b" * 1990, "request_too_large"),
    ],
)
def test_bad_bodies_are_refused_before_their_end(body: bytes, code: str) -> None:
    problem = refused(body + b" " * (2001 - len(body)) if code == "request_too_large" else body)
    assert (problem.code, problem.close) == (code, True)


def test_body_that_states_too_large_a_length_is_refused_before_a_byte_is_read() -> None:
    problem = refused(headers={"content-length": "2001"})
    assert (problem.code, problem.extra["limit"]) == ("request_too_large", {"name": "max_request_bytes", "value": 2000})


@pytest.mark.parametrize("content_type", [None, "text/plain", "multipart/mixed; boundary=B", "image/jpeg"])
def test_other_content_types(content_type: str | None) -> None:
    assert refused(BODY, content_type=content_type).code == "unsupported_media_type"


def test_compressed_body() -> None:
    assert refused(BODY, headers={"content-encoding": "gzip"}).code == "unsupported_media_type"


@pytest.mark.parametrize("boundary", ["", "b" * 71])
def test_boundary_of_a_wrong_length(boundary: str) -> None:
    assert refused(BODY, content_type=f"multipart/form-data; boundary={boundary}").code == "malformed_body"


def test_truncated_body() -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": BODY[:-9], "more_body": False}

    with ByteBudget(10_000).reservation() as reservation, pytest.raises(Problem, match="before its closing boundary"):
        asyncio.run(read_upload({"content-type": TYPE}, receive, LIMITS, reservation, frozenset({"mode"}), lambda: 7))


def test_slow_body() -> None:
    problem = refused(BODY[:50])
    assert (problem.code, problem.extra["limit"]) == ("upload_timeout", {"name": "upload_timeout", "value": 0.2})


def test_client_that_leaves() -> None:
    with pytest.raises(ClientDisconnect):
        read(BODY[:50], None)


def test_no_memory_left_for_uploads() -> None:
    problem = refused(BODY[:50], BODY[50:], budget=60)
    assert (problem.code, problem.retry_after) == ("overloaded", 7)


def test_memory_is_given_back_in_the_end() -> None:
    budget = ByteBudget(10)

    def fail() -> Sequence[int]:
        with budget.reservation() as reservation:
            assert reservation.take(10)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 -- raised just above
        fail()
    assert budget.held == 0
