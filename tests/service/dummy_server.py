"""The service over the dummy engine as a process: `python -m tests.service.dummy_server`, settings from COLOCALIZE_*.

DUMMY_DELAY is the time of a run of the network in seconds; runs hang while the file DUMMY_HANG exists, and fail while
DUMMY_FAIL does. The model file, where one is set, is read as the dummy's SHA-256, so that reloading can be watched;
`corrupt` is refused. With DUMMY_CLOCK the wall clock jumps at every look at it, by hours and days, back and forth.
DUMMY_RETRY_PAUSE is the pause in seconds before a worker that cannot start is tried again.
"""

import itertools
import os
import threading
import time
from pathlib import Path

from colocalization.errors import ModelError
from colocalization.localizer import Localizer
from service.process import supervisor
from service.process.server import run
from service.settings import Settings
from tests.dummy_engine import DummyEngine


def load() -> Localizer:
    settings = Settings()
    if "DUMMY_CLOCK" in os.environ:
        jumps, real = itertools.cycle((0, 3600, -3600, 864_000, -864_000)), time.time
        time.time = lambda: real() + next(jumps)
    engine = DummyEngine(delay_s=float(os.environ.get("DUMMY_DELAY", "0")))
    engine.before_run = _hang_or_fail_where_told
    if settings.model is not None:
        try:
            engine.sha256 = settings.model.read_text()
        except OSError as error:
            raise ModelError(f"cannot read the model: {error.strerror}") from error
        if engine.sha256 == "corrupt":
            raise ModelError("the model is corrupt")
    return Localizer(engine, settings.image_limits())


def _hang_or_fail_where_told(_: int) -> None:
    if _exists("DUMMY_HANG"):
        threading.Event().wait()
    if _exists("DUMMY_FAIL"):
        raise RuntimeError("out of memory")


def _exists(variable: str) -> bool:
    return variable in os.environ and Path(os.environ[variable]).exists()


if __name__ == "__main__":
    from tests.service.dummy_server import load as importable_load

    if "DUMMY_RETRY_PAUSE" in os.environ:
        supervisor._RETRY_PAUSE = float(os.environ["DUMMY_RETRY_PAUSE"])
    run(Settings(), importable_load)
