"""A real S3 server on loopback, which can be made slow and busy."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

SECRET = "wJalrXUtnFEMI-never-to-be-seen"  # noqa: S105 - of a server on loopback that takes any


class Faults:
    """What goes wrong at the server.

    Attributes:
        delay: Seconds that every request takes longer.
        share: Share of the requests that are answered 503.
        requests: Method and path of every request.
        refused: How many were answered 503.
    """

    def __init__(self) -> None:
        self.delay, self.share = 0.0, 0.0
        self.requests: list[str] = []
        self.refused = 0
        self._random = random.Random(7)  # noqa: S311 - no secret

    def around(self, app: Callable[..., Any]) -> Callable[..., Any]:
        def handle(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            time.sleep(self.delay)
            if self._random.random() < self.share:
                self.refused += 1
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response("503 Slow Down", [("Content-Type", "application/xml")])
                return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]
            answer: Iterable[bytes] = app(environ, start_response)
            return answer

        return handle


class Bucket:
    """A bucket of its own for each test.

    Attributes:
        url: Its URL.
        faults: What goes wrong at the server.
        environment: What a process needs to use it.
    """

    def __init__(self, client: Any, name: str, faults: Faults, environment: dict[str, str]) -> None:
        client.create_bucket(Bucket=name)
        self._client, self._name = client, name
        self.url = f"s3://{name}"
        self.faults = faults
        self.environment = environment

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=self._name, Key=key)["Body"].read())

    def names(self) -> set[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
        return {one["Key"] for page in pages for one in page.get("Contents", ())}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, Faults]]:
    pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
    moto = pytest.importorskip("moto.moto_server.werkzeug_app", reason="moto is not installed")
    serving = pytest.importorskip("werkzeug.serving", reason="werkzeug is not installed")
    faults = Faults()
    app = faults.around(moto.DomainDispatcherApplication(moto.create_backend_app))
    server = serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", faults
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket(
    s3_server: tuple[str, Faults], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Bucket]:
    endpoint, faults = s3_server
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAnobody",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = pytest.importorskip("boto3").client("s3")
    yield Bucket(client, f"test-{abs(hash(request.node.nodeid)):x}", faults, environment)
    faults.delay = faults.share = 0.0
    client.close()
