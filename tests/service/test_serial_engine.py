"""One run at a time."""

import threading
import time

import numpy as np

from service.serial_engine import SerialEngine
from tests.dummy_engine import METADATA, DummyEngine


def test_runs_do_not_overlap() -> None:
    running, most = 0, 0

    def before(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        running -= 1

    engine = SerialEngine(DummyEngine(before_run=before))
    threads = [threading.Thread(target=engine.run, args=(np.zeros((1, 3, 32, 32), np.float32),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_says_of_itself_what_the_engine_says() -> None:
    engine = SerialEngine(DummyEngine(provider_warning="none"))
    assert (engine.metadata, engine.sha256, engine.provider, engine.provider_warning) == (
        METADATA, "0" * 64, "CPUExecutionProvider", "none",
    )  # fmt: skip
