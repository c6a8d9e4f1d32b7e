"""A job's end, its deadline or its client's leaving, whichever comes first."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from service.http.problems import Problem
from service.inference.job import Job
from service.inference.scheduler import Scheduler

__all__ = ["run_job"]


async def run_job(job: Job, scheduler: Scheduler, receive: Receive, timeout: float) -> None:
    """Have a job done; what is left of it when its client or its time has gone is dropped.

    Args:
        job: The job.
        scheduler: Does it.
        receive: ASGI's `receive` of the request, after its body.
        timeout: Seconds in which all images must be answered.

    Raises:
        Problem: They were not (`deadline_exceeded`).
        ClientDisconnect: The client went away.
        Overloaded: There is no room for the job now.
        Stopped: The scheduler is closed.
        InferenceFailed: The network raised on the job's images.
    """
    scheduler.submit(job)
    done = asyncio.wrap_future(job.done)
    gone = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait({done, gone}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if done.done():
            done.result()
        elif gone.done():
            raise ClientDisconnect
        else:
            raise Problem(
                "deadline_exceeded",
                f"The answer was not ready within {timeout:g} seconds.",
                {"limit": {"name": "request_timeout", "value": timeout}},
            )
    finally:
        gone.cancel()
        scheduler.cancel(job)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
