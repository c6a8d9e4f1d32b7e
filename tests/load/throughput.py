"""The whole service against the bare network, and the service under more load than it can take.

    python -m tests.load.throughput --seconds 60

Writes docs/records/service-throughput.json: images per second of the bare ONNX Runtime session and of the service
for requests of 1 and of 16 images, interleaved; then an open loop at 0.5, 0.8, 1, 2 and 5 times the capacity. The
bare session runs twice: in all threads, one run after the other, and as the service runs it, in lanes side by side.
"""

import argparse
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from colocalization.localizer import Localizer
from service.settings import Settings
from tests.load.client import Client, encode_request, photographs
from tests.load.generators import closed_loop, open_loop
from tests.load.records import write_record
from tests.load.servers import Server, colocalize_server, serving

_SIZES = (1, 16)
_FACTORS = (0.5, 0.8, 1.0, 2.0, 5.0)


def bare(localizer: Localizer, batch: int, lanes: int, seconds: float) -> float:
    """Images per second of the network alone, in so many threads that each wait for its answer."""
    side = localizer.engine.metadata.input_size
    images = np.random.default_rng(0).standard_normal((batch, 3, side, side), dtype=np.float32)
    begin = time.monotonic()

    def lane() -> int:
        runs = 0
        while time.monotonic() - begin < seconds:
            localizer.engine.run(images)
            runs += 1
        return runs

    with ThreadPoolExecutor(lanes) as pool:
        runs = sum(future.result() for future in [pool.submit(lane) for _ in range(lanes)])
    return runs * batch / (time.monotonic() - begin)


def requests_of(size: int) -> list[bytes]:
    """Encoded requests of so many images each."""
    images = photographs()
    return [
        encode_request("/colocalize", [images[(start + i) % len(images)] for i in range(size)], mode="attention")
        for start in range(len(images))
    ]


async def _closed(server: Server, size: int, seconds: float) -> dict[str, object]:
    client = Client("127.0.0.1", server.port)
    connections = 16 if size == 1 else 3
    try:
        return await closed_loop(client, requests_of(size), size, connections, seconds)
    finally:
        client.close()


async def _open(server: Server, capacity: float, factor: float, seconds: float) -> dict[str, object]:
    client = Client("127.0.0.1", server.port)
    try:
        told, _ = await open_loop(client, requests_of(1), 1, factor * capacity, seconds)
        return {"factor": factor, **told}
    finally:
        client.close()


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of bare and service, interleaved")
    options = parser.parse_args()
    settings = Settings()
    alone = Localizer.load(threads=settings.threads_alone())
    several = Localizer.load(threads=settings.network_threads())
    batch = settings.batch_size(several.engine.provider)
    lanes = settings.lane_count(several.engine.provider)
    bare_rates: dict[str, list[float]] = {"one session": [], "lanes": []}
    closed: dict[int, list[dict[str, object]]] = {size: [] for size in _SIZES}
    each = options.seconds / options.rounds
    with serving(*colocalize_server()) as server:
        for _ in range(options.rounds):
            bare_rates["one session"].append(bare(alone, batch, 1, each / 2))
            bare_rates["lanes"].append(bare(several, batch, lanes, each / 2))
            for size in _SIZES:
                closed[size].append(asyncio.run(_closed(server, size, each)))
        rates = {size: [float(str(one["goodput_images_per_s"])) for one in closed[size]] for size in _SIZES}
        capacity = float(np.median(rates[1]))
        steps = [asyncio.run(_open(server, capacity, factor, options.seconds)) for factor in _FACTORS]
    results = {
        "bare_images_per_s": bare_rates,
        "service": {str(size): closed[size] for size in _SIZES},
        "share_of_bare": {
            name: {str(size): [round(a / b, 3) for a, b in zip(rates[size], told, strict=True)] for size in _SIZES}
            for name, told in bare_rates.items()
        },
        "capacity_images_per_s": capacity,
        "open_loop": steps,
    }
    told = {
        "seconds": options.seconds, "rounds": options.rounds, "batch": batch, "lanes": lanes,
        "threads": settings.network_threads(), "threads_alone": settings.threads_alone(),
    }  # fmt: skip
    print(write_record("service-throughput", {**told, "image": "JPEG 640 x 480"}, results))  # noqa: T201


if __name__ == "__main__":
    main()
