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

from colocalization.client import ProblemError, UnreachableError
from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from tests.load.records import write_record
from tests.service.process.test_objects import SETS, SHOWN
from tests.service.process.test_server import children, wait_for
from tests.service.processes import Running, running

_SHARED = ("shared-0", "shared-1")
_KINDS = {"fit": 4, "localize": 5, "object": 1, "delete": 1}
_NOT_FOUND, _UNANSWERED = "not found", "unanswered"


class Tally:
    """What became of the requests.

    Attributes:
        ends: Requests by kind and how they ended; "unanswered" where a killed worker gave none.
        wrong: What was answered wrongly.
        kept: Digest that must be there, by name, as was answered last; None where nothing must be.
        unsure: Names whose last write was cut off: either content is right.
    """

    def __init__(self, digests: list[str], found: list[object]) -> None:
        self.digests, self.found = digests, found
        self.ends: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.kept: dict[str, str | None] = {}
        self.unsure: set[str] = set()
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """How many requests have come to an end."""
        with self._lock:
            return self.ends.total()

    def count(self, kind: str, end: str) -> None:
        """One more has."""
        with self._lock:
            self.ends[f"{kind}: {end}"] += 1

    def check(self, kind: str, name: str, number: int, answer: object) -> None:
        """Judge an answer to a request for a name.

        Args:
            kind: What was asked.
            name: The name.
            number: The set that was fitted, where one was.
            answer: The digest, the results, None for what was removed, or "not found".
        """
        own = name not in _SHARED
        known = own and name not in self.unsure
        allowed = [self.kept.get(name)] if known else [*self.digests, None]
        if kind == "fit":
            right = answer == self.digests[number]
        elif answer == _NOT_FOUND:
            right = None in allowed
        elif kind == "delete":
            right = allowed != [None]
        elif kind == "object":
            right = answer in allowed
        else:
            right = answer in [self.found[self.digests.index(one)] for one in allowed if one is not None]
        if right and own and kind in ("fit", "delete"):
            self.kept[name] = self.digests[number] if kind == "fit" else None
            self.unsure.discard(name)
        if not right:
            self.wrong.append(f"{kind} {name}: {str(answer)[:200]}")


def ask(service: Running, kind: str, name: str, number: int) -> object:
    """Ask once, on a connection of its own, so that both workers are reached; gives what `Tally.check` judges.

    Raises:
        UnreachableError: There was no answer.
        ProblemError: The service refused, for another reason than that there is no such object.
    """
    with service.client() as client:
        try:
            if kind == "fit":
                return client.fit(name, SETS[number]).sha256
            if kind == "localize":
                return client.localize([SHOWN], object=name).images
            if kind == "object":
                return client.object(name).sha256
            client.delete_object(name)
        except ProblemError as problem:
            if problem.code != "object_not_found":
                raise
            return _NOT_FOUND
        return None


def work(service: Running, tally: Tally, seed: int, requests: int) -> None:
    """Send requests, one after the other."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(requests):
        name = chance.choice([f"own-{seed}", f"own-{seed}", *_SHARED])
        number = chance.randrange(len(SETS))
        kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        try:
            answer = ask(service, kind, name, number)
        except UnreachableError:
            tally.count(kind, _UNANSWERED)
            if kind in ("fit", "delete"):
                tally.unsure.add(name)  # whether it was done, nobody was told
            continue
        except ProblemError as problem:
            tally.wrong.append(f"{kind} {name}: {problem}")
            tally.count(kind, problem.code)
            continue
        tally.check(kind, name, number, answer)
        tally.count(kind, _NOT_FOUND if answer == _NOT_FOUND else "done")


def measure(requests: int, clients: int, kills: int, folder: Path) -> dict[str, object]:
    """Send the requests, kill workers at even distances, start again and look what is there."""
    with running(workers=2, objects_dir=folder, DUMMY_RETRY_PAUSE="0.1") as service:
        with service.client() as client:
            digests = [client.fit(f"set-{number}", images).sha256 for number, images in enumerate(SETS)]
            found = [client.localize([SHOWN], object=f"set-{number}").images for number in range(len(SETS))]
        tally = Tally(digests, list(found))
        shares = [requests // clients + (seed < requests % clients) for seed in range(clients)]
        threads = [
            threading.Thread(target=work, args=(service, tally, seed, share)) for seed, share in enumerate(shares)
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
            there = ask(service, "object", name, 0)
            if (None if there == _NOT_FOUND else there) != digest and name not in tally.unsure:
                lost.append(name)
    return {
        "requests": tally.requests,
        "ends": dict(sorted(tally.ends.items())),
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
