"""Starting the servers that are measured, and looking at their processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.load.records import ROOT

__all__ = ["Server", "bentoml_server", "colocalize_server", "litserve_server", "serving"]


@dataclass
class Server:
    """A server that runs.

    Attributes:
        process: Its first process.
        port: Its port.
        seconds_to_ready: From its start to its first positive answer to a probe.
    """

    process: subprocess.Popen[bytes]
    port: int
    seconds_to_ready: float

    def processes(self) -> list[int]:
        """Ids of its process and of all below."""
        found, new = [self.process.pid], [self.process.pid]
        while new:
            children = Path(f"/proc/{new.pop()}/task").glob("*/children")
            more = [int(pid) for file in children for pid in file.read_text().split()]
            found += more
            new += more
        return found

    def resident_mib(self) -> float:
        """Resident memory of all its processes, in MiB."""
        return sum(_status(pid, "VmRSS") for pid in self.processes()) / 1024

    def peak_mib(self) -> float:
        """Highest resident memory of its first process so far, in MiB."""
        return _status(self.process.pid, "VmHWM") / 1024

    def threads(self) -> int:
        """Threads of its first process."""
        return _status(self.process.pid, "Threads")

    def open_files(self) -> int:
        """Open files of its first process."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def _status(pid: int, name: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it ended meanwhile
        return 0
    return int(text.split(f"{name}:")[1].split()[0])


Start = tuple[list[str], dict[str, str], str]
"""Command, environment variables, and the path that answers once it is ready."""


def colocalize_server(**settings: object) -> Start:
    """Command, variables and probe of this project's service."""
    code = "from service.process.server import run; from service.settings import Settings; run(Settings())"
    variables = {f"COLOCALIZE_{name.upper()}": str(value) for name, value in settings.items()}
    return [sys.executable, "-c", code], {"COLOCALIZE_LOG_LEVEL": "warning", **variables}, "/readyz"


def _peer(workers: int, threads: int, batch: int, model: Path | None) -> dict[str, str]:
    chosen = {} if model is None else {"PEER_MODEL": str(model)}
    return {"PEER_WORKERS": str(workers), "PEER_THREADS": str(threads), "PEER_BATCH": str(batch), **chosen}


def litserve_server(python: str, workers: int, threads: int, batch: int, model: Path | None) -> Start:
    """Command, variables and probe of the same localizer behind LitServe."""
    variables = _peer(workers, threads, batch, model)
    return [python, "-m", "tests.load.peers.litserve_app"], variables, "/health"


def bentoml_server(python: str, workers: int, threads: int, batch: int, model: Path | None) -> Start:
    """Command, variables and probe of the same localizer behind BentoML."""
    variables = {**_peer(workers, threads, batch, model), "BENTOML_DO_NOT_TRACK": "true"}
    command = [
        python,
        "-m",
        "bentoml",
        "serve",
        "tests.load.peers.bentoml_app:Peer",
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
    ]
    return command, variables, "/readyz"


@contextmanager
def serving(command: list[str], variables: dict[str, str], probe: str, timeout: float = 120.0) -> Iterator[Server]:
    """Run a server on a free port until the end of the block.

    Args:
        command: What to run.
        variables: Environment variables besides this process's; the port is added under all names that are in use.
        probe: Path that answers 200 once the server is ready.
        timeout: Seconds within which it must be ready.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    named = {"COLOCALIZE_PORT": str(port), "PEER_PORT": str(port), "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    process = subprocess.Popen(
        [part.replace("{port}", str(port)) for part in command],
        cwd=ROOT,
        env={**os.environ, **named, **variables},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(port, probe):
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended with {process.returncode} before it was ready")
            if time.monotonic() - started > timeout:
                raise TimeoutError(f"{command} was not ready within {timeout:g} s")
            time.sleep(0.02)
        yield Server(process, port, time.monotonic() - started)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # some servers leave workers behind


def _answers(port: int, probe: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{probe}", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
