"""Notes about a request."""

from service.http.request_state import RequestState, state_of


def test_notes_stay_with_the_scope_and_its_copies() -> None:
    scope: dict[str, object] = {"type": "http"}
    state_of(scope).images = 3
    assert state_of({**scope, "path": "/"}) is state_of(scope)
    assert state_of(scope) == RequestState(images=3)
    assert state_of({"type": "http"}).images is None
