"""Multipart bodies as clients write them: the same parts and names as another parser reads, or a named refusal."""

import asyncio
import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import requests
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from service.http.budget import ByteBudget
from service.http.disposition import read_disposition
from service.http.form import UploadLimits
from service.http.problems import Problem
from service.http.upload import read_upload
from tests.service.conftest import wait_until

LIMITS = UploadLimits(max_images=9, max_bytes=99, max_request_bytes=9000, max_name_length=99, timeout=5)
TYPE = "multipart/form-data; boundary=B"

Sent = Callable[[Callable[[str], object]], tuple[str, bytes]]


class Read(NamedTuple):
    """Images by name, in order, and the other fields."""

    images: list[tuple[str, bytes]]
    fields: dict[str, str]


def ours(content_type: str, body: bytes) -> Read:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    with ByteBudget(10_000).reservation() as reservation:
        upload = asyncio.run(
            read_upload({"content-type": content_type}, receive, LIMITS, reservation, frozenset({"mode"}), lambda: 7)
        )
    return Read(
        [(image.name, image.source) for image in upload.images if isinstance(image.source, bytes)], upload.fields
    )


def theirs(content_type: str, body: bytes) -> Read:
    _, options = parse_options_header(content_type)
    parameters = {name.lower(): value for name, value in options.items()}
    parser = MultiPartParser(stream_factory=lambda *_, **__: io.BytesIO())
    form, files = parser.parse(io.BytesIO(body), parameters["boundary"].encode(), len(body))
    return Read([(file.filename or "", file.read()) for file in files.getlist("images")], form.to_dict())


def part(disposition: str, content: bytes = b"\xff\xd8\r\n--", *headers: str) -> bytes:
    lines = "\r\n".join([f"Content-Disposition: {disposition}", *headers])
    return b"--B\r\n" + lines.encode() + b"\r\n\r\n" + content + b"\r\n"


END = b"--B--\r\n"
MODE = part('form-data; name="mode"', b"common")

# What each client sends, written down from its source or its wire; the name that is meant.
FORMS = {
    "curl": (part('form-data; name="images"; filename="a.jpg"', b"x", "Content-Type: image/jpeg"), "a.jpg"),
    "curl before 7.81, a quotation mark": (part(r'form-data; name="images"; filename="a\"b.jpg"'), 'a"b.jpg'),
    "curl, browsers, httpx: a quotation mark": (part('form-data; name="images"; filename="a%22b.jpg"'), 'a"b.jpg'),
    "browsers, UTF-8": (part('form-data; name="images"; filename="ä鳥.jpg"'), "ä鳥.jpg"),
    "browsers, a semicolon": (part('form-data; name="images"; filename="a; b=c.jpg"'), "a; b=c.jpg"),
    "browsers, a percent sign": (part('form-data; name="images"; filename="50%.jpg"'), "50%.jpg"),
    "requests and urllib3 before 2": (part("form-data; name=\"images\"; filename*=utf-8''%C3%A4.jpg"), "ä.jpg"),
    "HttpClient of .NET": (part("form-data; name=images; filename=a.jpg; filename*=utf-8''a.jpg"), "a.jpg"),
    "HttpClient of .NET, not ASCII": (
        part("form-data; name=images; filename=\"=?utf-8?B?w6QuanBn?=\"; filename*=utf-8''%C3%A4.jpg"), "ä.jpg",
    ),
    "Go": (part('form-data; name="images"; filename="a.jpg"', b"x", "Content-Type: application/octet-stream"), "a.jpg"),
    "Java, other order": (b"--B\r\nContent-Type: image/jpeg\r\nContent-Length: 1\r\n"
                          b'Content-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\nx\r\n', "a.jpg"),
    "lower case": (b'--B\r\ncontent-disposition: form-data; name="images"; filename="a.jpg"\r\n\r\nx\r\n', "a.jpg"),
    "without spaces": (part('form-data;name="images";filename="a.jpg"'), "a.jpg"),
    "RFC 2231, in two parts": (part('form-data; name="images"; filename*0="a"; filename*1="b.jpg"'), "ab.jpg"),
    "ISO 8859-1, extended": (part("form-data; name=\"images\"; filename*=iso-8859-1'en'%E4.jpg"), "ä.jpg"),
    "binary, said so": (
        part('form-data; name="images"; filename="a.jpg"', b"x", "Content-Transfer-Encoding: binary"), "a.jpg",
    ),
}  # fmt: skip


