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

import httpx
import numpy as np
import pytest

from colocalization.common_object import CommonObject
from tests.service.conftest import encode
from tests.service.process.test_server import children, wait_for
from tests.service.processes import running


def square(x: int, y: int, side: int, value: int = 255) -> bytes:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[y : y + side, x : x + side] = value
    return encode(pixels, "PNG")


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (f"{index}.png", content)) for index, content in enumerate(contents)]


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
        expected, digests = [], []
        for number, images in enumerate(SETS):
            put = httpx.put(f"{service.url}/objects/set-{number}", files=files(*images), timeout=30)
            digests.append(put.json()["sha256"])
            answer = httpx.post(f"{service.url}/colocalize?object=set-{number}", files=files(SHOWN), timeout=30)
            expected.append(answer.json()["images"])
        assert len({str(images) for images in expected}) == 3
        wrong: list[object] = []
        statuses: Counter[tuple[str, int]] = Counter()

        def work(seed: int) -> None:
            chance = random.Random(seed)  # noqa: S311
            with httpx.Client(base_url=service.url, timeout=60, headers={"connection": "close"}) as client:
                for _ in range(30):
                    name, sets = chance.choice(list(names.items()))
                    number = chance.choice(sets)
                    kind = chance.choices(["PUT", "POST", "GET", "DELETE"], [3, 5, 2, 1])[0]
                    if kind == "PUT":
                        answer = client.put(f"/objects/{name}", files=files(*SETS[number]))
                        right = answer.status_code in (200, 201) and answer.json()["sha256"] == digests[number]
                    elif kind == "POST":
                        answer = client.post(f"/colocalize?object={name}", files=files(SHOWN))
                        right = answer.status_code == 404 or answer.json()["images"] in [expected[one] for one in sets]
                    elif kind == "GET":
                        answer = client.get(f"/objects/{name}")
                        right = answer.status_code == 404 or answer.json()["sha256"] in [digests[one] for one in sets]
                    else:
                        answer = client.delete(f"/objects/{name}")
                        right = answer.status_code in (204, 404)
                    statuses[kind, answer.status_code] += 1
                    if not right:
                        wrong.append((kind, name, answer.status_code, answer.text[:300]))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert wrong == []
        assert statuses.total() == 240
        assert {kind for kind, status in statuses if status < 300} == {"PUT", "POST", "GET", "DELETE"}
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
                try:
                    images = files(*SETS[(seed + turn) % 3])
                    answer = httpx.put(f"{service.url}/objects/{name}", files=images, timeout=30)
                except httpx.TransportError:
                    kept.pop(name, None)  # which of the two it has now, nobody was told
                    continue
                if answer.status_code < 300:
                    kept[name] = answer.json()["sha256"]

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
        listed = service.get("/objects").json()["objects"]
        assert set(kept) <= set(listed)
        for name, digest in kept.items():
            assert service.get(f"/objects/{name}").json()["sha256"] == digest
        for name in set(listed) - set(kept):  # what was not answered is whole, or not there
            assert service.get(f"/objects/{name}").status_code == 200
