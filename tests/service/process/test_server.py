"""The service as processes: start, signals, workers, reload."""

import json
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx
import pytest

from service.process.server import bind
from service.process.supervisor import Supervisor, WorkerError
from service.settings import Settings
from tests.service.processes import Running, in_background, running


def test_sigterm_finishes_what_was_accepted(jpeg: bytes) -> None:
    with running(DUMMY_DELAY="1") as service:
        answers = [in_background(service.post, jpeg, mode="attention") for _ in range(3)]
        time.sleep(0.4)
        service.send(signal.SIGTERM)
        assert [answer.get().status_code for answer in answers] == [200, 200, 200]
        assert service.process.wait(5) == 0
        messages = [entry["message"] for entry in service.log()]
        assert messages.index("draining") < messages.index("request") < messages.index("stopped")


def test_second_signal_does_not_wait_for_the_network(jpeg: bytes, tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    with running(DUMMY_HANG=hang) as service:
        hang.touch()
        answer = in_background(service.post, jpeg)
        time.sleep(0.5)
        service.send(signal.SIGTERM)
        time.sleep(0.5)
        assert service.process.poll() is None
        started = time.monotonic()
        service.send(signal.SIGTERM)
        assert service.process.wait(2) == 128 + signal.SIGTERM
        assert time.monotonic() - started < 1
        with pytest.raises(httpx.TransportError):
            answer.get()


def test_first_run_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    hang.touch()
    with running(wait=False, DUMMY_HANG=hang, drain_timeout=1) as service:
        wait_for(lambda: is_listening(service))
        service.send(signal.SIGTERM)
        assert service.process.wait(5) == 0


def test_reload_that_hangs_does_not_keep_the_process(tmp_path: Path, jpeg: bytes) -> None:
    hang = tmp_path / "hang"
    with running(DUMMY_HANG=hang, reload=True, drain_timeout=1) as service:
        hang.touch()
        service.send(signal.SIGHUP)
        wait_for(lambda: total(service, "colocalize_inference_running_seconds") > 0)
        service.send(signal.SIGTERM)
        assert service.process.wait(5) == 0


def is_listening(service: Running) -> bool:
    try:
        return service.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_ready_fails_but_requests_are_served_in_the_drain_delay(jpeg: bytes) -> None:
    with running(drain_delay=1.5) as service:
        service.send(signal.SIGTERM)
        time.sleep(0.3)
        assert service.get("/readyz").status_code == 503
        answer = service.post(jpeg)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert service.process.wait(5) == 0


def sha256(service: Running) -> str:
    with service.client() as client:
        return client.details().model.sha256


def test_reload_takes_the_new_model_and_refuses_a_bad_one(tmp_path: Path, jpeg: bytes) -> None:
    model = tmp_path / "model"
    model.write_text("1" * 64)
    with running(model=model, reload=True) as service:
        assert sha256(service) == "1" * 64
        model.write_text("2" * 64)
        service.send(signal.SIGHUP)
        wait_for(lambda: sha256(service) == "2" * 64)
        model.write_text("corrupt")
        service.send(signal.SIGHUP)
        wait_for(lambda: 'colocalize_model_reloads_total{result="refused"} 1.0' in service.get("/metrics").text)
        model.unlink()
        service.send(signal.SIGHUP)
        wait_for(lambda: 'colocalize_model_reloads_total{result="refused"} 2.0' in service.get("/metrics").text)
        with service.client() as client:
            found = client.localize([jpeg])
        assert found.model is not None
        assert found.model.sha256 == "2" * 64
        assert any("the model is corrupt" in str(entry["message"]) for entry in service.log())


def test_metrics_name_one_model_after_reloads_in_a_row(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_text("1" * 64)
    with running(model=model, reload=True, DUMMY_DELAY="0.1", lanes=1) as service:
        for sign in "23":
            model.write_text(sign * 64)
            service.send(signal.SIGHUP)
            time.sleep(0.1)  # the first is still being run
        wait_for(lambda: 'colocalize_model_reloads_total{result="ok"} 2.0' in service.get("/metrics").text)
        lines = service.get("/metrics").text.splitlines()
        in_use = [line for line in lines if line.startswith("colocalize_model_info{") and line.endswith(" 1.0")]
        assert len(in_use) == 1
        assert f'sha256="{"3" * 64}"' in in_use[0]


def test_reload_is_off_by_default(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_text("1" * 64)
    with running(model=model) as service:
        model.write_text("2" * 64)
        service.send(signal.SIGHUP)
        time.sleep(0.3)
        assert sha256(service) == "1" * 64


@contextmanager
def loading(model: Path, **settings: object) -> Iterator[tuple[Running, IO[str]]]:
    """A service that is in the middle of loading its model, and gets it from what is written to the stream."""
    os.mkfifo(model)
    with running(wait=False, model=model, **settings) as service, open_once_read(model) as pipe:
        yield service, pipe


def open_once_read(pipe: Path) -> IO[str]:
    opened = []

    def is_read() -> bool:
        with suppress(OSError):
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    wait_for(is_read, step=0.01)
    return os.fdopen(opened[0], "w")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_the_model_is_loaded_ends_the_process(tmp_path: Path, number: int) -> None:
    # By a handler: the first process of a container has no default action.
    with loading(tmp_path / "model") as (service, _):
        service.send(number)
        assert service.process.wait(2) == 128 + number


def test_sighup_while_the_model_is_loaded_loads_it_again(tmp_path: Path) -> None:
    model = tmp_path / "model"
    with loading(model, reload=True) as (service, pipe):
        model.unlink()
        model.write_text("2" * 64)
        service.send(signal.SIGHUP)
        pipe.write("1" * 64)
        pipe.close()
        service.wait_ready()
        wait_for(lambda: sha256(service) == "2" * 64)


def test_sighup_while_the_model_is_loaded_is_ignored_where_reload_is_off(tmp_path: Path) -> None:
    with loading(tmp_path / "model") as (service, pipe):
        service.send(signal.SIGHUP)
        pipe.write("1" * 64)
        pipe.close()
        service.wait_ready()
        assert sha256(service) == "1" * 64


@pytest.mark.parametrize("reload", [True, False])
def test_sighup_while_workers_are_started_kills_none(reload: bool) -> None:
    with running(wait=False, workers=2, reload=reload) as service:
        wait_for(lambda: len(children(service)) == 2, step=0.005)
        for _ in range(10):
            service.send(signal.SIGHUP)
            time.sleep(0.1)
        wait_for(lambda: is_listening(service) and total(service, "colocalize_ready_workers") == 2)
        assert len(children(service)) == 2


def wait_for(true, timeout: float = 10.0, step: float = 0.05) -> None:
    until = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(step)


def children(service: Running) -> list[int]:
    return [int(entry["worker_pid"]) for entry in service.log() if entry["message"] == "worker started"]


def total(service: Running, name: str) -> float:
    lines = [line for line in service.get("/metrics").text.splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_metrics_of_workers_add_up_and_a_killed_worker_is_replaced(jpeg: bytes) -> None:
    with running(workers=2) as service:
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2)
        for _ in range(20):
            assert service.post(jpeg).status_code == 200
        assert total(service, 'colocalize_images_total{code="ok"}') == 20
        assert total(service, "colocalize_worker_resident_bytes") > 0
        first, second = children(service)
        os.kill(first, signal.SIGKILL)
        for _ in range(20):  # the other worker takes all new connections meanwhile
            assert service.post(jpeg).status_code == 200
        wait_for(lambda: len(children(service)) == 3)
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2)
        assert total(service, 'colocalize_images_total{code="ok"}') == 40  # counts of the dead worker are kept
        service.send(signal.SIGTERM)
        assert service.process.wait(10) == 0
    assert not Path(f"/proc/{second}").exists()


def test_worker_whose_network_hangs_is_replaced(tmp_path: Path, jpeg: bytes) -> None:
    hang = tmp_path / "hang"
    with running(workers=2, DUMMY_HANG=hang, request_timeout=0.3, hang_timeout=0.5) as service:
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2)
        hang.touch()
        assert service.post(jpeg).status_code == 504
        hang.unlink()
        wait_for(lambda: len(children(service)) == 3)


def test_worker_that_cannot_be_replaced_yet_is_tried_again(tmp_path: Path, jpeg: bytes) -> None:
    model = tmp_path / "model"
    model.write_text("1" * 64)
    with running(workers=2, model=model) as service:
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2)
        model.unlink()
        os.kill(children(service)[0], signal.SIGKILL)
        wait_for(lambda: any("trying again" in str(entry["message"]) for entry in service.log()))
        assert service.post(jpeg).status_code == 200  # the other goes on
        model.write_text("1" * 64)
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2, timeout=20)
        service.send(signal.SIGTERM)
        assert service.process.wait(10) == 0


