"""Bad clients and bad machines, against the service as a process."""

import re
import signal
import socket
import time

import httpx
import numpy as np
import pytest

from tests.service.conftest import encode
from tests.service.process.test_server import total, wait_for
from tests.service.processes import Running, in_background, running


@pytest.fixture(scope="module")
def service() -> Running:
    with running(header_timeout=1, upload_timeout=1, send_timeout=1, keep_alive_timeout=5, DUMMY_DELAY="0.3") as made:
        yield made


def connect(service: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=5)


def head(length: int, boundary: str = "B") -> bytes:
    return (
        "POST /colocalize?mode=attention&heatmap=overlay HTTP/1.1\r\nHost: a\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def body(jpeg: bytes, count: int = 1) -> bytes:
    part = b'--B\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n' + jpeg + b"\r\n"
    return part * count + b"--B--\r\n"


def read_answer(connection: socket.socket) -> bytes:
    """One whole answer, however many pieces it comes in."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536)
    length = int(got.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(got.partition(b"\r\n\r\n")[2]) < length:
        got += connection.recv(65536)
    return got


def seconds_until_cut(connection: socket.socket) -> float:
    started = time.monotonic()
    while connection.recv(65536):
        pass
    return time.monotonic() - started


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
def test_header_that_does_not_come_is_cut(service: Running, sent: bytes) -> None:
    with connect(service) as connection:
        connection.sendall(sent)
        assert 0.5 < seconds_until_cut(connection) < 3


def test_slow_loris_is_cut_though_it_keeps_sending(service: Running) -> None:
    with connect(service) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        started = time.monotonic()
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            drip(connection, seconds=4)
        assert 0.5 < time.monotonic() - started < 3


def drip(connection: socket.socket, seconds: float) -> None:
    """Send the value of a header byte by byte."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        connection.sendall(b"a")
        time.sleep(0.1)


def test_second_request_on_a_connection_has_a_time_too(service: Running) -> None:
    with connect(service) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /li")
        assert 0.5 < seconds_until_cut(connection) < 3


def test_body_that_does_not_come_is_408(service: Running, jpeg: bytes) -> None:
    with connect(service) as connection:
        connection.sendall(head(100_000) + body(jpeg)[:100])
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer


def test_client_that_leaves_during_the_upload_leaves_nothing(service: Running, jpeg: bytes) -> None:
    with connect(service) as connection:
        connection.sendall(head(100_000) + body(jpeg)[:100])
        time.sleep(0.2)
    wait_for(lambda: total(service, "colocalize_buffered_bytes") == 0)
    assert service.post(jpeg).status_code == 200


def test_client_that_leaves_before_its_answer_has_its_work_dropped(service: Running, jpeg: bytes) -> None:
    before = total(service, 'colocalize_images_total{code="dropped"}')
    data = body(jpeg, 40)
    with connect(service) as connection:
        connection.sendall(head(len(data)) + data)
        time.sleep(0.4)
    wait_for(lambda: total(service, 'colocalize_images_total{code="dropped"}') >= before + 20, timeout=3)
    wait_for(lambda: total(service, "colocalize_pending_images ") == 0, timeout=3)


def test_client_that_does_not_read_its_answer_is_cut(service: Running) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    data = body(encode(noise), 12)  # 12 overlays of some 2 MB each, more than the buffers of a connection
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(head(len(data)) + data)
        wait_for(lambda: any("did not take its answer" in str(entry["message"]) for entry in service.log()), timeout=20)


def test_answers_that_are_not_read_take_the_room_of_uploads() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    data = body(encode(noise), 3)  # 3 overlays of some 2 MB each
    with running(max_request_bytes=2**22, max_buffered_bytes=2**22, send_timeout=3) as service, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", service.port))
        slow.sendall(head(len(data)) + data)
        wait_for(lambda: total(service, "colocalize_buffered_bytes") > 2**21)
        wait_for(lambda: total(service, "colocalize_pending_images ") == 0)
        refused = service.post(encode(noise))
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        wait_for(lambda: total(service, "colocalize_buffered_bytes") == 0, timeout=10)  # it is cut
        assert service.post(encode(noise)).status_code == 200


def test_413_reaches_a_client_that_is_still_sending(service: Running) -> None:
    size = 2**28  # twice the limit, stated in the header
    with connect(service) as connection:
        connection.sendall(head(size))
        for _ in range(20):
            connection.sendall(b"x" * 65536)
        answer = read_answer(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"max_request_bytes" in answer


def test_chunked_body_is_stopped_at_the_limit(jpeg: bytes) -> None:
    with running(max_request_bytes=200_000) as small:

        def pieces():
            yield b'--B\r\nContent-Disposition: form-data; name="images"\r\n\r\n'
            for _ in range(40):
                yield b"x" * 10_000

        answer = httpx.post(
            small.url + "/colocalize", content=pieces(), headers={"content-type": "multipart/form-data; boundary=B"}
        )
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_log_to_a_full_disk_does_not_stop_the_service(jpeg: bytes) -> None:
    with open("/dev/full", "wb") as full, running(stdout=full) as service:  # noqa: PTH123
        assert [service.post(jpeg).status_code for _ in range(3)] == [200, 200, 200]


def test_a_wall_clock_that_jumps_changes_nothing(jpeg: bytes) -> None:
    with running(DUMMY_CLOCK="1", DUMMY_DELAY="0.05", max_images=4, max_pending_images=4, max_batch=1) as service:
        for mode, count in (("attention", 1), ("common", 3)):
            answer = service.post(jpeg, count, mode=mode)
            assert answer.status_code == 200
            assert all(0 <= spent < 5_000 for spent in answer.json()["timing_ms"].values())
        answers = [in_background(service.post, jpeg, mode="attention") for _ in range(16)]
        got = [answer.get() for answer in answers]
        assert {answer.status_code for answer in got} == {200, 429}
        assert all(1 <= int(answer.headers["retry-after"]) <= 5 for answer in got if answer.status_code == 429)
        ages = re.findall(r"^colocalize_oldest_request_age_seconds (\S+)$", service.get("/metrics").text, re.MULTILINE)
        assert ages
        assert all(0 <= float(age) < 5 for age in ages)
        service.send(signal.SIGTERM)
        assert service.process.wait(timeout=10) == 0


def test_overload_is_429_with_retry_after_and_nothing_else(jpeg: bytes) -> None:
    with running(max_images=4, max_pending_images=4, DUMMY_DELAY="0.2", max_batch=1) as service:
        answers = [in_background(service.post, jpeg, mode="attention") for _ in range(16)]
        got = [answer.get() for answer in answers]
    statuses = [answer.status_code for answer in got]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 4
    for answer in got:
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            assert answer.json()["limit"] == {"name": "max_pending_images", "value": 4}


@pytest.mark.parametrize(("size", "closed"), [(300_000, False), (2**21, True)])
def test_refused_upload_keeps_its_connection_where_it_is_small(jpeg: bytes, size: int, closed: bool) -> None:
    with running(max_images=1, max_pending_images=1, DUMMY_DELAY="1", max_batch=1) as service:
        accepted = in_background(service.post, jpeg, mode="attention")
        wait_for(lambda: total(service, "colocalize_pending_images ") == 1)
        with connect(service) as connection:
            connection.sendall(head(size))  # the body comes after the answer
            answer = read_answer(connection)
            assert answer.startswith(b"HTTP/1.1 429")
            assert (b"connection: close" in answer.lower()) is closed
            if not closed:
                connection.sendall(b"x" * size + b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
                assert read_answer(connection).startswith(b"HTTP/1.1 200")
        assert accepted.get().status_code == 200
