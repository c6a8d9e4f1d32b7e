"""Images from URLs: of listed hosts, at public addresses, and within the limits of an upload."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from colocalization.errors import ImageError
from service.http.budget import ByteBudget
from service.http.form import Upload, UploadedImage, UploadLimits
from service.http.json_upload import ImageUrl
from service.http.problems import Problem
from service.http.url_images import UrlFetcher, fetch_all, is_public
from service.settings import Settings
from tests.service.conftest import Start

LIMITS = UploadLimits(max_images=9, max_bytes=100, max_request_bytes=250, max_name_length=99, timeout=5.0)
PUBLIC = "93.184.216.34"

Answer = Callable[[httpx.Request], httpx.Response]


def sent(content: bytes) -> httpx.Response:
    """An answer that is still on its way."""
    return httpx.Response(200, stream=httpx.ByteStream(content))


async def resolve(host: str, port: int) -> list[str]:
    names = {"good.test": [PUBLIC], "inside.test": ["10.0.0.1"], "both.test": [PUBLIC, "127.0.0.1"], "none.test": []}
    return names.get(host, [host])


def fetched(
    *urls: str,
    hosts: tuple[str, ...] = ("good.test", "inside.test", "both.test", "none.test", "good.test:8443", "127.0.0.1"),
    answer: Answer = lambda request: sent(b"image"),
    limits: UploadLimits = LIMITS,
    budget: int = 10_000,
) -> tuple[list[bytes | ImageError], list[httpx.Request]]:
    """What comes of URLs, and what was asked."""
    asked: list[httpx.Request] = []

    async def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request)

    async def run() -> list[bytes | ImageError]:
        upload = Upload([UploadedImage(url, b"") for url in urls])
        fetcher = UrlFetcher(hosts, resolve=resolve, transport=httpx.MockTransport(answered))
        with ByteBudget(budget).reservation() as reservation:
            given = [ImageUrl(index, url) for index, url in enumerate(urls)]
            await fetch_all(fetcher, upload, given, limits, reservation, lambda: 7)
        await fetcher.close()
        return [image.source for image in upload.images]

    return asyncio.run(run()), asked


def error_of(url: str, answer: Answer | None = None, limits: UploadLimits = LIMITS) -> ImageError:
    (source,), _ = fetched(url, answer=answer, limits=limits) if answer else fetched(url, limits=limits)
    assert isinstance(source, ImageError)
    return source


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",  # noqa: S104
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:a00:1::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


def test_the_address_that_was_looked_at_is_the_one_that_is_asked() -> None:
    sources, (first, second) = fetched("https://good.test/a.jpg?b=c", "http://GOOD.test/d")
    assert sources == [b"image", b"image"]
    assert (first.url.host, first.headers["host"], first.url.raw_path) == (PUBLIC, "good.test", b"/a.jpg?b=c")
    assert first.extensions["sni_hostname"] == "good.test"
    assert (second.url.scheme, second.headers["host"]) == ("http", "good.test")
    assert first.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "url",
    [
        "https://other.test/a", "https://good.test.other.test/", "https://good.test:8080/", "ftp://good.test/", "file:///etc/passwd",
        "https://user:word@good.test/", "https://good.test@other.test/", "//good.test/a", "a.jpg", "", "http://",
        "http://inside.test:8443/", "https://goo\u0501.test/", "http://\0/", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_other_hosts_ports_and_schemes_are_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(Problem) as caught:
        fetched("https://good.test/a", url)
    assert caught.value.code == "invalid_parameter"


def test_a_port_of_the_list() -> None:
    sources, (request,) = fetched("https://good.test:8443/a")
    assert (sources, request.url.port, request.headers["host"]) == ([b"image"], 8443, "good.test:8443")


@pytest.mark.parametrize("url", ["http://inside.test/", "http://both.test/", "http://127.0.0.1/"])
def test_hosts_of_the_list_with_an_address_inside_are_not_asked(url: str) -> None:
    (source,), asked = fetched(url)
    assert isinstance(source, ImageError)
    assert (source.code, asked) == ("not_readable", [])
    assert "not one of the public Internet" in source.message


def test_a_host_without_an_address() -> None:
    assert "it has no address" in error_of("http://none.test/").message


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (httpx.Response(302, headers={"location": "http://127.0.0.1/"}), "not_readable", "status 302"),
        (httpx.Response(404), "not_found", "status 404"),
        (httpx.Response(206, content=b"x"), "not_readable", "status 206"),
        (httpx.Response(200, content=b"x" * 101), "file_too_large", "101 bytes, at most 100"),
        (httpx.Response(200, content=b"", headers={"content-encoding": "gzip"}), "not_readable", "content encoding"),
    ],
)
def test_answers_that_are_no_image(answer: httpx.Response, code: str, told: str) -> None:
    error = error_of("https://good.test/", lambda _: answer)
    assert error.code == code
    assert told in error.message


def test_a_body_without_an_end_is_cut_at_the_limit() -> None:
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        while True:
            pieces += 1
            yield b"x" * 30

    error = error_of("https://good.test/", lambda _: httpx.Response(200, content=endless()))
    assert (error.code, pieces) == ("file_too_large", 4)


def test_a_body_that_does_not_come_is_given_up() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    limits = UploadLimits(9, 100, 250, 99, timeout=0.05)
    error = error_of("https://good.test/", lambda _: httpx.Response(200, content=stalled()), limits)
    assert error.message == "good.test did not send it within 0.05 seconds"


def test_a_connection_that_fails_spares_the_others() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/a":
            raise httpx.ConnectError("no route")
        return sent(b"b")

    sources, _ = fetched("https://good.test/a", "https://good.test/b", answer=answer)
    assert isinstance(sources[0], ImageError)
    assert (sources[0].message, sources[1]) == ("good.test: no route", b"b")


def test_bytes_count_to_those_of_the_request_and_to_the_memory() -> None:
    def hundred(_: httpx.Request) -> httpx.Response:
        return sent(b"x" * 100)

    with pytest.raises(Problem) as caught:
        fetched(*["https://good.test/"] * 3, answer=hundred)
    assert (caught.value.code, caught.value.extra["limit"]["name"]) == ("request_too_large", "max_request_bytes")
    with pytest.raises(Problem) as caught:
        fetched("https://good.test/", answer=hundred, budget=99)
    assert (caught.value.code, caught.value.retry_after) == ("overloaded", 7)


@pytest.mark.parametrize("hosts", ["https://a.test", "a b", "a/b", "a:b", "*", "user@a"])
def test_hosts_are_checked(hosts: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        Settings(url_hosts=hosts)


def test_over_http_a_listed_host_on_this_machine_is_not_asked(start: Start, jpeg: bytes) -> None:
    with start(url_hosts="localhost:9,127.0.0.1:9") as client:
        images = [{"url": "http://localhost:9/a.jpg"}, {"url": "http://127.0.0.1:9/b.jpg"}]
        answer = client.post("/colocalize", json={"images": images})
        assert (answer.status_code, answer.json()["code"]) == (422, "no_readable_image")
        assert all("public Internet" in error["message"] for error in answer.json()["errors"])
        elsewhere = client.post("/colocalize", json={"images": [{"url": "http://localhost/a.jpg"}]})
        assert elsewhere.json()["detail"] == "Images are not fetched from 'localhost:80'."
