"""Two ways to put a service under load."""

import asyncio
import random
import time
from collections.abc import Sequence

from tests.load.client import Client, Outcome, summary

__all__ = ["closed_loop", "open_loop"]


async def closed_loop(
    client: Client, requests: Sequence[bytes], images: int, connections: int, seconds: float
) -> dict[str, object]:
    """Some clients that each send the next request when the last is answered: the highest throughput.

    The first tenth of the time is thrown away.

    Args:
        client: Where to send.
        requests: Encoded requests, sent in turn.
        images: Images in each.
        connections: Number of clients.
        seconds: How long.
    """
    outcomes: list[tuple[float, Outcome]] = []
    begin = time.monotonic()
    end = begin + seconds

    async def one(offset: int) -> None:
        turn = offset
        while time.monotonic() < end:
            outcome = await client.send(requests[turn % len(requests)], images)
            outcomes.append((time.monotonic(), outcome))
            turn += connections

    await asyncio.gather(*(one(index) for index in range(connections)))
    settled = begin + seconds / 10
    counted = [outcome for at, outcome in outcomes if settled <= at <= end]
    return {"connections": connections, **summary(counted, end - settled)}


async def open_loop(
    client: Client, requests: Sequence[bytes], images: int, rate: float, seconds: float, seed: int = 0
) -> tuple[dict[str, object], list[Outcome]]:
    """Requests that come whether or not the earlier ones are answered, as those of strangers do (Poisson arrivals).

    Latency counts from when a request was due, so that a generator or a server that falls behind cannot hide it.

    Args:
        client: Where to send.
        requests: Encoded requests, sent in turn.
        images: Images in each.
        rate: Requests per second.
        seconds: How long requests are sent; their answers are waited for.
        seed: Of the arrival times.

    Returns:
        The summary and the outcomes. Goodput is over the time from the first request to the last good answer.
    """
    chance = random.Random(seed)  # noqa: S311 -- arrival times
    begin = time.monotonic()
    due = begin
    finished = begin
    outcomes: list[Outcome] = []
    tasks: set[asyncio.Task[None]] = set()

    async def one(request: bytes, at: float) -> None:
        nonlocal finished
        outcome = await client.send(request, images, at)
        outcomes.append(outcome)
        if outcome.status == 200:
            finished = time.monotonic()

    turn = 0
    while (due := due + chance.expovariate(rate)) < begin + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(one(requests[turn % len(requests)], due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        turn += 1
    await asyncio.gather(*tasks)
    return {
        "offered_images_per_s": round(rate * images, 3),
        **summary(outcomes, max(finished - begin, seconds)),
    }, outcomes
