"""Connections before the app: heads without an end, and offers to upgrade."""

import asyncio
import inspect
import json
import tomllib
from pathlib import Path

import pytest
import uvicorn
from packaging.requirements import Requirement
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.http.protocol import MAX_HEAD_BYTES, timed_protocol

ROOT = Path(__file__).resolve().parents[3]

SLACK = 4096  # heads are counted in pieces
BODY = b"0123456789" * 1000
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


async def echo(scope, receive, send) -> None:
    """Answer with the path and the length of the body, after a moment."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await asyncio.sleep(0.02)
    told = f"<{scope['path']} {size} {scope['query_string'].decode()}>".encode()
    headers = [(b"content-length", str(len(told)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})


def talk(*chunks: bytes) -> tuple[bytes, bool]:
    """Send chunks over one connection; give what comes back, and whether the connection was closed."""

    async def run() -> tuple[bytes, bool]:
        config, state = Config(echo, log_config=None, access_log=False, ws="none"), ServerState()
        config.load()
        kind = timed_protocol(10)
        server = await asyncio.get_running_loop().create_server(
            lambda: kind(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for chunk in chunks:
                writer.write(chunk)
                await asyncio.sleep(0.01)
            got, closed = b"", False
            try:
                while not closed:
                    async with asyncio.timeout(0.3):
                        piece = await reader.read(65536)
                    got, closed = got + piece, piece == b""
            except TimeoutError:
                pass
            except ConnectionResetError:
                closed = True
            writer.close()
            for connection in list(state.connections):
                connection.transport.close()
            return got, closed

    return asyncio.run(run())


def request(path: bytes = b"/a", fields: bytes = b"", body: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return (b"POST " if body else b"GET ") + path + b" HTTP/1.1\r\nHost: a\r\n" + fields + length + b"\r\n" + body


def padded(size: int) -> bytes:
    """A request without a body whose head has so many bytes."""
    return request(fields=b"X: " + b"a" * (size - len(request()) - 5) + b"\r\n")


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


class TestHeadLimit:
    @pytest.mark.parametrize(
        "start",
        [
            b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
            b"GET / HTTP/1.1\r\nHost: a\r\nX",
            b"GET /",
            b"GET /?",
            b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 20_000,
        ],
        ids=["value", "name", "path", "query", "many fields"],
    )
    def test_head_without_an_end_is_431(self, start: bytes) -> None:
        got, _ = talk(start + b"a" * (MAX_HEAD_BYTES + SLACK))
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"content-type: application/problem+json\r\n" in head
        assert b"connection: close" in head
        problem = json.loads(body)
        assert (problem["status"], problem["code"]) == (431, "header_too_large")
        assert problem["limit"] == {"name": "header_bytes", "value": 65536}
        assert problem["request_id"].encode() in head

    def test_client_that_goes_on_sending_gets_its_answer_and_is_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("service.http.protocol._LINGER_SECONDS", 0.1)
        got, closed = talk(*[b"GET / HTTP/1.1\r\nX: ", *[b"a" * 100_000] * 5])
        assert got.count(b"HTTP/1.1 431") == 1
        assert closed

    def test_head_at_the_limit_is_answered(self) -> None:
        got, closed = talk(padded(MAX_HEAD_BYTES))
        assert got.startswith(b"HTTP/1.1 200")
        assert not closed

    def test_head_over_the_limit_is_refused_though_it_ends(self) -> None:
        got, _ = talk(padded(MAX_HEAD_BYTES + SLACK + 1))
        assert got.startswith(b"HTTP/1.1 431")

    def test_each_head_of_a_connection_is_counted_by_itself(self) -> None:
        got, _ = talk(*[padded(MAX_HEAD_BYTES - 100)] * 3)
        assert got.count(b"HTTP/1.1 200") == 3

    def test_bodies_and_pipelined_requests_are_not_counted(self) -> None:
        several = (request(body=b"x" * 200_000) + padded(MAX_HEAD_BYTES)) * 2 + request(b"/last")
        for chunks in ([several], in_pieces(several, 50_000)):
            got, closed = talk(*chunks)
            assert got.count(b"HTTP/1.1 200") == 5
            assert got.count(b"</a 200000 >") == 2
            assert got.endswith(b"</last 0 >")
            assert not closed

    def test_answer_under_way_is_finished_before_the_line_is_cut(self) -> None:
        got, closed = talk(request(b"/first") + b"GET /" + b"a" * 100_000)
        assert got.endswith(b"</first 0 >")
        assert b"431" not in got
        assert closed

    def test_trailers_without_an_end_are_cut(self) -> None:
        start = request(fields=b"Transfer-Encoding: chunked\r\n") + b"5\r\nabcde\r\n0\r\n"
        assert talk(start + b"X: y\r\n\r\n")[0].endswith(b"</a 5 >")
        for rest in (b"X: " + b"a" * 200_000, b"x: y\r\n" * 20_000):
            assert talk(start + rest) == (b"", True)

    def test_small_chunks_are_a_body(self) -> None:
        chunked = request(fields=b"Transfer-Encoding: chunked\r\n") + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
        assert talk(chunked)[0].endswith(b"</a 50000 >")


class TestUpgrade:
    @pytest.mark.parametrize("size", [1_000_000, 100, 1])
    def test_body_is_received_and_the_connection_goes_on(self, size: int) -> None:
        offer = request(b"/b", UPGRADE, b"0123456789")
        got, closed = talk(*in_pieces(offer + offer + request(b"/c"), size))
        assert got.count(b"</b 10 >") == 2
        assert got.endswith(b"</c 0 >")
        assert got.count(b"HTTP/1.1 200") == 3
        assert not closed

    def test_large_and_chunked_bodies(self) -> None:
        chunked = (
            request(b"/d", UPGRADE + b"Transfer-Encoding: chunked\r\n") + b"a\r\n0123456789\r\n" * 500 + b"0\r\n\r\n"
        )
        got, _ = talk(request(b"/b?q=1", UPGRADE, BODY) + chunked + request(b"/c"))
        assert [told in got for told in (b"</b 10000 q=1>", b"</d 5000 >", b"</c 0 >")] == [True] * 3

    @pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"foo/2"])
    def test_offer_without_a_body(self, protocol: bytes) -> None:
        got, closed = talk(request(fields=b"Connection: keep-alive, upgrade\r\nUpgrade: " + protocol + b"\r\n"))
        assert got.endswith(b"</a 0 >")
        assert not closed

    def test_wish_to_close_is_kept(self) -> None:
        got, closed = talk(request(fields=b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n", body=BODY))
        assert got.endswith(b"</a 10000 >")
        assert closed

    def test_body_is_no_request_of_its_own(self) -> None:
        got, _ = talk(request(fields=UPGRADE, body=request(b"/smuggled")))
        assert got.count(b"HTTP/1.1 ") == 1
        assert b"smuggled" not in got

    def test_connect_is_left_to_the_app(self) -> None:
        got, _ = talk(b"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "start", [b"NONSENSE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_http_is_refused_with_problem_details(start: bytes) -> None:
    got, closed = talk(start)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json\r\n" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"], closed) == (400, "bad_request", True)
    assert problem["request_id"].encode() in head


class TestInsideOfUvicorn:
    """What `service.http.protocol` and `service.process.serving` use and uvicorn does not document."""

    def test_version_is_within_the_bound_of_pyproject(self) -> None:
        extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["serve"]
        (requirement,) = (Requirement(each) for each in extra if each.startswith("uvicorn"))
        assert any(part.operator == "<" for part in requirement.specifier)
        assert uvicorn.__version__ in requirement.specifier

    @pytest.mark.parametrize(
        "name",
        [
            "connection_made", "connection_lost", "data_received", "on_message_begin", "on_headers_complete", "on_body",
            "on_message_complete", "send_400_response", "_unset_keepalive_if_required",
        ],
    )  # fmt: skip
    def test_methods_of_the_protocol(self, name: str) -> None:
        assert callable(vars(HttpToolsProtocol)[name])

    def test_attributes_of_the_protocol(self) -> None:
        async def make() -> HttpToolsProtocol:
            return HttpToolsProtocol(Config(echo, log_config=None), ServerState(), {})

        made = asyncio.run(make())
        assert {"transport", "parser", "cycle", "headers", "client", "loop", "logger"} <= vars(made).keys()
        assert {"should_upgrade", "get_method", "get_http_version", "feed_data"} <= set(dir(made.parser))

    def test_attributes_of_a_request_under_way(self) -> None:
        source = inspect.getsource(RequestResponseCycle.__init__)
        assert "self.keep_alive =" in source
        assert "self.response_complete =" in source

    @pytest.mark.parametrize("name", ["handle_exit", "startup", "on_tick", "shutdown"])
    def test_steps_of_the_server(self, name: str) -> None:
        assert callable(vars(uvicorn.Server)[name])
