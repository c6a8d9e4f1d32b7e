"""The static files of the page and of `/docs`, held in memory.

`docs/` holds Swagger UI 5.35.0 as the npm package `swagger-ui-dist` brings it (Apache-2.0, see the LICENSE there), and
a page and a few lines of our own to start it. All addresses in the files are relative, so that they work below any
prefix.
"""

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.http.paths import DOCS

__all__ = ["ASSET_PATHS", "asset_router"]

_HTML, _CSS, _JS = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"

_FOLDER = files("service.http")
_PARTS_OF_THE_PAGE = {"css": _CSS, "js": _JS, "svg": "image/svg+xml"}
"""Media types of the page's files besides its HTML, by their endings."""

_FILES = {
    "/": ("page/index.html", _HTML),
    **{
        f"/page/{file.name}": (f"page/{file.name}", _PARTS_OF_THE_PAGE[ending])
        for file in _FOLDER.joinpath("page").iterdir()
        if (ending := file.name.rpartition(".")[2]) in _PARTS_OF_THE_PAGE
    },
    DOCS: ("docs/index.html", _HTML),
    f"{DOCS}/start.js": ("docs/start.js", _JS),
    f"{DOCS}/style.css": ("docs/style.css", _CSS),
    f"{DOCS}/swagger-ui.css": ("docs/swagger-ui.css", _CSS),
    f"{DOCS}/swagger-ui-bundle.js": ("docs/swagger-ui-bundle.js", _JS),
}
"""File and media type by address."""

ASSET_PATHS = frozenset(_FILES)


def asset_router() -> APIRouter:
    """Routes of the files."""
    router = APIRouter(include_in_schema=False)
    for path, (name, media_type) in _FILES.items():
        router.add_api_route(path, _endpoint(name, media_type), methods=["GET"], response_class=Response)
    return router


@cache
def _compressed(name: str) -> tuple[bytes, bytes]:
    """A file and its gzip: a third of the bytes, made once a process and never because of what a client sends."""
    content = _FOLDER.joinpath(name).read_bytes()
    return content, gzip.compress(content, 6, mtime=0)


def _endpoint(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content, smaller = _compressed(name)
    tag = hashlib.sha256(content).hexdigest()[:16]
    headers = {"cache-control": "no-cache", "vary": "accept-encoding"}
    plain = content, {**headers, "etag": f'"{tag}"'}
    zipped = smaller, {**headers, "etag": f'"{tag}-gzip"', "content-encoding": "gzip"}

    async def asset(request: Request) -> Response:
        body, told = zipped if _takes_gzip(request.headers.get("accept-encoding", "")) else plain
        if request.headers.get("if-none-match") == told["etag"]:
            return Response(None, 304, {name: told[name] for name in ("cache-control", "vary", "etag")})
        return Response(body, 200, told, media_type)

    return asset


def _takes_gzip(accepted: str) -> bool:
    """Whether a client takes gzip, by its Accept-Encoding (RFC 9110, section 12.5.3).

    Example:
        >>> [_takes_gzip(accepted) for accepted in ("gzip, deflate, br", "br;q=1, gzip;q=0", "", "identity")]
        [True, False, False, False]
    """
    for entry in accepted.split(","):
        name, _, weight = (part.strip().lower() for part in entry.partition(";"))
        if name == "gzip":
            return not re.fullmatch(r"q=0(\.0*)?", weight)
    return False
