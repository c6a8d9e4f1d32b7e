"""The static files of the page and of `/docs`, held in memory.

`docs/` holds Swagger UI 5.35.0 as the npm package `swagger-ui-dist` brings it (Apache-2.0, see the LICENSE there), and
a page and a few lines of our own to start it. All addresses in the files are relative, so that they work below any
prefix.
"""

import hashlib
from collections.abc import Awaitable, Callable
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
        content = _FOLDER.joinpath(name).read_bytes()
        router.add_api_route(path, _endpoint(content, media_type), methods=["GET"], response_class=Response)
    return router


def _endpoint(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"cache-control": "no-cache", "etag": tag}

    async def asset(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(None, 304, headers)
        return Response(content, 200, headers, media_type)

    return asset
