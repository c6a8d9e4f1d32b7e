"""What both clients send, and what they make of how it went."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import quote

import httpx

from colocalization._version import __version__
from colocalization.client.answers import ServedSet, StoredObject, read_object, read_problem, read_set
from colocalization.client.errors import UnreachableError
from colocalization.client.folder_sets import FolderSet
from colocalization.client.retries import REFUSED, Attempts
from colocalization.client.uploads import OpenedSet, hints_field, open_set, upload_names
from colocalization.hints import ImageHints
from colocalization.images import ImageSource
from colocalization.results import Mode
from colocalization.sources import Given, HintsGiven, hints_by_index, listed
from colocalization.steps import check_max_boxes

__all__ = [
    "Asked",
    "Call",
    "OpenedUpload",
    "SetUpload",
    "after",
    "after_error",
    "checked_timeout",
    "checked_url",
    "fit_upload",
    "folder_upload",
    "headers",
    "localize_upload",
    "object_path",
]

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors before a byte of the request has left."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of images.

    Attributes:
        mode: What the boxes are found by.
        max_boxes: Most boxes an image; 0: all.
        heatmaps: Whether results are to have their heat maps.
        object_name: Name of a kept object that is looked for.
    """

    mode: Mode
    max_boxes: int
    heatmaps: bool
    object_name: str | None

    def __post_init__(self) -> None:
        if self.mode not in ("attention", "common"):
            raise ValueError(f"mode must be 'attention' or 'common', got {self.mode!r}")
        check_max_boxes(self.max_boxes)
        if self.mode == "attention" and self.object_name is not None:
            raise ValueError("mode 'attention' uses no object; leave out mode, or the object")

    @property
    def is_of_a_set(self) -> bool:
        """Whether the images of a request are to have something in common."""
        return self.mode == "common" and self.object_name is None

    def fields(self, hints: Mapping[int, ImageHints], names: tuple[str, ...]) -> dict[str, str]:
        """The fields of the form besides the images.

        Raises:
            ValueError: Hints are given where they are not used.
        """
        fields = {"mode": str(self.mode), "max_boxes": str(self.max_boxes)}
        if self.heatmaps:
            fields["heatmap"] = "array"
        if self.object_name is not None:
            fields["object"] = self.object_name
        if hints:
            if not self.is_of_a_set:
                raise ValueError(
                    "hints say what the images of a set have in common: leave out mode 'attention' or the object, or "
                    "give the hints to `fit`"
                )
            fields["hints"] = hints_field(hints, names)
        return fields


@dataclass(frozen=True, slots=True)
class Call:
    """A request without a body."""

    method: str
    path: str

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request, as httpx sends it."""
        return http.build_request(self.method, self.path)


@dataclass(frozen=True, slots=True)
class OpenedUpload(Call):
    """A request with images, which are open; it can be sent several times.

    Attributes:
        images: The images.
        fields: The form's other fields.
    """

    images: OpenedSet
    fields: Mapping[str, str]

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request, whose body is read from the disk while it is sent."""
        return http.build_request(self.method, self.path, data=self.fields, files=list(self.images.parts))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not self.images.parts

    def localized(self, response: httpx.Response | None) -> ServedSet:
        """What was found in all images.

        Args:
            response: The answer; None where there was nothing to send.

        Raises:
            ProblemError: The service refused the request or failed.
            AnswerError: The answer is of another form.
        """
        return self.images.answered(None if response is None else read_set(response, self.images.sent_names))

    def fitted(self, response: httpx.Response) -> StoredObject:
        """What was kept, with all images that could not be used.

        Raises:
            ProblemError: The service refused the request or failed.
            AnswerError: The answer is of another form.
        """
        kept = read_object(response)
        here = {self.images.names[index]: error for index, error in self.images.errors.items()}
        return replace(kept, errors={**here, **kept.errors})

    def check_not_empty(self) -> None:
        """Refuse to fit without an image.

        Raises:
            ImageError: Not one can be read.
            ValueError: None are given.
        """
        if self.is_empty:
            raise next(iter(self.images.errors.values()), ValueError("fit needs images, got none"))


