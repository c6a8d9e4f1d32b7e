"""One image a request against a kept object, beside mode `attention`: images a second and latency, taking turns.

    python -m tests.load.kept

Writes docs/records/service-kept.json. Two services run, of effort `fast` and of effort `full`; the object is fitted in
each on the example photographs. With effort `fast` an image against the object takes one look, as one in mode
`attention` does; with `full` a second one where the prior does not confirm the first. Beside each way, the same steps
without a service: `Localizer.localize` in a thread for each core, which also counts the looks. Whatever the service's
own path to an object costs lies between them.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import CommonObject
from colocalization.cores import bound_libraries, usable_cores
from colocalization.engine import Engine, NetworkOutput
from colocalization.lanes import LaneEngine, Lanes
from colocalization.localizer import Localizer
from colocalization.results import Effort
from tests.load.client import Client, encode_request, photographs
from tests.load.generators import closed_loop
from tests.load.records import write_record
from tests.load.servers import Server, colocalize_server, serving

__all__ = ["WAYS", "Way", "compared"]

_NAME = "photographs"
_EFFORTS: tuple[Effort, ...] = ("fast", "full")


@dataclass(frozen=True, slots=True)
class Way:
    """What is asked for.

    Attributes:
        effort: Of the service that is asked.
        kept: Whether the object is looked for; else mode `attention`.
    """

    effort: Effort
    kept: bool


WAYS: Mapping[str, Way] = {
    "attention": Way("fast", False),
    "kept object, fast": Way("fast", True),
    "kept object, full": Way("full", True),
}


def compared(told: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, dict[str, Any]]:
    """Medians of each way, and its rates over those of mode `attention` in the same round.

    Args:
        told: By way, for `service` and `bare`, images a second of each round; for `p99_ms` its latency; for `looks`
            the runs of the network for an image.

    Returns:
        By way the medians, and the medians of the rounds' ratios with the lowest and the highest: `over_attention`,
        for the `service` and `bare`, and `service_over_bare`; `at_equal_looks` is that of the service's looks a second.
    """

    def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
        each = [one / other for one, other in zip(above, below, strict=True)]
        return [round(value, 3) for value in (statistics.median(each), min(each), max(each))]

    base = told["attention"]
    return {
        name: {
            **{kind: round(statistics.median(values), 2) for kind, values in one.items()},
            "at_equal_looks": ratios(_looks(one), _looks(base)),
            "over_attention": {kind: ratios(one[kind], base[kind]) for kind in ("service", "bare")},
            "service_over_bare": ratios(one["service"], one["bare"]),
        }
        for name, one in told.items()
    }


def _looks(told: Mapping[str, Sequence[float]]) -> list[float]:
    return [rate * looks for rate, looks in zip(told["service"], told["looks"], strict=True)]


class _Counting(LaneEngine):
    """An engine that counts the images that it runs over."""

    def __init__(self, engine: Engine, threads: int) -> None:
        super().__init__(engine, Lanes(threads))
        self._counts: list[int] = []  # appending is safe from several threads

    @property
    def images(self) -> int:
        return sum(self._counts)

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        self._counts.append(len(images))
        return super().run(images)


def _asked(server: Server, way: Way, connections: int, seconds: float) -> dict[str, Any]:
    path = f"/colocalize?object={_NAME}" if way.kept else "/colocalize?mode=attention"
    requests = [encode_request(path, [image]) for image in photographs()]

    async def load() -> dict[str, object]:
        client = Client("127.0.0.1", server.port)
        try:
            return await closed_loop(client, requests, 1, connections, seconds)
        finally:
            client.close()

    return asyncio.run(load())


def _bare(localizer: Localizer, common: CommonObject | None, threads: int, seconds: float) -> tuple[float, float]:
    """Images a second of the same steps in so many threads, without a service; and looks an image."""
    images = photographs()
    engine = _Counting(localizer.engine, threads)
    counted = localizer.with_engine(engine)
    begin = time.monotonic()

    def work(turn: int) -> int:
        done = 0
        while time.monotonic() - begin < seconds:
            image = images[(turn + done * threads) % len(images)]
            if common is None:
                counted.localize([image], mode="attention")
            else:
                counted.localize([image], common=common)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(work, range(threads)))
    return done / (time.monotonic() - begin), engine.images / done


def measure(rounds: int, seconds: float, connections: int) -> dict[str, Any]:
    """Ask in all ways by turns."""
    bound_libraries()
    cores = usable_cores()
    kinds = ("service", "p99_ms", "bare", "looks")
    told: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in kinds} for name in WAYS}
    errors = 0
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="colocalize-") as folder:
        servers: dict[str, Server] = {}
        localizers: dict[str, tuple[Localizer, CommonObject]] = {}
        for effort in _EFFORTS:
            start = colocalize_server(effort=effort, objects_dir=Path(folder, effort))
            servers[effort] = stack.enter_context(serving(*start))
            files = [("images", (f"{index}.jpg", image)) for index, image in enumerate(photographs())]
            put = httpx.put(f"http://127.0.0.1:{servers[effort].port}/objects/{_NAME}", files=files, timeout=300)
            put.raise_for_status()
            localizers[effort] = (
                Localizer.load(effort=effort, threads=1, device="cpu"),
                CommonObject.load(Path(folder, effort, f"{_NAME}.npz")),
            )
        for turn in range(rounds):
            for name in list(WAYS)[:: -1 if turn % 2 else 1]:
                way = WAYS[name]
                answered = _asked(servers[way.effort], way, connections, seconds)
                localizer, common = localizers[way.effort]
                rate, looks = _bare(localizer, common if way.kept else None, cores, seconds)
                told[name]["bare"].append(rate)
                told[name]["looks"].append(looks)
                told[name]["service"].append(float(answered["goodput_images_per_s"]))
                told[name]["p99_ms"].append(float(answered["latency_ms"].get("p99", "nan")))
                errors += int(answered["other_errors"])
    return {"ways": compared(told), "rounds": told, "errors": errors}


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="in which all ways take turns")
    parser.add_argument("--connections", type=int, default=4, help="clients, each with one request at a time")
    options = parser.parse_args()
    results = measure(options.rounds, options.seconds, options.connections)
    print(write_record("service-kept", {**vars(options), "image": "JPEG 640 x 480"}, results))  # noqa: T201


if __name__ == "__main__":
    main()
