"""Pages of other origins (CORS): Starlette's middleware, with refusals that are problem details."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from service.http.problems import Problem
from service.http.responses import problem_response

__all__ = ["ProblemCorsMiddleware"]

_ASKED = ("origin", "access-control-request-method", "access-control-request-headers")


class ProblemCorsMiddleware(CORSMiddleware):
    """Answers preflights, and lets the pages of the allowed origins read the answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers({})
        preflight = scope["type"] == "http" and scope["method"] == "OPTIONS" and all(n in headers for n in _ASKED[:2])
        if not preflight:
            await super().__call__(scope, receive, send)
            return
        response = self.preflight_response(request_headers=headers)
        if response.status_code >= 400:
            asked = ", ".join(f"{name}: {headers[name]}" for name in _ASKED if name in headers)
            failure = bytes(response.body).decode()
            allowed = ", ".join(self.allow_methods), ", ".join(self.allow_headers)
            detail = f"{failure}, got {asked}; allowed are the origins of the setting cors_origins, the methods "
            problem = problem_response(
                Problem("preflight_refused", f"{detail}{allowed[0]} and the headers {allowed[1]}."), scope
            )
            problem.headers.update({n: v for n, v in response.headers.items() if not n.startswith("content-")})
            response = problem
        await response(scope, receive, send)
