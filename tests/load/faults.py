"""What is lost when something breaks under load, and how long until all is well again.

    python -m tests.load.faults

Writes docs/records/service-faults.json. Four clients send single images one after the other, each on a connection of
its own, while the fault happens. A request is `lost` where it was sent after the fault, or to a process that was not
killed, and got no answer; what the killed process was working on is counted by itself. `refused` are answers 429, where
strangers have filled the queue.
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from colocalization.localizer import DEFAULT_MODEL
from tests.load.client import Client, Outcome, encode_request, photographs
from tests.load.records import ROOT, write_record
from tests.load.servers import Server, colocalize_server, serving

_BEFORE, _CLIENTS, _STRANGERS = 2.0, 4, 100

Told = dict[str, object]


@dataclass
class Load:
    """Clients that send until they are told to stop.

    Attributes:
        outcomes: When each request was sent, and what became of it.
    """

    port: int
    outcomes: list[tuple[float, Outcome]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    async def __aenter__(self) -> "Load":
        requests = [encode_request("/colocalize", [one], mode="attention") for one in photographs()]
        self._tasks = [asyncio.create_task(self._send(requests[index:])) for index in range(_CLIENTS)]
        await asyncio.sleep(_BEFORE)
        return self

    async def _send(self, requests: list[bytes]) -> None:
        turn = 0
        while not self._stopping:
            client, sent = Client("127.0.0.1", self.port), time.monotonic()
            outcome = await client.send(requests[turn % len(requests)], 1)
            client.close()  # the next request goes to whichever worker takes it
            self.outcomes.append((sent, outcome))
            turn += 1
            if outcome.status in (0, 503):
                await asyncio.sleep(0.05)

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    def told(self, fault: float, *, killed: bool = False) -> Told:
        """Counts: answered, refused, lost, and where a process was killed what it held and what was not accepted."""
        refused = sum(outcome.status == 429 for _, outcome in self.outcomes)
        bad = [(sent, outcome) for sent, outcome in self.outcomes if outcome.status not in (200, 429)]
        held = [one for one in bad if killed and one[0] <= fault and one[1].status == 0]
        # Not accepted: there was no one to connect to, or the new process said that it is not ready (503).
        away = [one for one in bad if killed and (one[1].error == "ConnectionRefusedError" or one[1].status == 503)]
        counts: Told = {
            "answered": len(self.outcomes) - len(bad) - refused, "refused": refused,
            "lost": len(bad) - len(held) - len(away),
        }  # fmt: skip
        return counts | ({"held_by_the_killed": len(held), "not_accepted": len(away)} if killed else {})


async def _until(true: Callable[[], bool], timeout: float = 60.0) -> float:
    """Wait, and tell how long."""
    begin = time.monotonic()
    while not await asyncio.to_thread(true):
        if time.monotonic() - begin > timeout:
            raise TimeoutError(f"still not well after {timeout:g} s")
        await asyncio.sleep(0.02)
    return round(time.monotonic() - begin, 2)


def _metric(server: Server, name: str) -> float:
    lines = httpx.get(f"http://127.0.0.1:{server.port}/metrics", timeout=10).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def _ready(server: Server) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{server.port}/readyz", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def _workers(server: Server) -> list[int]:
    commands = {pid: Path(f"/proc/{pid}/cmdline") for pid in server.processes()}
    return sorted(pid for pid, file in commands.items() if file.exists() and b"spawn_main" in file.read_bytes())


def _all_ready(server: Server, old: list[int]) -> bool:
    return len(set(_workers(server)) - set(old)) == 1 and _metric(server, "colocalize_ready_workers") == 2


async def killed_worker() -> Told:
    """One of two workers is killed: the other answers, and a new one takes its place."""
    with serving(*colocalize_server(workers=2)) as server:
        await _until(lambda: _metric(server, "colocalize_ready_workers") == 2)
        async with Load(server.port) as load:
            old, fault = _workers(server), time.monotonic()
            os.kill(old[0], signal.SIGKILL)
            seconds = await _until(lambda: _all_ready(server, old))
            await asyncio.sleep(_BEFORE)
        return {**load.told(fault, killed=True), "seconds_to_ready": seconds}


async def killed_process() -> Told:
    """The only process is killed and started again by what watches it."""
    command, variables, probe = colocalize_server()
    with serving(["sh", "-c", 'while :; do "$@"; done', "sh", *command], variables, probe) as server:
        async with Load(server.port) as load:
            child, fault = server.processes()[1], time.monotonic()
            os.kill(child, signal.SIGKILL)
            seconds = await _until(lambda: _ready(server))
            await asyncio.sleep(_BEFORE)
        return {**load.told(fault, killed=True), "seconds_to_ready": seconds}


async def _with_strangers(settings: dict[str, object], behave: Callable[[int], Awaitable[None]]) -> Told:
    """Strangers who behave badly, beside clients who do not."""
    with serving(*colocalize_server(**settings)) as server:
        async with Load(server.port) as load:
            files, fault = server.open_files(), time.monotonic()
            await asyncio.gather(*(behave(server.port) for _ in range(_STRANGERS)), return_exceptions=True)
            took = round(time.monotonic() - fault, 2)
        left = await _until(
            lambda: _metric(server, "colocalize_buffered_bytes") + _metric(server, "colocalize_pending_images ") == 0
        )
        closed = await _until(lambda: server.open_files() <= files)
        return {
            **load.told(fault), "strangers": _STRANGERS, "seconds_of_it": took,
            "seconds_to_nothing_left": round(left + closed, 2),
        }  # fmt: skip


async def vanishing_in_the_upload() -> Told:
    """Clients that send half of their image and close."""
    request = encode_request("/colocalize", photographs()[:1])

    async def behave(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request[: len(request) // 2])
        await writer.drain()
        writer.close()

    return await _with_strangers({}, behave)


async def vanishing_before_the_answer() -> Told:
    """Clients that send all and close."""
    request = encode_request("/colocalize", photographs()[:1])

    async def behave(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    return await _with_strangers({}, behave)


async def slow_headers() -> Told:
    """Clients that send a header byte by byte ("slow loris"), until they are cut."""

    async def behave(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            try:
                async with asyncio.timeout(0.5):
                    if not await reader.read(1):
                        return
            except TimeoutError:
                continue

    return await _with_strangers({"header_timeout": 5}, behave)


async def answers_not_read() -> Told:
    """Clients that never read their answer, until they are cut."""
    request = encode_request("/colocalize", photographs(width=1024, height=768)[:4], heatmap="array", mode="attention")

    async def behave(port: int) -> None:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.sock_sendall(line, request)
        await asyncio.sleep(30)
        line.close()

    return await _with_strangers({"send_timeout": 5}, behave)


async def deleted_model() -> Told:
    """The model file is deleted, and the service is told to load it again."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        shutil.copy(ROOT / "colocalization" / "models" / DEFAULT_MODEL, model)
        with serving(*colocalize_server(model=model, reload=True)) as server:
            async with Load(server.port) as load:
                model.unlink()
                fault = time.monotonic()
                server.process.send_signal(signal.SIGHUP)
                seconds = await _until(lambda: _metric(server, 'colocalize_model_reloads_total{result="refused"}') == 1)
                ready = _ready(server)
                await asyncio.sleep(_BEFORE)
            return {**load.told(fault), "seconds_to_refused": seconds, "ready_after": ready}


_FAULTS = (
    killed_worker, killed_process, vanishing_in_the_upload, vanishing_before_the_answer, slow_headers, answers_not_read,
    deleted_model,
)  # fmt: skip


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[one.__name__ for one in _FAULTS], help="print one and write no record")
    only = parser.parse_args().only
    results: dict[str, Told] = {}
    for fault in _FAULTS:
        if only in (None, fault.__name__):
            results[fault.__name__] = {"what": (fault.__doc__ or "").strip(), **asyncio.run(fault())}
            print(results[fault.__name__], file=sys.stderr)  # noqa: T201
    if only is None:
        print(write_record("service-faults", {"clients": _CLIENTS, "strangers": _STRANGERS}, results))  # noqa: T201


if __name__ == "__main__":
    main()
