"""What all servers compute: the same model, the same preprocessing, the same boxes, in attention mode."""

import os
from collections.abc import Sequence

from colocalization.localizer import Localizer

__all__ = ["BATCH", "THREADS", "WORKERS", "load", "localize"]

WORKERS = int(os.environ.get("PEER_WORKERS", "1"))
THREADS = int(os.environ.get("PEER_THREADS", "0"))
BATCH = int(os.environ.get("PEER_BATCH", "2"))
_MODEL = os.environ.get("PEER_MODEL")


def load() -> Localizer:
    """The localizer with the model file that is compared on, or the one in the box."""
    return Localizer.load(_MODEL, device="cpu", threads=THREADS)


def localize(localizer: Localizer, images: Sequence[bytes]) -> list[dict[str, object]]:
    """Boxes of each image, from its encoded bytes."""
    prepared = [localizer.prepare(image) for image in images]
    results = [localizer.finish(p, f, None) for p, f in zip(prepared, localizer.run(prepared), strict=True)]
    return [
        {"width": r.width, "height": r.height, "boxes": [[b.x0, b.y0, b.x1, b.y1, b.score] for b in r.boxes]}
        for r in results
    ]