@pytest.mark.parametrize("client", FORMS)
@pytest.mark.parametrize(
    "kind", [TYPE, 'multipart/form-data; boundary="B"', "Multipart/Form-Data; charset=utf-8; Boundary=B"]
)
def test_form_is_read_as_another_parser_reads_it(client: str, kind: str) -> None:
    written, name = FORMS[client]
    body = written + MODE + written + END
    assert ours(kind, body) == theirs(kind, body)
    assert [image for image, _ in ours(kind, body).images] == [name] * 2
    assert ours(kind, body).fields == {"mode": "common"}


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="images"; filename="=?utf-8?B?w6QuanBn?="', "ä.jpg"),  # PowerShell 7
        ('form-data; name="images"; filename="=?utf-8?Q?=C3=A4.jpg?="', "ä.jpg"),
        ('form-data; name="images"; filename="=?klingon?B?w6Q?="', "=?klingon?B?w6Q?="),
        ('form-data; name = "images"; filename = "a.jpg"', "a.jpg"),
        ('form-data; name="images"; filename="C:\\Users\\me\\a.jpg"', "a.jpg"),
        (r'form-data; name="images"; filename="a\b.jpg"', r"a\b.jpg"),
        ('form-data; name="images"; filename="a.jpg";', "a.jpg"),
        ('form-data; name="images"; filename="a%0D%0Ab.jpg"', "a%0D%0Ab.jpg"),  # browsers' line break
        ("form-data; name=\"images\"; filename*=utf-8''%E4.jpg", "ä.jpg"),
        ('form-data; name="images"; filename=""', ""),
        ('form-data; name="images"', None),
        ('FORM-DATA; NAME="images"; FILENAME="a.jpg"', "a.jpg"),
    ],
)
def test_forms_that_parsers_read_differently(disposition: str, name: str | None) -> None:
    read = read_disposition({"content-disposition": disposition})
    assert (read.name, read.file_name) == ("images", name)


def test_names_that_are_not_utf_8_stay_different() -> None:
    form = b'--B\r\nContent-Disposition: form-data; name="images"; filename="%b.jpg"\r\n\r\nx\r\n'
    written = [form % letter for letter in (b"\xe4", b"\xf6")]
    assert [name for name, _ in ours(TYPE, b"".join(written) + END).images] == ["ä.jpg", "ö.jpg"]


def test_file_field_of_a_browser_in_which_nothing_was_chosen_is_no_image() -> None:
    empty = part('form-data; name="images"; filename=""', b"", "Content-Type: application/octet-stream")
    assert ours(TYPE, empty + END) == Read([], {})


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (part('form-data; name="images"', b"eA==", "Content-Transfer-Encoding: base64"), "encoded as 'base64'"),
        (part('form-data; name="images"', b"", "Content-Type: multipart/mixed; boundary=C"), "itself made of parts"),
        (part('form-data; name="images"; name="mode"'), "its name twice"),
        (part('form-data; name="images"; filename="a"; filename="b"'), "its filename twice"),
        (
            part('form-data; name="images"', b"", 'Content-Disposition: form-data; name="mode"'),
            "'content-disposition' twice",
        ),
        (part('attachment; name="images"'), "form-data with a name"),
        (part('form-data; filename="a.jpg"'), "form-data with a name"),
        (b"--B\r\n\r\nx\r\n", "form-data with a name"),
        (MODE.replace(b"\r\n", b"\n"), "malformed"),
        (b"a preamble\r\n" + MODE, "malformed"),
        (part('form-data; name="_charset_"', b"utf-8"), "no form field '_charset_'"),
        (part('form-data; name="images[]"; filename="a.jpg"'), "no form field 'images[]'; the fields are images, mode"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(body: bytes, named: str) -> None:
    with pytest.raises(Problem) as caught:
        ours(TYPE, body + END)
    assert caught.value.code in ("malformed_body", "invalid_parameter")
    assert named in caught.value.detail


@pytest.fixture(scope="module")
def sent() -> Iterator[Sent]:
    """Gives the content type and the body of what a client sends to an address."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    got: list[tuple[str, bytes]] = []

    class Keep(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            got.append((self.headers["content-type"], self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.send_header("connection", "close")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Keep)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def send(client: Callable[[str], object]) -> tuple[str, bytes]:
        got.clear()
        client(f"http://127.0.0.1:{server.server_port}/")
        wait_until(lambda: bool(got))
        return got[0]

    yield send
    server.shutdown()
    server.server_close()
    thread.join()


NAMES = ["a.jpg", "a b.jpg", "ä鳥.jpg", 'quo"te.jpg', "semi;colon=.jpg", "back\\slash.jpg", "per%cent.jpg", "-a.jpg"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("client", ["httpx", "requests", "curl", "urllib3"])
def test_real_clients_get_their_names_back(client: str, name: str, sent: Sent, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"x\r\n--\0")

    def send(url: str) -> object:
        if client == "httpx":
            return httpx.post(url, files={"images": (name, path.read_bytes())}, data={"mode": "common"})
        if client == "requests":
            return requests.post(url, files={"images": (name, path.read_bytes())}, data={"mode": "common"}, timeout=9)
        if client == "urllib3":
            import urllib3

            fields: dict[str, str | tuple[str, bytes]] = {"images": (name, path.read_bytes()), "mode": "common"}
            return urllib3.request("POST", url, fields=fields)
        quoted = str(path).replace("\\", "\\\\").replace('"', '\\"')
        command = ["curl", "-s", "-F", f'images=@"{quoted}"', "-F", "mode=common", url]
        try:
            return subprocess.run(command, check=True, timeout=20)
        except FileNotFoundError:
            pytest.skip("curl is not installed")

    content_type, body = sent(send)
    assert ours(content_type, body) == Read([(name, b"x\r\n--\0")], {"mode": "common"})