@dataclass(frozen=True, slots=True)
class SetUpload:
    """Images and what is asked of them, checked; no file is open yet.

    Attributes:
        method: HTTP method.
        path: Address below that of the service.
        sources: The images.
        names: What they are called.
        fields: The form's other fields.
    """

    method: str
    path: str
    sources: list[ImageSource]
    names: tuple[str, ...]
    fields: Mapping[str, str]

    @contextmanager
    def opened(self) -> Iterator[OpenedUpload]:
        """Open the images for as long as the block lasts."""
        with open_set(self.sources, self.names) as images:
            yield OpenedUpload(self.method, self.path, images, self.fields)


def localize_upload(sources: Given, asked: Asked, hints: HintsGiven | None) -> SetUpload:
    """`POST /colocalize`.

    Raises:
        TypeError: `sources` is a single image.
        ValueError: Hints are given where they are not used.
        HintError: A hint is for no image of the set, or cannot be used.
    """
    given = listed(sources)
    names = upload_names(given)
    return SetUpload("POST", "/colocalize", given, names, asked.fields(hints_by_index(hints or {}, given), names))


def folder_upload(images: FolderSet, asked: Asked) -> SetUpload:
    """`POST /colocalize` of a set of a folder.

    Raises:
        ValueError: Hints are given where they are not used.
    """
    given: list[ImageSource] = [*images.paths]
    names = upload_names(given)
    return SetUpload("POST", "/colocalize", given, names, asked.fields(images.hints, names))


def fit_upload(name: str, sources: Given, hints: HintsGiven | None) -> SetUpload:
    """`PUT /objects/{name}`.

    Raises:
        TypeError: `sources` is a single image.
        HintError: A hint is for no image of the set, or cannot be used.
    """
    given = listed(sources)
    names = upload_names(given)
    said = hints_by_index(hints or {}, given)
    return SetUpload("PUT", object_path(name), given, names, {"hints": hints_field(said, names)} if said else {})


def object_path(name: str) -> str:
    """Address of a kept object; a name that is none is the service's to refuse, as it is.

    Example:
        >>> object_path("birds"), object_path("a/b")
        ('/objects/birds', '/objects/a%2Fb')
    """
    return f"/objects/{quote(name, safe='')}"


def checked_url(url: str) -> str:
    """An address that a service can have.

    Raises:
        ValueError: It is none.

    Example:
        >>> checked_url("localhost:8000")
        Traceback (most recent call last):
        ValueError: the address of a service must be of the form http://HOST:PORT, got 'localhost:8000'
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host or not 0 < (parsed.port or 80) < 2**16:
        raise ValueError(f"the address of a service must be of the form http://HOST:PORT, got {url!r}")
    return url


def checked_timeout(seconds: float) -> httpx.Timeout:
    """How long an answer is waited for.

    Raises:
        ValueError: It is not above 0.
    """
    if not seconds > 0:
        raise ValueError(f"timeout must be above 0 seconds, got {seconds}")
    return httpx.Timeout(seconds, connect=10.0, pool=None)


def headers(api_key: str | None) -> dict[str, str]:
    """What every request carries.

    Raises:
        ValueError: The key has other characters than a header can carry.
    """
    if api_key is not None and not (api_key.isascii() and api_key.isprintable() and api_key.strip()):
        raise ValueError("api_key must be of printable ASCII characters, without line breaks")  # and is not shown
    sent = {"user-agent": f"colocalize-client/{__version__}"}
    return sent if api_key is None else {**sent, "authorization": f"Bearer {api_key}"}


def after(response: httpx.Response, attempts: Attempts) -> float | None:
    """Seconds after which to send the request again; None where the answer stands.

    Raises:
        ClientError: The service has no room for it, and the time for trying is over.
    """
    if response.status_code not in REFUSED:
        return None
    wait = attempts.after_refusal(response)
    if wait is None:
        raise read_problem(response)
    return wait


def after_error(error: httpx.RequestError, url: str, attempts: Attempts) -> float:
    """Seconds after which to send a request again that had no answer.

    Raises:
        UnreachableError: It may have been taken, or there is no connection to be had.
    """
    was_sent = not isinstance(error, _NOT_SENT)
    wait = None if was_sent else attempts.after_no_connection()
    if wait is None:
        why = str(error) or type(error).__name__
        told = "the connection was lost, or the answer too slow" if was_sent else "no connection"
        raise UnreachableError(f"{url}: {told}: {why}", was_sent=was_sent) from error
    return wait
