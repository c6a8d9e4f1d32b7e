"""A small HTTP client whose cost does not disturb what it measures: requests are encoded once, connections are kept."""

import asyncio
import io
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from tests.load.records import ROOT

__all__ = ["Client", "Outcome", "encode_request", "photographs", "summary"]

_BOUNDARY = "----colocalize-load"


def photographs(folder: Path | None = None, width: int = 640, height: int = 480, quality: int = 85) -> list[bytes]:
    """JPEGs of one size, cut from the middle of the photographs of a folder.

    Args:
        folder: Where they are; the examples of the repository if left out.
        width: Width of each, in pixels.
        height: Height of each, in pixels.
        quality: Of the JPEG.
    """
    found = []
    for path in sorted((folder or ROOT / "examples" / "images").iterdir()):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            continue
        with Image.open(path) as image:
            scale = max(width / image.width, height / image.height)
            size = (round(image.width * scale) + 1, round(image.height * scale) + 1)
            resized = image.convert("RGB").resize(size, Image.Resampling.BICUBIC).crop((0, 0, width, height))
        stream = io.BytesIO()
        resized.save(stream, format="JPEG", quality=quality)
        found.append(stream.getvalue())
    if not found:
        raise FileNotFoundError(f"there are no photographs in {folder}")
    return found


def encode_request(path: str, images: list[bytes], field_name: str = "images", **fields: str) -> bytes:
    """A whole POST request, header and body."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for index, image in enumerate(images):
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field_name}"; filename="{index}.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        parts.append(head.encode() + image + b"\r\n")
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    header = (
        f"POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return header.encode() + body


@dataclass
class Outcome:
    """What became of one request.

    Attributes:
        status: HTTP status; 0 where there was no whole answer.
        seconds: From when it was due to the last byte of its answer.
        images: Images in it.
        retry_after: Seconds the server asked to wait, or None.
        error: What went wrong below HTTP, or an empty string.
    """

    status: int
    seconds: float
    images: int
    retry_after: int | None = None
    error: str = ""


@dataclass
class Client:
    """Sends encoded requests to one address."""

    host: str
    port: int
    timeout: float = 120.0
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def send(self, request: bytes, images: int, due: float | None = None) -> Outcome:
        """Send one request and read its answer.

        Args:
            request: The encoded request.
            images: Images in it.
            due: `time.monotonic()` at which it should have been sent; now if left out.
        """
        started = time.monotonic() if due is None else due
        try:
            async with asyncio.timeout(self.timeout):
                status, retry_after = await self._exchange(request)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            return Outcome(0, time.monotonic() - started, images, error=type(error).__name__)
        return Outcome(status, time.monotonic() - started, images, retry_after)

    async def _exchange(self, request: bytes) -> tuple[int, int | None]:
        kept = bool(self._idle)
        reader, writer = self._idle.pop() if kept else await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError):
            writer.close()
            if not kept:
                raise
            return await self._exchange(request)  # a kept connection was closed before the request reached it
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        retry_after = headers.get("retry-after")
        return int(lines[0].split(" ")[1]), None if retry_after is None else int(retry_after)

    def close(self) -> None:
        """Close all connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


def summary(outcomes: list[Outcome], seconds: float) -> dict[str, object]:
    """Goodput in images per second, latency of accepted requests in milliseconds, and what became of the others."""
    good = [outcome for outcome in outcomes if outcome.status == 200]
    times = np.sort([1000 * outcome.seconds for outcome in good])
    waits = [outcome.retry_after for outcome in outcomes if outcome.retry_after is not None]
    statuses = Counter(str(outcome.status) for outcome in outcomes)
    refused = statuses.get("429", 0)
    return {
        "requests": len(outcomes),
        "seconds": round(seconds, 3),
        "goodput_images_per_s": round(sum(outcome.images for outcome in good) / seconds, 3),
        "latency_ms": {f"p{q}": round(float(np.percentile(times, q)), 1) for q in (50, 95, 99)} if good else {},
        "statuses": dict(statuses),
        "share_429": round(refused / max(len(outcomes), 1), 4),
        "other_errors": len(outcomes) - len(good) - refused,
        "transport_errors": dict(Counter(outcome.error for outcome in outcomes if outcome.error)),
        "retry_after_s": {"min": min(waits), "max": max(waits)} if waits else {},
    }
