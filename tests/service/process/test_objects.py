"""Kept objects with several workers: what is answered is true for all of them, also after one was killed."""

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from colocalization.client import ProblemError, UnreachableError
from colocalization.common_object import CommonObject
from tests.service.conftest import encode
from tests.service.process.test_server import children, wait_for
from tests.service.processes import running


def square(x: int, y: int, side: int, value: int = 255) -> bytes:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[y : y + side, x : x + side] = value
    return encode(pixels, "PNG")


SETS = (
    (square(8, 8, 16), square(40, 8, 16), square(24, 32, 16)),
    (square(8, 8, 40, 90), square(16, 16, 32, 120), square(20, 4, 36, 100)),
    (square(0, 0, 8), square(56, 56, 8), square(24, 32, 8)),
)
SHOWN = square(20, 20, 24, 140)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "objects"


def test_mixed_requests_to_two_workers_never_get_a_wrong_object(folder: Path) -> None:
    """A name always has the object of one set, or of one of two, whoever puts, deletes and asks meanwhile."""
    names = {"only-0": (0,), "only-1": (1,), "either": (0, 2), "any": (0, 1, 2)}
    with running(workers=2, objects_dir=folder) as service:
        with service.client() as client:
            digests = [client.fit(f"set-{number}", images).sha256 for number, images in enumerate(SETS)]
            expected = [client.localize([SHOWN], object=f"set-{number}").images for number in range(len(SETS))]
        assert len({str(images) for images in expected}) == 3
        wrong: list[object] = []
        done: Counter[str] = Counter()

        def work(seed: int) -> None:
            chance = random.Random(seed)  # noqa: S311
            for _ in range(30):
                name, sets = chance.choice(list(names.items()))
                number = chance.choice(sets)
                kind = chance.choices(["fit", "localize", "object", "delete"], [3, 5, 2, 1])[0]
                with service.client() as client:  # a connection for each request, so that they reach both workers
                    try:
                        if kind == "fit":
                            right = client.fit(name, SETS[number]).sha256 == digests[number]
                        elif kind == "localize":
                            found = client.localize([SHOWN], object=name).images
                            right = found in [expected[one] for one in sets]
                        elif kind == "object":
                            right = client.object(name).sha256 in [digests[one] for one in sets]
                        else:
                            client.delete_object(name)
                            right = True
                        done[kind] += 1
                    except ProblemError as problem:
                        right = kind != "fit" and problem.code == "object_not_found"
                        done["missing"] += 1
                if not right:
                    wrong.append((kind, name, number))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert wrong == []
        assert done.total() == 240
        assert set(done) == {"fit", "localize", "object", "delete", "missing"}
        assert len({entry["pid"] for entry in service.log() if entry["message"] == "request"}) == 2
    assert not list(folder.glob(".*.tmp"))
    for path in folder.glob("*.npz"):
        assert CommonObject.load(path).digest in digests


def test_killed_workers_lose_no_object_that_was_answered(folder: Path) -> None:
    kept: dict[str, str] = {}
    stop = threading.Event()
    with running(workers=2, objects_dir=folder, DUMMY_RETRY_PAUSE="0.1") as service:

        def work(seed: int) -> None:
            for turn in itertools.count():
                if stop.is_set():
                    return
                name = f"n{seed}-{turn % 50}"
                with service.client() as client:
                    try:
                        kept[name] = client.fit(name, SETS[(seed + turn) % 3]).sha256
                    except UnreachableError:
                        kept.pop(name, None)  # which of the two it has now, nobody was told

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            time.sleep(0.4)
            with suppress(ProcessLookupError):
                os.kill(children(service)[-1], signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(60)
    assert len(kept) > 10
    with running(workers=2, objects_dir=folder) as service:
        wait_for(lambda: len(children(service)) == 2)
        with service.client() as client:
            listed = client.objects()
            assert set(kept) <= set(listed)
            for name in listed:  # what was not answered is whole, or not there
                found = client.object(name).sha256
                assert found == kept.get(name, found)
