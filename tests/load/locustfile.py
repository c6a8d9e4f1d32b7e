"""Load by hand: `locust -f tests/load/locustfile.py --host http://localhost:8000`, then open http://localhost:8089."""

import random

from locust import HttpUser, between, task

from tests.load.client import photographs

_IMAGES = photographs()


class Visitor(HttpUser):
    """Sends single images, and now and then a set."""

    wait_time = between(0.1, 1.0)

    def _send(self, count: int, name: str, **fields: str) -> None:
        files = [("images", (f"{i}.jpg", random.choice(_IMAGES), "image/jpeg")) for i in range(count)]  # noqa: S311
        with self.client.post("/colocalize", files=files, data=fields, name=name, catch_response=True) as answer:
            if answer.status_code == 429:
                answer.success()  # being refused is the right answer to too much

    @task(8)
    def single(self) -> None:
        """One image."""
        self._send(1, "1 image")

    @task(2)
    def few(self) -> None:
        """A set, with overlays."""
        self._send(5, "5 images, overlays", heatmap="overlay")

    @task(1)
    def many(self) -> None:
        """A large set."""
        self._send(16, "16 images")
