"""The model in use, and its replacement while the service runs."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import numpy as np

from colocalization.errors import ColocalizeError, ModelError
from colocalization.images import DecodedImage
from colocalization.lanes import LaneEngine, Lanes
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage
from service.settings import Settings

__all__ = ["ModelSlot", "in_daemon", "warm_up"]

_T = TypeVar("_T")

_logger = logging.getLogger(__name__)


def in_daemon(call: Callable[[], _T], name: str) -> "Future[_T]":
    """Call a function in a thread that the process does not wait for when it leaves, as it does for a pool's.

    A network that hangs must not keep the process from leaving.

    Args:
        call: The function.
        name: The thread's name.
    """
    result: Future[_T] = Future()

    def work() -> None:
        if not result.set_running_or_notify_cancel():
            return
        try:
            result.set_result(call())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=work, name=name, daemon=True).start()
    return result


def _loaded(load: Callable[[], Localizer]) -> Localizer:
    """Load the model; what goes wrong and nobody has named, such as a lack of memory, is the model's error."""
    try:
        return load()
    except (ColocalizeError, OSError):
        raise
    except Exception as error:
        reason = str(error).splitlines()[:1] or ["no reason given"]
        raise ModelError(f"the model cannot be loaded: {type(error).__name__}: {reason[0]}") from error


def warm_up(localizer: Localizer, max_batch: int, lanes: int) -> None:
    """Run everything once, so that no request pays for first-time work, and a model that cannot run is found out.

    Args:
        localizer: The model.
        max_batch: Largest batch that the network will be given.
        lanes: Runs of the network side by side.
    """
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[16:48, 16:48] = 255
    # Not through `prepare`: its limits are set by the user, and may be too small for any image we could send.
    prepared = PreparedImage(DecodedImage(pixels, 64, 64), localizer.engine.metadata.transform()(pixels))
    for size in sorted({1, max_batch}):
        features = _run_side_by_side(localizer, [prepared] * size, lanes)
    common = localizer.fit_features([prepared.image] * 2, [features[0], features[-1]]).common
    for looked_for in (None, common):
        localizer.finish(prepared, features[0], looked_for)


def _run_side_by_side(localizer: Localizer, batch: list[PreparedImage], lanes: int) -> list[ImageFeatures]:
    # Several times: which runs meet is chance, and the network should take its memory now, not under load.
    runs = 3 * lanes - 2

    def run_share(lane: int) -> list[list[ImageFeatures]]:
        return [localizer.run(batch) for _ in range(lane, runs, lanes)]

    shares = [in_daemon(partial(run_share, lane), f"first-run-{lane}") for lane in range(lanes)]
    features, *_ = [features for share in shares for features in share.result()]
    return features


class ModelSlot:
    """Holds the localizer that new requests get.

    Attributes:
        current: The localizer in use.
        max_batch: Largest batch that the network will be given.
        lanes: What bounds its runs.
        warm: Whether it has run once.
    """

    def __init__(self, load: Callable[[], Localizer], settings: Settings) -> None:
        """Load the model.

        Args:
            load: Gives a new localizer; called again for each reload.
            settings: Say how many lanes there are and how large a batch may be.

        Raises:
            ColocalizeError: The model or its execution provider cannot be used.
        """
        self._load = load
        self._reloading = threading.Lock()
        first = _loaded(load)
        self.max_batch = settings.batch_size(first.engine.provider)
        self.lanes = Lanes(settings.lane_count(first.engine.provider))
        self.current = self._in_lanes(first)
        self.warm = False

    def warm_up(self) -> None:
        """Run the model once; blocks."""
        warm_up(self.current, self.max_batch, self.lanes.count)
        self.warm = True

    def reload(self) -> Localizer:
        """Load the model again, run it once, and only then put it in place of the old one; blocks.

        Requests that are under way finish with the old one.

        Returns:
            The one that was replaced; with several reloads in a row, that of the reload before.

        Raises:
            Exception: Whatever loading or the first run raises; the old model stays.
        """
        with self._reloading:
            fresh = self._in_lanes(_loaded(self._load))
            warm_up(fresh, self.max_batch, self.lanes.count)
            old, self.current = self.current, fresh
        _logger.info("model reloaded", extra={"sha256": fresh.engine.sha256, "provider": fresh.engine.provider})
        return old

    def _in_lanes(self, localizer: Localizer) -> Localizer:
        """An old model and its successor share the lanes, as they share the device."""
        return localizer.with_engine(LaneEngine(localizer.engine, self.lanes))
