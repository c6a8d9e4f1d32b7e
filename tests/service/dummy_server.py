"""The service over the dummy engine as a process: `python -m tests.service.dummy_server`, settings from COLOCALIZE_*.

DUMMY_DELAY is the time of a run of the network in seconds. The model file, where one is set, is read as the dummy's
SHA-256, so that reloading can be watched; `corrupt` is refused.
"""

import os

from colocalization.errors import ModelError
from colocalization.localizer import Localizer
from service.server import run
from service.settings import Settings
from tests.dummy_engine import DummyEngine


def load() -> Localizer:
    settings = Settings()
    engine = DummyEngine(delay_s=float(os.environ.get("DUMMY_DELAY", "0")))
    if settings.model is not None:
        try:
            engine.sha256 = settings.model.read_text()
        except OSError as error:
            raise ModelError(f"cannot read the model: {error.strerror}") from error
        if engine.sha256 == "corrupt":
            raise ModelError("the model is corrupt")
        if engine.sha256 == "hangs":
            engine.before_run = _hang_after(2)  # the warm-up's two runs
    return Localizer(engine, settings.image_limits())


def _hang_after(runs: int):
    import threading

    left = [runs]

    def before(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            threading.Event().wait()

    return before


if __name__ == "__main__":
    from tests.service.dummy_server import load as importable_load

    run(Settings(), importable_load)
