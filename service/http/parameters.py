"""The parameters of a request, from its query and its form fields."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from starlette.datastructures import QueryParams

from colocalization.results import Mode
from service.http.problems import Problem
from service.http.schemas import HeatmapKind, PreviewKind

__all__ = [
    "FIT_PARAMETER_NAMES",
    "PARAMETER_NAMES",
    "ExportParameters",
    "FitParameters",
    "Parameters",
    "read_export_parameters",
    "read_fit_parameters",
    "read_parameters",
]


class FitParameters(BaseModel):
    """What a request that fits a common object says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hints: Annotated[
        str,
        Field(
            description="What is known of some of the images, a JSON list: "
            '`[{"image": "a.jpg", "x0": 12, "y0": 30, "x1": 400, "y1": 410}, {"image": "b.jpg"}]`. A box shows one '
            "instance of the object, in pixels of the original; without corners the image does not show it.",
            examples=['[{"image": "a.jpg", "x0": 12, "y0": 30, "x1": 400, "y1": 410}]'],
        ),
    ] = "[]"


class Parameters(FitParameters):
    """What a request of boxes asks for."""

    mode: Annotated[
        Mode,
        Field(description="`common`: by what the images have in common; `attention`: each image by itself."),
    ] = "common"
    max_boxes: Annotated[
        int, Field(ge=0, description="Most boxes in each image; 0: all, at most as many as may be asked for.")
    ] = 1
    heatmap: Annotated[
        HeatmapKind,
        Field(description="`png`: coloured; `overlay`: over the image, with boxes; `array`: a float16 `.npy` file."),
    ] = "none"
    preview: Annotated[
        PreviewKind,
        Field(
            description="Of which images a JPEG comes along, to look at: `tiff`, which browsers cannot show, or `all`."
        ),
    ] = "none"
    object: Annotated[
        str,
        Field(
            description="Name of a kept object that is looked for, in one image or many, in place of what they have in "
            "common.",
            examples=["birds"],
        ),
    ] = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.object and self.mode != "common":
            raise ValueError("object is looked for in mode common, and not in mode attention")
        return self


class ExportParameters(BaseModel):
    """What a request that writes results as files asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Annotated[
        Literal["coco", "yolo", "csv", "labelstudio", "jsonl"],
        Field(description="As `colocalize score --format` writes it; `yolo` is a zip of the labels, without images."),
    ]
    label: Annotated[
        str,
        Field(
            min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$",
            description="Name of the one class, in the formats that have classes.",
        ),
    ] = "object"  # fmt: skip
    keep_unflagged: Annotated[
        bool,
        Field(description="Whether boxes are kept where `contains_common_object` is false; `jsonl` has them always."),
    ] = False


PARAMETER_NAMES = frozenset(Parameters.model_fields)
FIT_PARAMETER_NAMES = frozenset(FitParameters.model_fields)

P = TypeVar("P", bound=BaseModel)

_MAX_QUERY_ITEMS = 16
_MAX_TOLD = 80


def read_parameters(query: QueryParams, fields: Mapping[str, str], max_boxes: int) -> Parameters:
    """Read and check the parameters of `POST /colocalize`; where one is in both places, the form field counts.

    Args:
        query: The URL's query.
        fields: The form fields besides the images.
        max_boxes: Largest `max_boxes` allowed, and what 0 stands for.

    Raises:
        Problem: A parameter is unknown, repeated or out of range, or there are too many (`invalid_parameter`, 422).
    """
    parameters = _read(Parameters, query, fields)
    if parameters.max_boxes > max_boxes:
        raise Problem(
            "invalid_parameter",
            f"max_boxes is {parameters.max_boxes}; at most {max_boxes} is allowed.",
            {"limit": {"name": "max_boxes", "value": max_boxes}},
        )
    return parameters if parameters.max_boxes else parameters.model_copy(update={"max_boxes": max_boxes})


def read_fit_parameters(query: QueryParams, fields: Mapping[str, str]) -> FitParameters:
    """Read and check the parameters of `PUT /objects/{name}`; see `read_parameters`."""
    return _read(FitParameters, query, fields)


def read_export_parameters(query: QueryParams) -> ExportParameters:
    """Read and check the parameters of `POST /export`; see `read_parameters`."""
    return _read(ExportParameters, query, {})


def _read(kind: type[P], query: QueryParams, fields: Mapping[str, str]) -> P:
    _check_query(query)
    try:
        return kind.model_validate({**query, **fields})
    except ValidationError as error:
        errors = [_told(entry, kind) for entry in error.errors(include_url=False)]
        told = "; ".join(f"{entry['parameter']}: {entry['message']}" for entry in errors)
        raise Problem("invalid_parameter", f"{told}.", {"errors": errors}) from error


def _told(entry: ErrorDetails, kind: type[BaseModel]) -> dict[str, str]:
    """A mistake with the value given and what is allowed."""
    name = ".".join(map(str, entry["loc"]))[:_MAX_TOLD]
    if entry["type"] == "extra_forbidden":
        message = f"there is no such parameter; the parameters are {', '.join(sorted(kind.model_fields))}"
    elif entry["type"] == "value_error":
        return {"parameter": "object", "message": str(entry["ctx"]["error"])}
    elif entry["type"] == "missing":
        message = "it must be given"
    else:
        message = f"{entry['msg']}, got {str(entry['input'])[:_MAX_TOLD]!r}"
    return {"parameter": name, "message": message}


def _check_query(query: QueryParams) -> None:
    items = query.multi_items()
    if len(items) > _MAX_QUERY_ITEMS:
        raise Problem(
            "invalid_parameter",
            f"The query has {len(items)} items; at most {_MAX_QUERY_ITEMS} are allowed.",
            {"limit": {"name": "query_items", "value": _MAX_QUERY_ITEMS}},
        )
    repeated = sorted(name[:_MAX_TOLD] for name, times in Counter(name for name, _ in items).items() if times > 1)
    if repeated:
        raise Problem("invalid_parameter", f"The query gives {', '.join(repeated)!r} more than once.")
