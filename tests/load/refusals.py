"""Many requests through the client of this package against a service that refuses most of them at first.

    python -m tests.load.refusals --requests 10000

The service runs over the dummy engine and takes 8 images at a time; 64 programs ask it at once. Writes
docs/records/service-client.json: how many requests were answered and how often each was sent, by the client's count and
by the service's own. Every image is another, and every answer must be of the image that was asked about.
"""

import argparse
import asyncio
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from colocalization.client import AsyncClient, ClientError, Retries
from tests.load.records import write_record
from tests.service.conftest import encode
from tests.service.processes import running


class Counting(httpx.AsyncHTTPTransport):
    """Sends requests and counts their statuses."""

    def __init__(self) -> None:
        super().__init__(limits=httpx.Limits(max_connections=None, max_keepalive_connections=None))
        self.statuses: Counter[int] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one."""
        response = await super().handle_async_request(request)
        self.statuses[response.status_code] += 1
        return response


def image(number: int) -> bytes:
    """A PNG whose size says which one it is: 1 to 100 pixels wide, 1 to 100 high and more."""
    width, height = 8 + number % 100, 8 + number // 100
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = 255
    return encode(pixels, "PNG")


async def ask(url: str, requests: int, programs: int) -> dict[str, Any]:
    """Send all requests and tell what became of them."""
    transport = Counting()
    answered: Counter[int] = Counter()
    wrong: list[int] = []
    errors: Counter[str] = Counter()
    numbers = iter(range(requests))

    async def program(client: AsyncClient) -> None:
        for number in numbers:  # shared: each number is taken once
            try:
                (found,) = await client.localize([image(number)], mode="attention")
            except ClientError as error:
                errors[error.code] += 1
                continue
            answered[number] += 1
            if (found.width, found.height) != (8 + number % 100, 8 + number // 100):
                wrong.append(number)

    began = time.monotonic()
    async with AsyncClient(url, retries=Retries(seconds=600), transport=transport) as client:
        await asyncio.gather(*(program(client) for _ in range(programs)))
    return {
        "requests": requests,
        "answered": len(answered),
        "answered_with_another_image": len(wrong),
        "errors": dict(errors),
        "sent": {str(status): count for status, count in sorted(transport.statuses.items())},
        "seconds": round(time.monotonic() - began, 1),
    }


def counted_by_the_service(url: str) -> dict[str, int]:
    """Requests by status, and images, as the service's metrics say."""
    text = httpx.get(f"{url}/metrics").text
    pattern = r'colocalize_requests_total\{code="\w+",path="/colocalize",status="(\d+)"\} (\d+)'
    counts = {status: int(count) for status, count in re.findall(pattern, text)}
    (images,) = re.findall(r'colocalize_images_total\{code="ok"\} (\d+)', text)
    return {**counts, "images": int(images)}


def measure(requests: int, programs: int, pending: int, delay: float) -> dict[str, Any]:
    """Start the service, ask it, and give what both sides counted."""
    with running(max_pending_images=pending, max_images=pending, log_level="error", DUMMY_DELAY=delay) as service:
        told = asyncio.run(ask(service.url, requests, programs))
        return {**told, "counted_by_the_service": counted_by_the_service(service.url)}


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--programs", type=int, default=64, help="requests under way at one time")
    parser.add_argument("--pending", type=int, default=8, help="images that the service takes at one time")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds of a run of the network")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results = measure(given.requests, given.programs, given.pending, given.delay)
    settings = {name: value for name, value in vars(given).items() if name != "out"}
    print(write_record("service-client", settings, results, given.out))  # noqa: T201
    print(results)  # noqa: T201


if __name__ == "__main__":
    main()
