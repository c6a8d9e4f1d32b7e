"""What the service needs and what it survives: start, memory, many signals, a long run.

    python -m tests.load.endurance footprint
    python -m tests.load.endurance sigterms --count 100
    python -m tests.load.endurance soak --seconds 600

Each writes docs/records/service-<name>.json.
"""

import argparse
import asyncio
import io
import signal
import statistics
import time

import numpy as np
from PIL import Image

from tests.load.client import Client, Outcome, encode_request, photographs
from tests.load.generators import open_loop
from tests.load.records import write_record
from tests.load.servers import colocalize_server, serving


def _large_pngs(count: int, side: int) -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 1), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.tile(pixels, (1, 1, 3)) & 0x80).save(stream, format="PNG", compress_level=1)
    return [stream.getvalue()] * count


async def _send(port: int, request: bytes, images: int) -> Outcome:
    client = Client("127.0.0.1", port)
    try:
        return await client.send(request, images)
    finally:
        client.close()


def footprint(options: argparse.Namespace) -> None:
    """Start and memory: idle, with the most images and their heat maps as arrays, with the largest images."""
    ready, first = [], []
    for _ in range(options.count):
        started = time.monotonic()
        with serving(*colocalize_server()) as server:
            ready.append(server.seconds_to_ready)
            asyncio.run(_send(server.port, encode_request("/colocalize", photographs()[:1]), 1))
            first.append(time.monotonic() - started)
    results: dict[str, object] = {"seconds_to_ready": ready, "seconds_to_first_answer": first}
    images = photographs(width=2000, height=1500, quality=90)
    cases = {
        "most_images": encode_request("/colocalize", [images[i % len(images)] for i in range(64)], heatmap="array"),
        "largest_pngs": encode_request("/colocalize", _large_pngs(4, 7990), heatmap="none"),
    }
    for name, request in cases.items():
        with serving(*colocalize_server(request_timeout=300, upload_timeout=300)) as server:
            results["idle_mib"] = round(server.resident_mib(), 1)
            outcome = asyncio.run(_send(server.port, request, 64))
            results[name] = {
                "status": outcome.status,
                "request_mib": round(len(request) / 2**20, 1),
                "seconds": round(outcome.seconds, 2),
                "peak_mib": round(server.peak_mib(), 1),
            }
    print(write_record("service-footprint", {"starts": options.count}, results))  # noqa: T201


async def _under_load(port: int, stop: asyncio.Event, requests: list[bytes], outcomes: list[Outcome]) -> None:
    client = Client("127.0.0.1", port)
    turn = 0
    while not stop.is_set():
        outcome = await client.send(requests[turn % len(requests)], 1)
        if outcome.error == "ConnectionRefusedError":
            break
        outcomes.append(outcome)
        turn += 1
    client.close()


async def _one_sigterm(count: int, requests: list[bytes]) -> tuple[list[Outcome], float]:
    with serving(*colocalize_server()) as server:
        stop = asyncio.Event()
        outcomes: list[Outcome] = []
        clients = [asyncio.create_task(_under_load(server.port, stop, requests, outcomes)) for _ in range(4)]
        await asyncio.sleep(1.0 + count % 10 / 20)
        server.process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        await asyncio.to_thread(server.process.wait, 60)
        took = time.monotonic() - begin
        stop.set()
        await asyncio.gather(*clients)
        return outcomes, took


def sigterms(options: argparse.Namespace) -> None:
    """SIGTERM under load, many times: every request that was accepted must be answered."""
    requests = [encode_request("/colocalize", [one]) for one in photographs()]
    answered, lost, took = 0, [], []
    for count in range(options.count):
        outcomes, seconds = asyncio.run(_one_sigterm(count, requests))
        answered += sum(outcome.status == 200 for outcome in outcomes)
        lost += [outcome.error or str(outcome.status) for outcome in outcomes if outcome.status != 200]
        took.append(seconds)
    results = {
        "sigterms": options.count, "answered": answered, "lost": lost,
        "seconds_to_leave": {"median": statistics.median(took), "max": max(took)},
    }  # fmt: skip
    print(write_record("service-sigterms", {"count": options.count}, results))  # noqa: T201


async def _soak(seconds: float, rate: float) -> dict[str, object]:
    with serving(*colocalize_server()) as server:
        samples: list[dict[str, float]] = []

        async def sample() -> None:
            begin = time.monotonic()
            while True:
                samples.append({
                    "seconds": round(time.monotonic() - begin, 1), "mib": round(server.resident_mib(), 2),
                    "files": server.open_files(), "threads": server.threads(),
                })  # fmt: skip
                await asyncio.sleep(max(1.0, seconds / 120))

        watcher = asyncio.create_task(sample())
        client = Client("127.0.0.1", server.port)
        images = photographs()
        requests = [encode_request("/colocalize", images[i : i + 1 + i % 3]) for i in range(len(images) - 3)]
        told, _ = await open_loop(client, requests, 2, rate / 2, seconds)
        watcher.cancel()
        client.close()
        settled = [one for one in samples if one["seconds"] >= min(60.0, seconds / 2)]
        growth = settled[-1]["mib"] / settled[0]["mib"] - 1
        # Single samples go up and down with what is in flight; medians of a minute tell a trend.
        first, last = (
            statistics.median(one["mib"] for one in settled if begin <= one["seconds"] <= begin + 60)
            for begin in (settled[0]["seconds"], settled[-1]["seconds"] - 60)
        )
        return {
            "growth_after_first_minute": round(growth, 4), "growth_of_medians": round(last / first - 1, 4),
            "load": told, "samples": samples,
        }  # fmt: skip


def soak(options: argparse.Namespace) -> None:
    """A long run below capacity: memory, open files and threads must not grow."""
    results = asyncio.run(_soak(options.seconds, options.rate))
    print(write_record("service-soak", {"seconds": options.seconds, "images_per_s": options.rate}, results))  # noqa: T201


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for function, arguments in (
        (footprint, {"--count": 5}),
        (sigterms, {"--count": 100}),
        (soak, {"--seconds": 600.0, "--rate": 3.0}),
    ):
        command = commands.add_parser(function.__name__, help=(function.__doc__ or "").splitlines()[0])
        command.set_defaults(run=function)
        for name, default in arguments.items():
            command.add_argument(name, type=type(default), default=default)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
