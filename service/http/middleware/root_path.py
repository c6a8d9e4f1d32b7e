"""The service below a prefix of a reverse proxy, such as `/colo`."""

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["RootPathMiddleware"]


class RootPathMiddleware:
    """Takes the prefix off the paths of requests that still have it, whether or not the proxy takes it off.

    Everything inside sees one form of each path; in particular, which paths need an API key does not depend on the
    proxy. What the service links to is relative.
    """

    def __init__(self, app: ASGIApp, *, root_path: str) -> None:
        """Wrap an app.

        Args:
            app: The app.
            root_path: The prefix, with a slash at its start and none at its end.
        """
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            path = scope["path"]
            if path == self._root and scope["method"] in ("GET", "HEAD"):
                # Without its last slash the page's relative addresses would lead out of the prefix.
                await Response(None, 308, {"location": f"{self._root}/"})(scope, receive, send)
                return
            if path.startswith(f"{self._root}/"):
                scope = {**scope, "path": path[len(self._root) :]}
        await self._app(scope, receive, send)
