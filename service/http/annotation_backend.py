"""A machine learning backend of Label Studio: it draws boxes into a project's tasks, and learns from annotators.

What it has learnt is a function of the project's annotations, its first tasks and the model: it is computed from what
Label Studio says at that moment, named by a version, and kept in memory alone. So no correction is lost, whichever
worker is asked, and nothing has to be stored or trained.
"""

import asyncio
import hashlib
import io
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from colocalization.common_object import CommonObject
from colocalization.errors import ImageError
from colocalization.hints import HintError, ImageHints
from colocalization.localizer import PreparedImage
from colocalization.results import ImageResult, Mode
from service.http.annotation_host import AnnotationHost
from service.http.body import BodyLimits, check_encoding, receive_body
from service.http.budget import Reservation
from service.http.json_upload import read_json
from service.http.labelling import LabelInterface, annotation_hints, read_interface, regions
from service.http.paths import LABEL_STUDIO
from service.http.problems import Problem
from service.http.state import Service
from service.http.waiting import run_job
from service.inference.interface import InferenceFailed, Overloaded, Stopped
from service.inference.job import Job, JobOptions

__all__ = ["AnnotationBackend", "annotation_router"]

_MOST_BYTES = 16 * 2**20
_MOST_MEMBERS = 1_000_000
_MOST_TASKS = 1000
"""Most tasks in a request."""

_SAMPLE, _MOST_HINTED = 24, 16
"""Images that a project's object is fitted on, and how many of them are those that were annotated last."""

_SIDE_BY_SIDE = 8
"""Images that are fetched and worked on at one time."""

_KEPT = 8
"""Objects that are kept in memory."""


_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sample:
    """What a project's object is fitted on.

    Attributes:
        addresses: Addresses of the images.
        hints: What annotators said of them, by their index.
    """

    addresses: tuple[str, ...]
    hints: Mapping[int, ImageHints]

    @property
    def max_boxes(self) -> int:
        """Most boxes an image: one, or all (0) where annotators have drawn several in an image."""
        return 0 if any(len(hint.boxes) > 1 for hint in self.hints.values()) else 1

    def version(self, models: Sequence[str]) -> str:
        """A name that changes with whatever the boxes depend on; of models that is their SHA-256."""
        said = {str(index): hint.boxes for index, hint in self.hints.items()}
        told = json.dumps([*models, self.addresses, said])
        return f"colocalize-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


