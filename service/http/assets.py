"""The static page, held in memory."""

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["ASSET_PATHS", "asset_router"]

_MEDIA_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

ASSET_PATHS = frozenset({"/", *(f"/page/{name}" for name in _MEDIA_TYPES if name != "index.html")})


def asset_router() -> APIRouter:
    """Routes of the page and its parts."""
    router = APIRouter(include_in_schema=False)
    folder = files("service.http") / "page"
    for name, media_type in _MEDIA_TYPES.items():
        content = (folder / name).read_bytes()
        path = "/" if name == "index.html" else f"/page/{name}"
        router.add_api_route(path, _endpoint(content, media_type), methods=["GET", "HEAD"], response_class=Response)
    return router


def _endpoint(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"cache-control": "no-cache", "etag": tag}

    async def asset(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(None, 304, headers)
        return Response(content, 200, headers, media_type)

    return asset
