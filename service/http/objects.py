"""`/objects`: common objects that are fitted once, kept, and looked for in whatever comes later."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.localizer import Localizer
from service.http.form import Upload
from service.http.hints_field import read_hints
from service.http.intake import run_upload
from service.http.parameters import FIT_PARAMETER_NAMES, read_fit_parameters
from service.http.paths import OBJECTS
from service.http.problems import Problem
from service.http.rendering import nothing_readable
from service.http.request_state import STATE, RequestState
from service.http.schemas import FittedObjectBody, NamedImageErrorBody, ObjectBody, ObjectListBody, ObjectModelBody
from service.http.state import Service
from service.inference.job import Job, JobOptions
from service.inference.object_store import NAME_PATTERN, KeptObject, ObjectMissing, ObjectStore, StoreFull

__all__ = ["delete_object", "list_objects", "load_object", "put_object", "tell_object"]

_MAX_TOLD = 80

_logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


async def put_object(request: Request, service: Service, name: str) -> Response:
    """Fit the common object of a request's images and keep it.

    Raises:
        Problem: Whatever is wrong with the request, or keeps the object from being fitted or kept.
        ClientDisconnect: The client went away; its work is dropped.
    """
    store = _store(service, name, close=True)
    notes: RequestState = request.scope[STATE]
    try:
        await _on_disk(name, store.check_room, name)
    except Problem as problem:
        problem.close = True  # the upload is not read
        raise

    async def make_job(upload: Upload) -> Job:
        parameters = read_fit_parameters(request.query_params, upload.fields)
        names = upload.names()
        return Job(
            [image.source for image in upload.images],
            localizer=service.slot.current,
            options=JobOptions(hints=read_hints(parameters.hints, names), only_fits=True),
            names=names,
            request_id=notes.request_id,
        )

    job = (await run_upload(request, service, FIT_PARAMETER_NAMES, make_job)).job
    errors = [(job.names[index], error) for index, error in sorted(job.errors.items())]
    if len(errors) == len(job.names):
        raise nothing_readable(errors)
    if job.common is None:
        readable = len(job.names) - len(errors)
        raise Problem(
            "nothing_in_common",
            f"Of the {len(job.names)} images {readable} can be read, and at least 2 that show the same are needed.",
        )
    kept, new = await _on_disk(name, store.put, name, job.common)
    body = FittedObjectBody(
        **_body(kept, service).model_dump(),
        errors=tuple(NamedImageErrorBody(name=n, code=error.code, message=error.message) for n, error in errors),
    )
    headers = {"location": f"{service.settings.root_path}{OBJECTS}/{name}"} if new else {}
    return Response(
        body.model_dump_json(), 201 if new else 200, {"cache-control": "no-store", **headers}, "application/json"
    )


async def list_objects(service: Service) -> ObjectListBody:
    """The names of all objects.

    Raises:
        Problem: The service keeps none, or their folder cannot be read.
    """
    return ObjectListBody(objects=tuple(await _on_disk("", _store(service).names)))


async def tell_object(service: Service, name: str) -> ObjectBody:
    """What is known of an object.

    Raises:
        Problem: The service keeps none, there is none of this name, or its file is damaged.
    """
    return _body(await _on_disk(name, _store(service, name).get, name), service)


async def delete_object(service: Service, name: str) -> Response:
    """Remove an object.

    Raises:
        Problem: The service keeps none, there is none of this name, or it cannot be removed.
    """
    await _on_disk(name, _store(service, name).delete, name)
    return Response(None, 204)


async def load_object(service: Service, localizer: Localizer, name: str) -> CommonObject:
    """The common object of a name, for one model.

    Raises:
        Problem: The service keeps none, there is none of this name, its file is damaged, or it is of another model.
    """
    kept = await _on_disk(name, _store(service, name).get, name)
    try:
        localizer.check_common(kept.common)
    except ObjectError as error:
        raise Problem("object_of_another_model", f"{error.message[:1].upper()}{error.message[1:]}.") from None
    return kept.common


def _store(service: Service, name: str | None = None, *, close: bool = False) -> ObjectStore:
    if service.objects is None:
        variable = service.settings.variable("objects_dir")
        detail = f"Objects are kept where {variable} names a folder for them, and this service has none."
        raise Problem("objects_disabled", detail, close=close)
    if name is not None and not re.fullmatch(NAME_PATTERN, name):
        detail = f"The name of an object must be of the form {NAME_PATTERN}, got {name[:_MAX_TOLD]!r}."
        raise Problem("invalid_parameter", detail, close=close)
    return service.objects


async def _on_disk(name: str, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call a method of the store in a thread, as the disk may be slow; what goes wrong becomes a problem."""
    with _problems(name):
        return await asyncio.to_thread(call, *arguments, **named)


@contextmanager
def _problems(name: str) -> Iterator[None]:
    try:
        yield
    except ObjectMissing:
        raise Problem("object_not_found", f"There is no object {name!r}; `GET {OBJECTS}` lists them.") from None
    except StoreFull as full:
        limit = {"limit": {"name": full.setting, "value": full.limit}}
        raise Problem("too_many_objects", f"{str(full).capitalize()}. Delete some first.", limit) from None
    except ObjectError as error:
        _logger.error("a kept object cannot be used: %s", error)
        raise Problem("object_unusable", f"The object {name!r} is damaged; keep it again, or delete it.") from error
    except OSError as error:
        _logger.error("the folder of objects cannot be used: %s", error)
        raise Problem("object_unusable", "The folder of the objects cannot be used; the log says why.") from error


def _body(kept: KeptObject, service: Service) -> ObjectBody:
    origin = kept.origin
    running = service.slot.current
    prior = None if running.prior is None else running.prior.sha256
    in_use = (origin.model_sha256, origin.prior_sha256) == (running.engine.sha256, prior)
    return ObjectBody(
        name=kept.name,
        model=ObjectModelBody(name=origin.model, sha256=origin.model_sha256, in_use=in_use),
        version=origin.version,
        effort=origin.effort,
        images=origin.images,
        hinted=origin.hinted,
        agreement=min(max(kept.common.agreement, 0.0), 1.0),
        sha256=kept.digest,
        bytes=kept.size,
        kept_at=datetime.fromtimestamp(kept.kept_at, UTC),
    )
