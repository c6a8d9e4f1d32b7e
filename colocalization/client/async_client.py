"""The client for programs that wait for several things at one time (`asyncio`)."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from colocalization.client.answers import (
    NamedResult,
    ServedSet,
    ServiceDetails,
    StoredObject,
    read_details,
    read_object,
    read_object_names,
    read_problem,
)
from colocalization.client.calls import (
    Asked,
    Call,
    SetUpload,
    after,
    after_error,
    checked_timeout,
    checked_url,
    fit_upload,
    folder_upload,
    headers,
    localize_upload,
    object_path,
)
from colocalization.client.folder_sets import FolderSet, plan_folder
from colocalization.client.retries import PATIENT, Attempts, Retries
from colocalization.results import Mode
from colocalization.sources import Given, HintsGiven

__all__ = ["AsyncClient"]


class AsyncClient:
    """`Client` with `await`; files are read on the event loop's thread, a piece at a time.

    Where the service has no room for a request (429, 503), the client waits for as long as it is asked to and sends it
    again. A request that the service may have taken is never sent twice: where its connection was lost,
    `UnreachableError.was_sent` says so.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        retries: Retries = PATIENT,
        timeout: float = 120.0,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: Address of the service, with its prefix where it has one.
            api_key: Key that the service asks for.
            retries: How patient to be with a service that is full, or not there yet.
            timeout: Seconds without a byte after which an answer is given up; more than the service's
                `request_timeout`.
            transport: What sends requests, where it is not to be httpx's own: proxies, certificates, tests.
            sleep: Waits between two tries.

        Raises:
            ValueError: The address is none, the key cannot be sent, or the timeout is not above 0.
        """
        self._retries = retries
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            base_url=checked_url(url), headers=headers(api_key), timeout=checked_timeout(timeout), transport=transport
        )

    async def __aenter__(self) -> Self:
        """The client, closed at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def localize(
        self,
        sources: Given,
        *,
        mode: Mode = "common",
        max_boxes: int = 1,
        heatmaps: bool = False,
        object: str | None = None,
        hints: HintsGiven | None = None,
    ) -> ServedSet:
        """Localize the common object in a set of images, in one request.

        Args:
            sources: Paths, encoded bytes, binary streams that can seek, PIL images or arrays; files are read while
                they are sent. One that cannot be read gets a result with an `error`.
            mode: What the boxes are found by.
            max_boxes: Most boxes an image; 0: all.
            heatmaps: Whether results are to have their heat maps.
            object: Name of a kept object that is looked for, in place of what the images have in common.
            hints: What is known of some images, by index or by the path that is their source: a box `x0, y0, x1, y1` in
                pixels of the original, several boxes, or None where the image does not show the object.

        Returns:
            One result for each source, in their order.

        Raises:
            ProblemError: The service refused the request or failed; `BusyError` where it had no room for too long.
            UnreachableError: There was no answer.
            AnswerError: The answer is not the service's.
            TypeError: `sources` is a single image, or one of them is something else than an image.
            ValueError: `mode` or `max_boxes` is not allowed, or hints and an object are given together.
            HintError: A hint is for no image of the set, or cannot be used.
        """
        return await self._localize(localize_upload(sources, Asked(mode, max_boxes, heatmaps, object), hints))

    async def localize_folder(
        self,
        folder: str | Path,
        *,
        mode: Mode = "common",
        max_boxes: int = 1,
        heatmaps: bool = False,
        object: str | None = None,
        hints: HintsGiven | None = None,
        set_size: int | None = None,
        concurrency: int = 2,
    ) -> AsyncGenerator[NamedResult]:
        """Localize in all images below a folder, a request for each set of them.

        The sets are as large as the service takes them, or smaller and of one size. Without `object` each set is
        searched for what its own images have in common: for a folder of several sets fit an object first, and look for
        that in all of them.

        Args:
            folder: The folder; its images are found on all levels, in natural order.
            mode: What the boxes are found by.
            max_boxes: Most boxes an image; 0: all.
            heatmaps: Whether results are to have their heat maps.
            object: Name of a kept object that is looked for.
            hints: What is known of some images, by their name in the folder; for a folder of one set.
            set_size: Most images in a set.
            concurrency: Most sets under way at one time.

        Yields:
            The result of each image, in their order, as its set is answered.

        Raises:
            NotADirectoryError: There is no such folder.
            ProblemError: The service refused a request or failed; what was yielded before stands.
            UnreachableError: There was no answer.
            AnswerError: An answer is not the service's.
            ValueError: A parameter is not allowed, or hints are given for a folder of several sets.
            HintError: A hint is for no image of the folder, or cannot be used.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {concurrency}")
        asked = Asked(mode, max_boxes, heatmaps, object)
        plan = plan_folder(folder, await self.details(), is_set=asked.is_of_a_set, set_size=set_size, hints=hints)
        uploads = [(images, folder_upload(images, asked)) for images in plan]  # what is wrong is told before the first
        waiting = deque(uploads)
        under_way: deque[tuple[FolderSet, asyncio.Task[ServedSet]]] = deque()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < concurrency:
                    images, upload = waiting.popleft()
                    under_way.append((images, asyncio.create_task(self._localize(upload))))
                images, task = under_way[0]
                for one in images.named(await task):
                    yield one
                under_way.popleft()
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def fit(self, name: str, sources: Given, *, hints: HintsGiven | None = None) -> StoredObject:
        """Fit the common object of a set of images, and have it kept.

        Args:
            name: What it is kept as, in place of an older one of this name.
            sources: The images, as in `localize`.
            hints: What is known of some of them, as in `localize`.

        Returns:
            What the service says of it, with the images that could not be used.

        Raises:
            ProblemError: The service refused the request or failed; its `code` is `objects_disabled` where the service
                keeps none, and `nothing_in_common` where the images have nothing in common.
            ImageError: Not one of the images can be read here.
            UnreachableError: There was no answer.
            AnswerError: The answer is not the service's.
            TypeError: `sources` is a single image, or one of them is something else than an image.
            HintError: A hint is for no image of the set, or cannot be used.
        """
        with fit_upload(name, sources, hints).opened() as upload:
            upload.check_not_empty()
            return upload.fitted(await self._send(upload))

    async def objects(self) -> tuple[str, ...]:
        """The names of all kept objects, sorted.

        Raises:
            ClientError: The service keeps none, or did not answer.
        """
        return read_object_names(await self._send(Call("GET", "/objects")))

    async def object(self, name: str) -> StoredObject:
        """What is known of a kept object.

        Raises:
            ClientError: There is none of this name (`object_not_found`), or the service did not answer.
        """
        return read_object(await self._send(Call("GET", object_path(name))))

    async def delete_object(self, name: str) -> None:
        """Remove a kept object.

        Raises:
            ClientError: There is none of this name (`object_not_found`), or the service did not answer.
        """
        if (response := await self._send(Call("DELETE", object_path(name)))).is_error:
            raise read_problem(response)

    async def details(self) -> ServiceDetails:
        """The model in use, and the limits of the service.

        Raises:
            ClientError: The service did not answer, or something else did.
        """
        return read_details(await self._send(Call("GET", "/model")))

    async def is_ready(self) -> bool:
        """Whether the service takes requests now; False also where there is none."""
        try:
            return (await self._http.get("/readyz")).is_success
        except httpx.RequestError:
            return False

    async def _localize(self, upload: SetUpload) -> ServedSet:
        with upload.opened() as opened:
            return opened.localized(None if opened.is_empty else await self._send(opened))

    async def _send(self, call: Call) -> httpx.Response:
        attempts = Attempts(self._retries)
        while True:
            try:
                response = await self._http.send(call.request(self._http))
            except httpx.RequestError as error:
                wait = after_error(error, str(self._http.base_url), attempts)
            else:
                if (again := after(response, attempts)) is None:
                    return response
                wait = again
            await self._sleep(wait)
