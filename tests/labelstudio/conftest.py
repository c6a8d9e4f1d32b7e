"""A real Label Studio and a real service, on this machine, for as long as a test lasts.

`make test-labelstudio` installs Label Studio into an environment of its own and names it in LABEL_STUDIO; without that
the tests are skipped with a reason.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105
_START_SECONDS = 900  # its database has some three hundred migrations


@dataclass
class Studio:
    """A Label Studio that runs, asked as its user."""

    url: str
    http: httpx.Client

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self.http.request(method, path, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None


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


def _run(command: list[str], variables: dict[str, str], url: str, log: Path, seconds: float) -> Iterator[None]:
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


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """With local files served from the folder of the photographs."""
    program = os.environ.get("LABEL_STUDIO")
    if program is None:
        pytest.skip("needs Label Studio: make test-labelstudio")
    if not DATA.is_dir():
        pytest.skip(f"needs the photographs of {DATA}")
    folder, port = tmp_path_factory.mktemp("labelstudio"), free_port()
    variables = {
        # A database that is there already starts in a tenth of the time.
        "LABEL_STUDIO_BASE_DATA_DIR": os.environ.get("LABEL_STUDIO_BASE_DATA_DIR", str(folder / "data")),
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(DATA),
        # The backend is on this machine, and so is the webhook that Label Studio makes for it.
        "ML_BLOCK_LOCAL_IP": "false",
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "ML_TIMEOUT_PREDICT": "1200",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    user = ["--username", "a@example.com", "--password", "secret-123", "--user-token", TOKEN]
    command = [program, "start", "--no-browser", "--port", str(port), *user, "--enable-legacy-api-token"]
    url = f"http://127.0.0.1:{port}"
    for _ in _run(command, variables, f"{url}/health", folder / "log", _START_SECONDS):
        headers = {"authorization": f"Token {TOKEN}"}
        with httpx.Client(base_url=url, headers=headers, timeout=1300) as http:
            yield Studio(url, http)


@pytest.fixture(scope="session")
def backend(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the service as the backend of that Label Studio, over the model in the box."""
    port, folder = free_port(), tmp_path_factory.mktemp("service")
    variables = {
        "COLOCALIZE_PORT": str(port),
        "COLOCALIZE_LABEL_STUDIO_URL": studio.url,
        "COLOCALIZE_LABEL_STUDIO_TOKEN": TOKEN,
        "COLOCALIZE_REQUEST_TIMEOUT": "900",
        "COLOCALIZE_LOG_LEVEL": "warning",
    }
    code = "from service.process.server import run; from service.settings import Settings; run(Settings())"
    url = f"http://127.0.0.1:{port}"
    for _ in _run([sys.executable, "-c", code], variables, f"{url}/readyz", folder / "log", 300):
        yield f"{url}/labelstudio"
