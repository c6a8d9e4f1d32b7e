"""A real S3 server on loopback, which can be made slow and busy."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["SECRET", "Bucket", "Faults", "serving_s3"]

SECRET = "wJalrXUtnFEMI-never-to-be-seen"  # noqa: S105 - of a server on loopback that takes any


class Faults:
    """What goes wrong at the server.

    Attributes:
        delay: Seconds that every request takes longer.
        share: Share of the requests that are answered 503.
        requests: Method and path of every request.
        times: When each came, in seconds since the epoch.
        refused: How many were answered 503.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.times: list[float] = []
        self.refused = 0
        self.mend()

    def mend(self) -> None:
        """Nothing goes wrong from now on; what is refused after that does not depend on what came before."""
        self.delay, self.share = 0.0, 0.0
        self._random = random.Random(7)  # noqa: S311 - no secret

    def around(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """The server's application with its faults."""

        def handle(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            self.times.append(time.time())
            self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            time.sleep(self.delay)
            if self.share and self._random.random() < self.share:
                self.refused += 1
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response("503 Slow Down", [("Content-Type", "application/xml")])
                return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]
            answer: Iterable[bytes] = app(environ, start_response)
            return answer

        return handle


class Bucket:
    """A bucket of the server.

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
        """Write a file."""
        self._client.put_object(Bucket=self._name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        """The content of a file."""
        return bytes(self._client.get_object(Bucket=self._name, Key=key)["Body"].read())

    def names(self) -> set[str]:
        """Names of all files."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
        return {one["Key"] for page in pages for one in page.get("Contents", ())}


@contextmanager
def serving_s3() -> Iterator[tuple[dict[str, str], Faults]]:
    """Serve S3 from the memory of this process; needs moto.

    Yields:
        The environment variables that a process needs to use it, and what goes wrong at it.
    """
    from moto.moto_server import werkzeug_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, *_: Any) -> None:
            """Say nothing of each request."""

    faults = Faults()
    app = faults.around(werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "AKIAnobody",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        yield environment, faults
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
