"""A client of the service, for programs: `pip install 'colocalize[client]'`.

It sends images and gives results of the same types as `colocalization.Localizer`, waits and asks again where the
service is full, and knows kept objects:

    from colocalization.client import Client

    with Client("http://127.0.0.1:8000") as client:
        client.fit("birds", ["a.jpg", "b.jpg", "c.jpg"], hints={"a.jpg": (12, 30, 400, 410)})
        for image in client.localize_folder("new/", object="birds"):
            print(image.name, image.result.boxes)

`AsyncClient` is the same with `await`. Nothing else of the package imports this, so that the core needs no HTTP client.
"""

try:
    import httpx  # noqa: F401 -- only to say what is missing in one line
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "colocalization.client needs the package 'httpx'; install it with: pip install 'colocalize[client]'",
        name=error.name,
    ) from None

from colocalization.client.answers import NamedResult, ServedModel, ServedSet, ServiceDetails, StoredObject
from colocalization.client.async_client import AsyncClient
from colocalization.client.errors import AnswerError, BusyError, ClientError, ProblemError, UnreachableError
from colocalization.client.retries import Retries
from colocalization.client.sync_client import Client

__all__ = [
    "AnswerError",
    "AsyncClient",
    "BusyError",
    "Client",
    "ClientError",
    "NamedResult",
    "ProblemError",
    "Retries",
    "ServedModel",
    "ServedSet",
    "ServiceDetails",
    "StoredObject",
    "UnreachableError",
]
