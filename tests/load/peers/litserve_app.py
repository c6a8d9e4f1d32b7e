"""The localizer behind LitServe, as its documentation recommends: a LitAPI with batching, one image a request."""

import os

import litserve
from fastapi import Request

from tests.load.peers.pipeline import BATCH, WORKERS, load, localize


class PeerAPI(litserve.LitAPI):
    """One image in, its boxes out."""

    def setup(self, device: str) -> None:
        """Load the model in the worker."""
        self.localizer = load()

    def decode_request(self, request: Request) -> bytes:
        """The encoded image, out of the form that LitServe has made of the request."""
        return request["images"].file.read()

    def predict(self, images: list[bytes]) -> list[dict[str, object]]:
        """Boxes of a batch."""
        return localize(self.localizer, images)

    def encode_response(self, output: dict[str, object]) -> dict[str, object]:
        """The boxes of one image."""
        return output


if __name__ == "__main__":
    api = PeerAPI(max_batch_size=BATCH, batch_timeout=0.005)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS).run(
        host="127.0.0.1", port=int(os.environ["PEER_PORT"]), generate_client_file=False, log_level="warning"
    )