def test_sigterm_while_a_worker_is_to_be_tried_again_loses_nothing(tmp_path: Path, jpeg: bytes) -> None:
    model = tmp_path / "model"
    model.write_text("1" * 64)
    with running(workers=2, model=model, DUMMY_DELAY="0.2", lanes=1, DUMMY_RETRY_PAUSE="2") as service:
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2)
        model.unlink()
        os.kill(children(service)[0], signal.SIGKILL)
        wait_for(lambda: any("trying again" in str(entry["message"]) for entry in service.log()))
        answer = in_background(service.post, jpeg, 10, mode="attention")
        wait_for(lambda: total(service, "colocalize_pending_images ") > 0)
        service.send(signal.SIGTERM)
        assert answer.get().status_code == 200  # later than the other would have been tried again
        assert service.process.wait(5) == 0


def test_sigterm_while_workers_are_started_reaches_all() -> None:
    with running(wait=False, workers=6) as service:
        wait_for(lambda: len(children(service)) > 0, step=0.001)
        service.send(signal.SIGTERM)
        assert service.process.wait(5) == 0


def test_worker_answers_only_once_it_is_able(jpeg: bytes) -> None:
    # The dummy's first runs take a while; those who connect meanwhile must find the other worker.
    with running(workers=2, DUMMY_DELAY="0.3") as service:
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2, timeout=20)
        os.kill(children(service)[0], signal.SIGKILL)
        statuses = []
        while len(children(service)) < 3 or total(service, "colocalize_ready_workers") < 2:
            statuses.append(service.get("/readyz").status_code)
        assert set(statuses) == {200}


