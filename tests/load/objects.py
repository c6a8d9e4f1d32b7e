"""Kept objects under mixed load, while workers are killed: is any answer wrong, any file half-written, any object lost?

    python -m tests.load.objects

Writes docs/records/service-objects.json. Clients put, look for, read and delete objects at two workers over the dummy
engine, and kill -9 hits a worker again and again meanwhile. Each client alone writes its own name, so that it knows
what must be there; all of them write the shared names, whose object must be one of the three sets'. After a restart,
whatever was answered last of a client's own name must be there. What a kill cut off may have either content. The record
counts `wrong` answers, `half_written` files and `lost` objects; the command ends with 1 if there are any.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import httpx

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from tests.load.records import write_record
from tests.service.process.test_objects import SETS, SHOWN, files
from tests.service.process.test_server import children, wait_for
from tests.service.processes import Running, running

_SHARED = ("shared-0", "shared-1")
_KINDS = {"PUT": 4, "POST": 5, "GET": 1, "DELETE": 1}


class Tally:
    """What became of the requests.

    Attributes:
        statuses: Answers by method and status; status 0 where a killed worker gave none.
        wrong: What was answered wrongly.
        kept: Digest that must be there, by name, as was answered last; None where nothing must be.
        unsure: Names whose last write was cut off: either content is right.
    """

    def __init__(self, digests: list[str], boxes: list[object]) -> None:
        self.digests, self.boxes = digests, boxes
        self.statuses: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.kept: dict[str, str | None] = {}
        self.unsure: set[str] = set()
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """How many requests have come to an end."""
        with self._lock:
            return self.statuses.total()

    def count(self, kind: str, status: int) -> None:
        """One more has."""
        with self._lock:
            self.statuses[f"{kind} {status}"] += 1

    def check(self, kind: str, name: str, number: int, answer: httpx.Response) -> None:
        """Judge an answer to a request for a name, with the set of this number where one was put."""
        own, status = name not in _SHARED, answer.status_code
        known = own and name not in self.unsure
        allowed = [self.kept.get(name)] if known else [*self.digests, None]
        if kind == "PUT":
            right = status in (200, 201) and answer.json()["sha256"] == self.digests[number]
            if right and own:
                self.kept[name] = self.digests[number]
                self.unsure.discard(name)
        elif kind == "DELETE":
            right = (status == 404 and None in allowed) or (status == 204 and allowed != [None])
            if right and own:
                self.kept[name] = None
                self.unsure.discard(name)
        elif status == 404:
            right = None in allowed
        elif kind == "GET":
            right = status == 200 and answer.json()["sha256"] in allowed
        else:
            boxes = [self.boxes[self.digests.index(one)] for one in allowed if one is not None]
            right = status == 200 and answer.json()["images"] in boxes
        if not right:
            self.wrong.append(f"{kind} {name}: {status} {answer.text[:200]}")


def client(service: Running, tally: Tally, seed: int, requests: int) -> None:
    """Send requests, each on a connection of its own, so that they reach both workers."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(requests):
        name = chance.choice([f"own-{seed}", f"own-{seed}", *_SHARED])
        number = chance.randrange(len(SETS))
        kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        try:
            if kind in ("PUT", "POST"):
                path = f"/objects/{name}" if kind == "PUT" else f"/colocalize?object={name}"
                images = SETS[number] if kind == "PUT" else (SHOWN,)
                answer = httpx.request(kind, service.url + path, files=files(*images), timeout=60)
            else:
                answer = httpx.request(kind, f"{service.url}/objects/{name}", timeout=60)
        except httpx.TransportError:
            tally.count(kind, 0)
            if kind in ("PUT", "DELETE"):
                tally.unsure.add(name)  # whether it was done, nobody was told
            continue
        tally.check(kind, name, number, answer)
        tally.count(kind, answer.status_code)


def measure(requests: int, clients: int, kills: int, folder: Path) -> dict[str, object]:
    """Send the requests, kill workers at even distances, start again and look what is there."""
    with running(workers=2, objects_dir=folder, DUMMY_RETRY_PAUSE="0.1") as service:
        digests, boxes = [], []
        for number, images in enumerate(SETS):
            put = httpx.put(f"{service.url}/objects/set-{number}", files=files(*images), timeout=60)
            digests.append(str(put.json()["sha256"]))
            answer = httpx.post(f"{service.url}/colocalize?object=set-{number}", files=files(SHOWN), timeout=60)
            boxes.append(answer.json()["images"])
        tally = Tally(digests, boxes)
        shares = [requests // clients + (seed < requests % clients) for seed in range(clients)]
        threads = [
            threading.Thread(target=client, args=(service, tally, seed, share)) for seed, share in enumerate(shares)
        ]
        for thread in threads:
            thread.start()
        killed = 0
        for turn in range(kills):
            due = requests * (turn + 1) // (kills + 1)
            wait_for(lambda due=due: tally.requests >= due, 300)
            started = children(service)  # in the order of their starts: the last one lives
            os.kill(started[-1], signal.SIGKILL)
            killed += 1
            wait_for(lambda known=started: len(children(service)) > len(known), 60)
        for thread in threads:
            thread.join()
        workers = {entry["pid"] for entry in service.log() if entry["message"] == "request"}
    half = []
    for path in folder.glob("*.npz"):
        try:
            whole = CommonObject.load(path).digest in digests
        except ObjectError:
            whole = False
        if not whole:
            half.append(path.name)
    lost = []
    with running(workers=2, objects_dir=folder) as service:
        for name, digest in {**tally.kept, **{f"set-{number}": one for number, one in enumerate(digests)}}.items():
            answer = service.get(f"/objects/{name}")
            found = answer.json()["sha256"] if answer.status_code == 200 else None
            if found != digest and name not in tally.unsure:
                lost.append(name)
    return {
        "requests": tally.requests,
        "statuses": dict(sorted(tally.statuses.items())),
        "killed": killed,
        "workers_that_answered": len(workers),
        "wrong": tally.wrong,
        "half_written": half,
        "lost": lost,
        "checked_after_restart": len(set(tally.kept) - tally.unsure) + len(digests),
        "cut_off_writes_unknown": len(tally.unsure),
    }


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--kills", type=int, default=8, help="workers killed with kill -9 meanwhile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="colocalize-") as folder:
        results = measure(options.requests, options.clients, options.kills, Path(folder, "objects"))
    print(write_record("service-objects", {**vars(options), "engine": "dummy", "workers": 2}, results))  # noqa: T201
    short = results["requests"] != options.requests  # a client ended by an exception
    if short or results["wrong"] or results["half_written"] or results["lost"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