class AnnotationBackend:
    """The backend of one worker."""

    def __init__(self, service: Service, host: AnnotationHost) -> None:
        self._service = service
        self._host = host
        self._objects: OrderedDict[str, CommonObject | None] = OrderedDict()
        self._fitting = asyncio.Lock()

    async def version(self, body: Mapping[str, Any]) -> str:
        """The version of what is known of a project now.

        Raises:
            Problem: The request is of another form, or Label Studio cannot be asked.
        """
        interface = _interface(body.get("schema", body.get("label_config")))
        sample = await self._sample(_project(body), interface)
        return self._version(sample)

    async def predict(self, request: Request, body: Mapping[str, Any], reservation: Reservation) -> dict[str, Any]:
        """Boxes for the tasks of a request, one prediction each, in their order.

        Raises:
            Problem: The request is of another form, Label Studio cannot be asked, or the service cannot work.
            ClientDisconnect: Label Studio went away.
        """
        interface = _interface(body.get("label_config"))
        tasks = body.get("tasks")
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise Problem("invalid_body", "`tasks` must be a list of tasks.")
        if len(tasks) > _MOST_TASKS:
            limit = {"limit": {"name": "tasks", "value": _MOST_TASKS}}
            raise Problem("too_many_images", f"There are {len(tasks)} tasks; at most {_MOST_TASKS} are allowed.", limit)
        sample = await self._sample(_project(body), interface)
        version = self._version(sample)
        common = await self._learnt(request, version, sample, reservation)
        results: list[dict[str, Any]] = []
        for first in range(0, len(tasks), _SIDE_BY_SIDE):
            addresses = [_address(task, interface) for task in tasks[first : first + _SIDE_BY_SIDE]]
            found = await self._localized(request, addresses, common, sample.max_boxes, reservation)
            results += [_prediction(result, interface, version) for result in found]
        return {"results": results, "model_version": version}

    def _version(self, sample: _Sample) -> str:
        localizer = self._service.slot.current
        models = [localizer.engine.sha256, *([] if localizer.prior is None else [localizer.prior.sha256])]
        return sample.version(models)

    async def _sample(self, project: int, interface: LabelInterface) -> _Sample:
        annotated = await self._host.annotated(project)
        hinted: dict[str, ImageHints] = {}
        for task in sorted(annotated, key=_changed_at, reverse=True):
            try:
                said = annotation_hints(_annotations(task), interface)
            except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
                continue  # a region of another form says nothing
            if said is not None and len(hinted) < _MOST_HINTED and (address := _address(task, interface)):
                hinted.setdefault(address, said)
        others = (_address(task, interface) for task in await self._host.tasks(project, _SAMPLE))
        addresses = tuple(dict.fromkeys((*sorted(hinted), *filter(None, others))))[:_SAMPLE]
        return _Sample(addresses, {addresses.index(address): hint for address, hint in hinted.items()})

    async def _learnt(
        self, request: Request, version: str, sample: _Sample, reservation: Reservation
    ) -> CommonObject | None:
        """The object of a version; None where its images have nothing in common."""
        async with self._fitting:
            if version not in self._objects:
                try:
                    common = await self._fitted(request, sample, sample.hints, reservation)
                except HintError as error:  # none of the annotated images can be decoded
                    _logger.warning("%s; predictions do without what annotators said", error)
                    common = await self._fitted(request, sample, {}, reservation)
                self._objects[version] = common
                while len(self._objects) > _KEPT:
                    self._objects.popitem(last=False)
            self._objects.move_to_end(version)
            return self._objects[version]

    async def _fitted(
        self, request: Request, sample: _Sample, said: Mapping[int, ImageHints], reservation: Reservation
    ) -> CommonObject | None:
        sources = await self._fetched(sample.addresses, reservation)
        hints = {index: hint for index, hint in said.items() if not isinstance(sources[index], ImageError)}
        job = Job(
            sources,
            localizer=self._service.slot.current,
            options=JobOptions(hints=hints, only_fits=True),
            names=sample.addresses,
        )
        del sources
        try:
            await self._run(request, job)
        finally:
            reservation.give_back()
        return job.common

    async def _localized(
        self,
        request: Request,
        addresses: Sequence[str],
        common: CommonObject | None,
        max_boxes: int,
        reservation: Reservation,
    ) -> list[ImageResult]:
        results: dict[int, ImageResult] = {}

        def keep(index: int, result: ImageResult, _: PreparedImage) -> bytes:
            results[index] = result
            return b""

        mode: Mode = "attention" if common is None else "common"
        most = max_boxes or self._service.settings.max_boxes
        job = Job(
            await self._fetched(addresses, reservation),
            localizer=self._service.slot.current,
            options=JobOptions(mode, most, common=common),
            render=keep,
            names=addresses,
        )
        await self._run(request, job)
        reservation.give_back()
        return [
            results[index] if index in results else ImageResult.failed(job.errors[index])
            for index in range(len(addresses))
        ]

    async def _fetched(self, addresses: Sequence[str], reservation: Reservation) -> list[bytes | ImageError]:
        settings = self._service.settings
        turns = asyncio.Semaphore(_SIDE_BY_SIDE)

        def take(count: int) -> None:
            if not reservation.take(count):
                wait = self._service.scheduler.work.seconds_left()
                raise Problem("overloaded", "Uploads under way fill the memory for them.", retry_after=wait)

        async def fetch(address: str) -> bytes | ImageError:
            try:
                async with turns, asyncio.timeout(settings.upload_timeout):
                    return await self._host.image(address, settings.max_bytes, take)
            except TimeoutError:
                return ImageError("not_readable", f"it did not come within {settings.upload_timeout:g} seconds")
            except ImageError as error:
                return error

        sources = await asyncio.gather(*(fetch(address) for address in addresses))
        errors = [source for source in sources if isinstance(source, ImageError)]
        if errors:  # Label Studio shows no reasons
            _logger.warning(
                "%d of %d images of tasks cannot be had; the first: %s", len(errors), len(sources), errors[0]
            )
        return list(sources)

    async def _run(self, request: Request, job: Job) -> None:
        """Have a job done, with patience: Label Studio does not ask again."""
        if not job.images:
            return
        scheduler, timeout = self._service.scheduler, self._service.settings.request_timeout
        until = asyncio.get_running_loop().time() + timeout
        while True:
            try:
                await run_job(job, scheduler, request.receive, timeout)
            except Overloaded as overloaded:
                if asyncio.get_running_loop().time() + overloaded.retry_after > until:
                    wait = overloaded.retry_after
                    raise Problem("overloaded", "The service has as much work as it takes.", retry_after=wait) from None
                await asyncio.sleep(overloaded.retry_after)
            except Stopped:
                raise Problem("not_ready", "The service is shutting down.", retry_after=1) from None
            except InferenceFailed:
                raise Problem("inference_failed", "The network failed on these images.") from None
            else:
                return


