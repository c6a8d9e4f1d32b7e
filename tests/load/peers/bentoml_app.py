"""The localizer behind BentoML, as its documentation recommends: adaptive batching, one image a request."""

from pathlib import Path

import bentoml

from tests.load.peers.pipeline import BATCH, WORKERS, load, localize


@bentoml.service(workers=WORKERS, traffic={"timeout": 60})
class Peer:
    """One image in, its boxes out."""

    def __init__(self) -> None:
        self.localizer = load()

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=60_000)
    def colocalize(self, images: list[Path]) -> list[dict[str, object]]:
        """Boxes of a batch."""
        return localize(self.localizer, [path.read_bytes() for path in images])
