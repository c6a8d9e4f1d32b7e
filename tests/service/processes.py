"""Starting the service as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from colocalization.client import Client

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Running:
    """A service that runs."""

    process: subprocess.Popen[bytes]
    port: int
    log_path: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> list[dict[str, object]]:
        lines = self.log_path.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def client(self, **options: Any) -> Client:
        """A program's client; each has connections of its own, to whichever worker takes them."""
        return Client(self.url, **options)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=10)

    def post(self, jpeg: bytes, count: int = 1, **fields: str) -> httpx.Response:
        """A request by hand, whose status and headers are what is looked at; a client hides them."""
        files = [("images", (f"{i}.jpg", jpeg)) for i in range(count)]
        return httpx.post(f"{self.url}/colocalize", files=files, data=fields, timeout=30)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_ready(self, timeout: float = 20.0) -> None:
        until = time.monotonic() + timeout
        while True:
            assert self.process.poll() is None, self.log_path.read_text()
            try:
                if self.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, self.log_path.read_text()
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*, wait: bool = True, stdout: object = None, **settings: object) -> Iterator[Running]:
    """The service over the dummy engine; settings in lower case, anything else in capitals is a variable as it is."""
    port = free_port()
    variables = {name if name.isupper() else f"COLOCALIZE_{name.upper()}": str(v) for name, v in settings.items()}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLOCALIZE_PORT": str(port), **variables}
    with tempfile.TemporaryDirectory() as folder:
        log_path = Path(folder) / "log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.service.dummy_server"],
                cwd=ROOT, env=environment, stdout=stdout or log, stderr=log if stdout is None else stdout,
            )  # fmt: skip
        service = Running(process, port, log_path)
        try:
            if wait:
                service.wait_ready()
            yield service
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def in_background(function: object, *arguments: object, **named: object) -> "Result":
    """Call a function in a thread and keep what it gives."""
    return Result(function, arguments, named)


class Result:
    """What a call in a thread gives."""

    def __init__(self, function, arguments, named) -> None:
        self._value: object = None
        self._error: BaseException | None = None

        def call() -> None:
            try:
                self._value = function(*arguments, **named)
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=call)
        self._thread.start()

    def get(self, timeout: float = 30.0):
        self._thread.join(timeout)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._value