def annotation_router(service: Service, host: AnnotationHost) -> APIRouter:
    """The backend's endpoints.

    Args:
        service: The state that they share with all others.
        host: The Label Studio that asks.
    """
    # Left out of the OpenAPI document: Label Studio is the only one to ask, and has a description of its own.
    router = APIRouter(prefix=LABEL_STUDIO, include_in_schema=False)
    backend = AnnotationBackend(service, host)

    async def health() -> Response:
        if (reason := service.why_not_ready()) is not None:
            raise Problem("not_ready", reason, retry_after=1)
        return JSONResponse({"status": "UP", "model_class": "Colocalize"})

    async def setup(request: Request) -> Response:
        with service.budget.reservation() as reservation:
            body = await _body(request, service, reservation)
        return JSONResponse({"model_version": await backend.version(body)})

    async def predict(request: Request) -> Response:
        if (reason := service.why_not_able()) is not None:
            raise Problem("not_ready", reason, retry_after=1, close=True)
        with service.budget.reservation() as reservation:
            body = await _body(request, service, reservation)
            reservation.give_back()
            return JSONResponse(await backend.predict(request, body, reservation))

    async def webhook(request: Request) -> Response:
        # What it tells of is looked at when predictions are asked for, so that none is lost where one does not arrive.
        with service.budget.reservation() as reservation:
            await _body(request, service, reservation)
        return JSONResponse({"status": "ok"})

    router.add_api_route("/health", health, methods=["GET"], response_class=Response)
    router.add_api_route("/setup", setup, methods=["POST"], response_class=Response)
    router.add_api_route("/predict", predict, methods=["POST"], response_class=Response)
    for path in ("/webhook", "/train"):
        router.add_api_route(path, webhook, methods=["POST"], response_class=Response)
    return router


async def _body(request: Request, service: Service, reservation: Reservation) -> dict[str, Any]:
    check_encoding(request.headers)
    settings = service.settings
    most, name = min((_MOST_BYTES, "label_studio_bytes"), (settings.max_request_bytes, "max_request_bytes"))
    limits = BodyLimits(most, name, settings.upload_timeout)
    with io.BytesIO() as content:
        retry_after = service.scheduler.work.seconds_left
        await receive_body(request.headers, request.receive, limits, reservation, retry_after, content.write)
        told = await asyncio.to_thread(read_json, content.getvalue(), _MOST_MEMBERS)
    if not isinstance(told, dict):
        raise Problem("invalid_body", "The body must be a JSON object.")
    return told


def _interface(config: Any) -> LabelInterface:
    try:
        return read_interface(config if isinstance(config, str) else "")
    except ValueError as error:
        raise Problem("invalid_body", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


def _project(body: Mapping[str, Any]) -> int:
    """Number of the project; Label Studio calls it by that and when it was made, `12.1700000000`."""
    number = str(body.get("project", "")).partition(".")[0]
    if not number.isdecimal() or len(number) > 18:
        raise Problem("invalid_body", f"`project` must begin with its number, got {str(body.get('project'))[:80]!r}.")
    return int(number)


def _address(task: Mapping[str, Any], interface: LabelInterface) -> str:
    data = task.get("data")
    address = data.get(interface.data) if isinstance(data, dict) else None
    return address if isinstance(address, str) else ""


def _annotations(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = task.get("annotations")
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _changed_at(task: Mapping[str, Any]) -> str:
    return max((str(one.get("updated_at", "")) for one in _annotations(task)), default="")


def _prediction(result: ImageResult, interface: LabelInterface, version: str) -> dict[str, Any]:
    shown = result.contains_common_object is not False
    found = regions(result.boxes, result.width, result.height, interface) if shown else []
    return {"model_version": version, "score": result.confidence, "result": found}