def test_workers_that_cannot_start_end_the_service(tmp_path: Path) -> None:
    with running(wait=False, workers=2, model=tmp_path / "missing") as service:
        assert service.process.wait(20) == 1
        assert "cannot start: cannot read the model" in service.log_path.read_text()


def test_workers_whose_first_run_fails_end_the_service(tmp_path: Path) -> None:
    fail = tmp_path / "fail"
    fail.touch()
    with running(wait=False, workers=2, DUMMY_FAIL=fail) as service:
        assert service.process.wait(20) == 1
        reason = "cannot start: the model failed its first run: RuntimeError: out of memory"
        assert reason in service.log_path.read_text()


def test_replacement_whose_first_run_fails_takes_no_connections(tmp_path: Path) -> None:
    fail = tmp_path / "fail"
    with running(workers=2, DUMMY_FAIL=fail) as service:
        wait_for(lambda: total(service, "colocalize_ready_workers") == 2)
        fail.touch()
        os.kill(children(service)[0], signal.SIGKILL)
        wait_for(lambda: any("trying again" in str(entry["message"]) for entry in service.log()))
        assert {service.get("/readyz").status_code for _ in range(20)} == {200}


def test_address_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["nowhere.invalid", "300.1.1.1"])
def test_unknown_address_is_named(host: str) -> None:
    with pytest.raises(OSError, match=f"cannot listen on {host}:0: "):
        bind(host, 0)


def test_empty_address_is_not_taken_for_all_addresses() -> None:
    with pytest.raises(ValueError, match=r"empty; 0\.0\.0\.0 or :: listens on all"):
        bind("", 0)


def test_everything_at_the_start_is_in_the_form_that_is_set() -> None:
    with running(prot="1") as service:
        lines = service.log_path.read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert ("warning", "COLOCALIZE_PROT is no setting") in [(entry["level"], entry["message"]) for entry in entries]


def unfinished(service: Running) -> socket.socket:
    """A connection on which a part of an upload has come."""
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    connection.sendall(
        b"POST /colocalize HTTP/1.1\r\nHost: a\r\nX-Request-Id: late\r\nContent-Length: 9000\r\n"
        b"Content-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\n"
    )
    return connection


def test_upload_that_is_not_over_at_the_end_of_the_drain_is_503(jpeg: bytes) -> None:
    with running(drain_timeout=1) as service, unfinished(service) as connection:
        time.sleep(0.3)
        service.send(signal.SIGTERM)
        got = b""
        while piece := connection.recv(65536):
            got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"content-type: application/problem+json" in head
        assert b"retry-after: 1" in head
        problem = json.loads(body)
        assert (problem["code"], problem["request_id"]) == ("not_ready", "late")
        assert service.process.wait(10) == 0
        assert "Traceback" not in service.log_path.read_text()
        assert all("exception" not in entry for entry in service.log())


def test_work_that_is_not_over_at_the_end_of_the_drain_is_503(jpeg: bytes, tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    with running(drain_timeout=1, DUMMY_HANG=hang) as service:
        hang.touch()
        answer = in_background(service.post, jpeg)
        time.sleep(0.5)
        service.send(signal.SIGTERM)
        got = answer.get()
        assert (got.status_code, got.json()["code"]) == (503, "not_ready")
        assert service.process.wait(20) == 0


@pytest.mark.parametrize(
    ("trusted", "sent", "logged"),
    [
        ("", "203.0.113.7", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),  # what a client makes up stands before
        ("*", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_client_behind_a_proxy_is_logged_where_the_proxy_is_trusted(trusted: str, sent: str, logged: str) -> None:
    with running(trusted_proxies=trusted) as service:
        httpx.get(f"{service.url}/model", headers={"x-forwarded-for": sent} if sent else {})
        wait_for(lambda: any(entry.get("path") == "/model" for entry in service.log()))
        (entry,) = (entry for entry in service.log() if entry.get("path") == "/model")
    assert entry["client"] == logged


def test_folder_of_the_metrics_without_room_is_named_before_a_worker_starts() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with socket.socket() as listener, pytest.raises(WorkerError, match=r"no room .*: File too large; TMPDIR may"):
            Supervisor(Settings(workers=2), listener).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
