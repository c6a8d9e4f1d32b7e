"""The service against LitServe and BentoML: same model file, images, pre- and postprocessing.

    python -m venv .venv-peers && .venv-peers/bin/pip install '.[cpu]' bentoml litserve
    python -m tests.load.compare --peers-python .venv-peers/bin/python --seconds 60

Writes docs/records/service-comparison.json: throughput of each in a closed loop, in interleaved rounds, then latency of
each in an open loop at 0.7 times the throughput of the slowest. One server runs at a time. Each peer is measured as it
comes, one worker with all threads, and with a worker for each core, a thread each. The bare network, in lanes as the
service runs it, says what a server that costs nothing would reach.

With `--model FILE`, all of them serve that file, and the record is service-comparison-PRECISION.json.
"""

import argparse
import asyncio
from pathlib import Path

import numpy as np

from colocalization.localizer import Localizer
from service.settings import CPU_PROVIDER, Settings
from tests.load.client import Client, encode_request, photographs
from tests.load.generators import closed_loop, open_loop
from tests.load.records import write_record
from tests.load.servers import bentoml_server, colocalize_server, litserve_server, serving
from tests.load.throughput import bare

_PATHS = {"colocalize": "/colocalize?mode=attention", "litserve": "/predict", "bentoml": "/colocalize"}


async def _closed(port: int, requests: list[bytes], seconds: float) -> dict[str, object]:
    client = Client("127.0.0.1", port)
    try:
        return await closed_loop(client, requests, 1, 16, seconds)
    finally:
        client.close()


async def _open(port: int, requests: list[bytes], rate: float, seconds: float) -> dict[str, object]:
    client = Client("127.0.0.1", port)
    try:
        return (await open_loop(client, requests, 1, rate, seconds))[0]
    finally:
        client.close()


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", required=True, help="Python of the environment with LitServe and BentoML")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds of the closed loop")
    parser.add_argument("--peers-batch", type=int, default=2, help="largest batch of the peers")
    parser.add_argument("--model", type=Path, help="model file for all of them; the one in the box if left out")
    options = parser.parse_args()
    settings = Settings()
    model: Path | None = options.model and options.model.resolve()
    chosen = {} if model is None else {"model": model}
    cores, batch, python = settings.threads_alone(), options.peers_batch, options.peers_python
    commands = {
        "colocalize": colocalize_server(device="cpu", **chosen),
        "litserve": litserve_server(python, 1, cores, batch, model),
        "bentoml": bentoml_server(python, 1, cores, batch, model),
        f"litserve, {cores} workers": litserve_server(python, cores, 1, batch, model),
        f"bentoml, {cores} workers": bentoml_server(python, cores, 1, batch, model),
    }
    images = photographs()
    requests = {name: [encode_request(_PATHS[name.split(",")[0]], [one]) for one in images] for name in commands}
    closed: dict[str, list[dict[str, object]]] = {name: [] for name in commands}
    memory: dict[str, float] = {}
    network = Localizer.load(model, device="cpu", threads=settings.network_threads())
    bare_rates: list[float] = []
    for _ in range(options.rounds):
        bare_rates.append(bare(network, 1, settings.lane_count(CPU_PROVIDER), options.seconds / 2))
        for name, command in commands.items():
            with serving(*command) as server:
                closed[name].append(asyncio.run(_closed(server.port, requests[name], options.seconds)))
                memory[name] = round(server.resident_mib(), 1)
    rates = {
        name: float(np.median([float(str(one["goodput_images_per_s"])) for one in told]))
        for name, told in closed.items()
    }
    rate = 0.7 * min(rates.values())
    opened: dict[str, dict[str, object]] = {}
    for name, command in commands.items():
        with serving(*command) as server:
            asyncio.run(_closed(server.port, requests[name], 2.0))  # first requests are slow everywhere
            opened[name] = asyncio.run(_open(server.port, requests[name], rate, options.seconds))
    results = {
        "bare_images_per_s": bare_rates, "closed_loop": closed, "images_per_s": rates, "open_loop_rate": rate,
        "open_loop": opened, "mib": memory,
    }  # fmt: skip
    precision = network.engine.metadata.precision
    told = {
        "seconds": options.seconds, "rounds": options.rounds, "threads": cores, "batch": batch, "precision": precision,
    }  # fmt: skip
    kind = "service-comparison" if model is None else f"service-comparison-{precision}"
    print(write_record(kind, told, results))  # noqa: T201


if __name__ == "__main__":
    main()
