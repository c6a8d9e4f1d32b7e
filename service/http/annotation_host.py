"""Asking Label Studio: what annotators have said, which tasks a project has, and its images as it serves them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from colocalization.errors import ImageError
from service.http.json_upload import read_json
from service.http.problems import Problem
from service.http.url_images import UrlFetcher

__all__ = ["AnnotationHost"]

_MOST_BYTES = 64 * 2**20
"""Largest answer of Label Studio's that is read, besides images."""

_TOKEN_SECONDS = 180.0
"""How long an access token is used; Label Studio makes them for five minutes."""


class AnnotationHost:
    """One Label Studio, at the address and with the token of the settings and no other."""

    def __init__(
        self,
        url: str,
        token: str,
        others: UrlFetcher | None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            url: Its address, with its prefix where it has one.
            token: A personal access token or a legacy one.
            others: Fetches images that tasks name on other hosts; None where none are.
            transport: What sends requests, where it is not to be httpx's own.
        """
        self._url = httpx.URL(url.rstrip("/") + "/")
        self._token = token
        self._others = others
        self._access, self._access_until = "", 0.0
        self._http = httpx.AsyncClient(timeout=30.0, trust_env=False, follow_redirects=False, transport=transport)
        host = self._url.host if self._url.port is None else f"{self._url.host}:{self._url.port}"
        # Its address may be one inside: who set it meant that one.
        self._images = UrlFetcher([host], may_ask=lambda _: True, transport=transport)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
        await self._images.close()

    async def annotated(self, project: int) -> list[dict[str, Any]]:
        """The tasks of a project that have annotations, with them.

        Raises:
            Problem: Label Studio does not say (`label_studio_failed`).
        """
        path = f"api/projects/{project}/export"
        return _tasks(await self._get(path, {"exportType": "JSON"}), path)

    async def tasks(self, project: int, count: int) -> list[dict[str, Any]]:
        """The first tasks of a project.

        Raises:
            Problem: Label Studio does not say (`label_studio_failed`).
        """
        told = await self._get("api/tasks", {"project": project, "page": 1, "page_size": count})
        return _tasks(told.get("tasks") if isinstance(told, dict) else told, "api/tasks")

    async def image(self, address: Any, most: int, take: Callable[[int], None]) -> bytes:
        """An image as a task names it: on Label Studio itself, or on a host that images may be fetched from.

        Args:
            address: The address: `/data/..`, or a URL.
            most: Most bytes.
            take: Accounts for the bytes that have come.

        Raises:
            ImageError: It cannot be had, or is too large.
        """
        if not isinstance(address, str) or not address:
            raise ImageError("not_readable", "the task names no image")
        try:
            url = self._url.join(address)
        except httpx.InvalidURL as error:
            raise ImageError("not_readable", f"{address[:200]!r} is no URL") from error
        if (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port):
            try:
                headers = await self._headers()
            except (httpx.HTTPError, Problem) as error:
                raise ImageError("not_readable", f"Label Studio: {error}") from error
            return await self._images.fetch(url, most, take, headers)
        if self._others is None:
            raise ImageError(
                "not_readable", f"it lies on {url.host or url.scheme!r}, and images are fetched from nowhere"
            )
        try:
            checked = self._others.check(str(url))
        except ValueError as error:
            raise ImageError("not_readable", str(error)) from error
        return await self._others.fetch(checked, most, take)

    async def _get(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        try:
            headers = await self._headers()
            async with self._http.stream(
                "GET", self._url.join(path), params=dict(parameters), headers=headers
            ) as response:
                content = bytearray()
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > _MOST_BYTES:
                        raise _failed(f"its answer to {path} has more than {_MOST_BYTES} bytes")
        except httpx.HTTPError as error:
            raise _failed(str(error) or type(error).__name__) from error
        if response.status_code != 200:
            raise _failed(f"it answers {path} with status {response.status_code}")
        try:
            return read_json(bytes(content), len(content))  # of one whom the settings name
        except Problem as problem:
            raise _other(path) from problem

    async def _headers(self) -> dict[str, str]:
        """What shows the token. A personal access token is changed for a short-lived one."""
        if self._token.count(".") != 2:
            return {"authorization": f"Token {self._token}"}
        if time.monotonic() >= self._access_until:
            answer = await self._http.post(self._url.join("api/token/refresh"), json={"refresh": self._token})
            try:
                access = answer.json()["access"] if answer.status_code == 200 else None
            except (ValueError, KeyError, TypeError):
                raise _other("api/token/refresh") from None
            if not isinstance(access, str):
                raise _failed(f"it does not take the personal access token (status {answer.status_code})")
            self._access, self._access_until = access, time.monotonic() + _TOKEN_SECONDS
        return {"authorization": f"Bearer {self._access}"}


def _tasks(told: Any, path: str) -> list[dict[str, Any]]:
    if not isinstance(told, list):
        raise _other(path)
    return [task for task in told if isinstance(task, dict)]


def _other(path: str) -> Problem:
    return _failed(f"what answers {path} is no Label Studio")


def _failed(why: str) -> Problem:
    return Problem("label_studio_failed", f"Label Studio cannot be asked: {why}.")
