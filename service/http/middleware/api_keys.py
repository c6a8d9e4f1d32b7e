"""Optional API keys."""

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.problems import Problem
from service.http.request_state import state_of
from service.http.responses import problem_response

__all__ = ["ApiKeysMiddleware"]

_CHANGING = frozenset({"PUT", "DELETE"})
"""Methods that change what is kept; POST only asks."""


class ApiKeysMiddleware:
    """Lets requests through that show a key.

    It is shown as `Authorization: Bearer KEY`, as `X-API-Key: KEY`, or as the password of basic authentication, whoever
    the user.

    The name of the key that was shown is noted, for the log.
    """

    def __init__(
        self, app: ASGIApp, *, keys: Mapping[str, str], open_paths: Collection[str], read_only: Collection[str] = ()
    ) -> None:
        """Wrap an app.

        Args:
            app: The app.
            keys: Keys by name; empty lets everything through.
            open_paths: Paths that need no key.
            read_only: Names of keys that may not change anything that is kept.
        """
        self._app = app
        self._keys = {name: _digest(key.encode()) for name, key in keys.items()}
        self._open = frozenset(open_paths)
        self._read_only = frozenset(read_only)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and self._keys and scope["path"] not in self._open:
            name = self._name_of(_shown_key(Headers(scope=scope)))
            if name is None:
                detail = "Send a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
                await problem_response(Problem("unauthorized", detail, close=True), scope)(scope, receive, send)
                return
            state_of(scope).api_key = name
            if name in self._read_only and scope["method"] in _CHANGING:
                detail = f"The API key {name!r} may look for kept objects, but not change them."
                await problem_response(Problem("forbidden", detail, close=True), scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _name_of(self, shown: bytes) -> str | None:
        found, digest = None, _digest(shown)
        for name, key in self._keys.items():  # all are compared, so that the time says nothing about which one fits
            if hmac.compare_digest(digest, key):
                found = name
        return found


def _shown_key(headers: Headers) -> bytes:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":  # all that Label Studio can show to its backends
        try:
            return base64.b64decode(token.strip(), validate=True).partition(b":")[2]
        except ValueError:
            return b""
    shown = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    return shown.encode("latin-1")


def _digest(key: bytes) -> bytes:
    """Of one length whatever the key's, so that not even that shows in the time."""
    return hashlib.sha256(key).digest()
