"""Images that are given as URLs: fetched from hosts that the settings name, and from nowhere else.

What a URL names is somebody else's choice. So only hosts of the list are asked; every address that such a host has must
be one of the public Internet, and the connection goes to the very address that was looked at; redirects are not
followed; nothing is taken from the environment (proxies); bytes and seconds are bounded as those of an upload are.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from colocalization.errors import ImageError
from service.http.budget import Reservation
from service.http.form import Upload, UploadedImage, UploadLimits
from service.http.json_upload import ImageUrl
from service.http.problems import Problem
from service.settings import Settings

__all__ = ["UrlFetcher", "fetch_all", "is_public"]

_SIDE_BY_SIDE = 4
"""Images of one request that are fetched at one time."""

_CONNECT_SECONDS = 5.0
_MAX_TOLD = 200
_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, from its name and a port."""


def is_public(address: str) -> bool:
    """Whether an address is one of the public Internet, also where it hides an IPv4 address in one of IPv6.

    Example:
        >>> [is_public(one) for one in ("93.184.216.34", "127.0.0.1", "10.0.0.1", "::ffff:10.0.0.1", "169.254.169.254")]
        [True, False, False, False, False]
    """
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        hidden = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            hidden = IPv4Address(int(parsed) & 0xFFFFFFFF)
        if parsed.teredo is not None:
            return False
        if hidden is not None:
            return hidden.is_global and not hidden.is_multicast
    return parsed.is_global and not parsed.is_multicast


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host.

    Raises:
        OSError: It has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class UrlFetcher:
    """Fetches images from some hosts."""

    def __init__(
        self,
        hosts: Collection[str],
        *,
        may_ask: Callable[[str], bool] = is_public,
        resolve: Resolve = resolve,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            hosts: `HOST`, on its scheme's own port, or `HOST:PORT`.
            may_ask: Tells of an address whether it may be connected to.
            resolve: Gives a host's addresses.
            transport: What sends requests, where it is not to be httpx's own.
        """
        self._hosts = frozenset(host.lower() for host in hosts)
        self._may_ask = may_ask
        self._resolve = resolve
        timeout = httpx.Timeout(_CONNECT_SECONDS, pool=None)
        # No connection is used twice: one that was made for a host could be taken for another at the same address.
        self._http = httpx.AsyncClient(
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            transport=transport,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def check(self, url: str) -> httpx.URL:
        """The URL, read.

        Raises:
            ValueError: It is none, or of a host that is not to be asked.
        """
        try:
            read = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"{url[:_MAX_TOLD]!r} is no URL: {error}") from error
        if read.scheme not in _PORTS or not read.host or read.userinfo:
            raise ValueError(f"{url[:_MAX_TOLD]!r} is not of the form https://HOST/PATH")
        at_port = f"{read.host}:{_port(read)}"
        if at_port not in self._hosts and (read.port is not None or read.host not in self._hosts):
            raise ValueError(f"images are not fetched from {at_port[:_MAX_TOLD]!r}")
        return read

    async def fetch(
        self, url: httpx.URL, most: int, take: Callable[[int], None], headers: dict[str, str] | None = None
    ) -> bytes:
        """Fetch one image.

        Args:
            url: Where it lies; of a host that may be asked.
            most: Most bytes.
            take: Accounts for the bytes that have come.
            headers: Headers to send besides.

        Raises:
            ImageError: It cannot be had, or is too large.
        """
        try:
            address = await self._address(url.host, _port(url))
            # Whatever it is called: frameworks that know no images answer `image/*` alone with 406.
            accept = "image/*, */*;q=0.5"
            sent = {"host": url.netloc.decode(), "accept": accept, "accept-encoding": "identity", **(headers or {})}
            request = self._http.build_request(
                "GET", url.copy_with(host=address), headers=sent, extensions={"sni_hostname": url.host}
            )
            response = await self._http.send(request, stream=True)
        except (httpx.HTTPError, OSError) as error:
            raise ImageError("not_readable", f"{url.host}: {str(error) or type(error).__name__}") from error
        try:
            return await _received(response, most, take)
        except httpx.HTTPError as error:
            raise ImageError("not_readable", f"{url.host}: {str(error) or type(error).__name__}") from error
        finally:
            await response.aclose()

    async def _address(self, host: str, port: int) -> str:
        addresses = await self._resolve(host, port)
        for address in addresses:
            if not self._may_ask(address):
                raise OSError("it has an address that is not one of the public Internet")
        if not addresses:
            raise OSError("it has no address")
        return addresses[0]


def _port(url: httpx.URL) -> int:
    return url.port or _PORTS[url.scheme]


async def _received(response: httpx.Response, most: int, take: Callable[[int], None]) -> bytes:
    host = response.request.headers["host"]
    if response.status_code != 200:
        code = "not_found" if response.status_code in (404, 410) else "not_readable"
        raise ImageError(code, f"{host} answered with status {response.status_code}")  # type: ignore[arg-type]
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ImageError("not_readable", f"{host} sent it with a content encoding")
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise ImageError("file_too_large", f"{int(length)} bytes, at most {most} are allowed")
    content = bytearray()
    async for piece in response.aiter_raw():
        take(len(piece))
        content += piece
        if len(content) > most:
            raise ImageError("file_too_large", f"more than {most} bytes, at most {most} are allowed")
    return bytes(content)


async def fetch_all(
    fetcher: UrlFetcher | None,
    upload: Upload,
    urls: Sequence[ImageUrl],
    limits: UploadLimits,
    reservation: Reservation,
    retry_after: Callable[[], int],
) -> None:
    """Put the images that are given as URLs in their places, or why they could not be had.

    Args:
        fetcher: Fetches them; None where the service fetches none.
        upload: Where they go.
        urls: What to fetch.
        limits: What the request may send; the bytes that are fetched count to those of its body.
        reservation: Where they are accounted for.
        retry_after: Seconds until there may be room again.

    Raises:
        Problem: A URL is not one that is fetched from (`invalid_parameter`), or a limit is hit.
    """
    if fetcher is None:
        why = f"this service fetches none: {Settings.variable('url_hosts')} names no host. Send the data"
        raise Problem("invalid_parameter", f"images[{urls[0].index}] is a URL, and {why}.")
    try:
        read = [(one.index, fetcher.check(one.url)) for one in urls]
    except ValueError as error:
        raise Problem("invalid_parameter", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error

    def take(count: int) -> None:
        upload.size += count
        if upload.size > limits.max_request_bytes:
            detail = f"The body and what its URLs name have more than {limits.max_request_bytes} bytes."
            limit = {"limit": {"name": "max_request_bytes", "value": limits.max_request_bytes}}
            raise Problem("request_too_large", detail, limit)
        if not reservation.take(count):
            raise Problem("overloaded", "Uploads under way fill the memory for them.", retry_after=retry_after())

    turns = asyncio.Semaphore(_SIDE_BY_SIDE)
    until = time.monotonic() + limits.timeout

    async def fetch(index: int, url: httpx.URL) -> None:
        source: bytes | ImageError
        try:
            async with asyncio.timeout(until - time.monotonic()), turns:
                source = await fetcher.fetch(url, limits.max_bytes, take)
        except TimeoutError:
            source = ImageError("not_readable", f"{url.host} did not send it within {limits.timeout:g} seconds")
        except ImageError as error:
            source = error
        upload.images[index] = UploadedImage(upload.images[index].name, source)

    tasks = [asyncio.create_task(fetch(*one)) for one in read]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
