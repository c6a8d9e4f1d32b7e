"""A real Label Studio and a real service as its backend, on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.service.processes import free_port

__all__ = ["EMAIL", "PASSWORD", "ROOT", "Studio", "running_backend", "running_studio"]

ROOT = Path(__file__).resolve().parents[2]
EMAIL, PASSWORD = "a@example.com", "secret-123"
_TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105
_START_SECONDS = 900  # its database has some three hundred migrations


@dataclass(frozen=True)
class Studio:
    """A Label Studio that runs, asked as its user."""

    url: str
    http: httpx.Client

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self.http.request(method, path, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def project(self, title: str, config: str, images: Path, names: list[str]) -> int:
        """Make a project over images that lie below its document root; gives its number."""
        number = self.call("POST", "/api/projects", json={"title": title, "label_config": config})["id"]
        storage = {"project": number, "path": str(images), "use_blob_urls": True}
        self.call("POST", "/api/storages/localfiles", json=storage)  # never synced: it lets the files be served
        place = f"{images.parent.name}/{images.name}"
        tasks = [{"data": {"image": f"/data/local-files/?d={place}/{name}", "name": name}} for name in names]
        self.call("POST", f"/api/projects/{number}/import", json=tasks)
        return int(number)


def _until_up(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(url, timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, log.read_text()[-3000:]
        time.sleep(1)


@contextmanager
def _running(command: list[str], variables: Mapping[str, str], url: str, log: Path, seconds: float) -> Iterator[None]:
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=stream, stderr=stream)
    try:
        _until_up(url, process, log, seconds)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_studio(program: str, folder: Path, files: Path) -> Iterator[Studio]:
    """A Label Studio that serves local files.

    Args:
        program: Its command.
        folder: Where its database and log go.
        files: Its document root; a project's images lie in a folder of a folder of it.
    """
    port = free_port()
    variables = {
        # A database that is there already starts in a tenth of the time.
        "LABEL_STUDIO_BASE_DATA_DIR": os.environ.get("LABEL_STUDIO_BASE_DATA_DIR", str(folder / "data")),
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(files),
        # The backend is on this machine, and so is the webhook that Label Studio makes for it.
        "ML_BLOCK_LOCAL_IP": "false",
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "ML_TIMEOUT_PREDICT": "1200",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    user = ["--username", EMAIL, "--password", PASSWORD, "--user-token", _TOKEN]
    command = [program, "start", "--no-browser", "--port", str(port), *user, "--enable-legacy-api-token"]
    url = f"http://127.0.0.1:{port}"
    with _running(command, variables, f"{url}/health", folder / "log", _START_SECONDS):
        headers = {"authorization": f"Token {_TOKEN}"}
        with httpx.Client(base_url=url, headers=headers, timeout=1300) as http:
            yield Studio(url, http)


@contextmanager
def running_backend(studio: Studio, log: Path) -> Iterator[str]:
    """The service as the backend of that Label Studio, over the model in the box; gives its address.

    Args:
        studio: Where it reads images and annotations.
        log: File of its log.
    """
    port = free_port()
    variables = {
        "COLOCALIZE_PORT": str(port),
        "COLOCALIZE_LABEL_STUDIO_URL": studio.url,
        "COLOCALIZE_LABEL_STUDIO_TOKEN": _TOKEN,
        "COLOCALIZE_REQUEST_TIMEOUT": "900",
        "COLOCALIZE_LOG_LEVEL": "warning",
    }
    code = "from service.process.server import run; from service.settings import Settings; run(Settings())"
    url = f"http://127.0.0.1:{port}"
    with _running([sys.executable, "-c", code], variables, f"{url}/readyz", log, 300):
        yield f"{url}/labelstudio"
