"""`AsyncClient` does what `Client` does, several sets at one time."""

import asyncio
from pathlib import Path

import httpx
import pytest

from colocalization.client import AsyncClient, BusyError, Client, ProblemError, Retries, UnreachableError
from tests.colocalization.client.conftest import draw
from tests.colocalization.client.test_sync_client import KEY, answered, busy
from tests.service.processes import Running


def test_it_has_the_methods_of_the_other() -> None:
    public = [{name for name in vars(kind) if not name.startswith("_")} for kind in (Client, AsyncClient)]
    assert public[0] == public[1] > {"localize", "localize_folder", "fit"}


def test_the_same_comes_out(service: Running, squares: list[Path], tmp_path: Path) -> None:
    for index in range(20):
        draw(tmp_path / "set" / f"{index}.png", 2 * index, 8)

    async def all_of_it() -> None:
        async with AsyncClient(service.url, api_key=KEY) as client:
            assert (await client.localize(squares, heatmaps=False)).images == with_sync.localize(squares).images
            named = [one async for one in client.localize_folder(tmp_path / "set", concurrency=3)]
            assert named == list(with_sync.localize_folder(tmp_path / "set"))
            kept = await client.fit("async", squares)
            assert (await client.object("async")).sha256 == kept.sha256
            assert "async" in await client.objects()
            await client.delete_object("async")
            with pytest.raises(ProblemError, match="There is no object 'async'"):
                await client.delete_object("async")
            assert (await client.details()).model.name == "dummy"
            assert await client.is_ready()

    with Client(service.url, api_key=KEY) as with_sync:
        asyncio.run(all_of_it())


def test_refusals_are_waited_for_and_losses_told() -> None:
    waits: list[float] = []
    answers: list[httpx.Response | Exception] = [
        busy(), httpx.ConnectError("refused"), answered(), httpx.ReadError("reset"), busy(),
    ]  # fmt: skip

    async def answer(_: httpx.Request) -> httpx.Response:
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    async def ask() -> None:
        async with AsyncClient(
            transport=httpx.MockTransport(answer), retries=Retries(seconds=10), sleep=wait
        ) as client:
            assert len(await client.localize([b"x"])) == 1
            with pytest.raises(UnreachableError) as caught:
                await client.localize([b"x"])
            assert caught.value.was_sent
        impatient = AsyncClient(transport=httpx.MockTransport(answer), retries=Retries(seconds=0), sleep=wait)
        async with impatient as client:
            with pytest.raises(BusyError):
                await client.localize([b"x"])

    asyncio.run(ask())
    assert len(waits) == 2
    assert waits[0] >= 2
    assert waits[1] == 0.5


def test_a_folder_that_is_left_early_leaves_no_request_behind(tmp_path: Path) -> None:
    for index in range(6):
        draw(tmp_path / f"{index}.png", 8, 8)
    limits = {"max_images": 2, "max_bytes": 10**6, "max_request_bytes": 10**7}
    told = {
        "name": "m",
        "sha256": "0",
        "backbone": "b",
        "input_size": [1, 1],
        "provider": "p",
        "provider_warning": None,
    }
    cancelled: list[bool] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={**told, "limits": limits})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        raise AssertionError

    async def leave() -> None:
        async with AsyncClient(transport=httpx.MockTransport(answer)) as client:
            images = client.localize_folder(tmp_path, concurrency=2)
            first = asyncio.create_task(anext(images))
            while len(asyncio.all_tasks()) < 4:  # this one, the first result, and two sets
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await images.aclose()
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(leave())
    assert cancelled == [True, True]


def test_concurrency_is_checked(tmp_path: Path) -> None:
    async def ask() -> None:
        async with AsyncClient() as client:
            with pytest.raises(ValueError, match="concurrency must be at least 1, got 0"):
                await anext(client.localize_folder(tmp_path, concurrency=0))

    asyncio.run(ask())
