"""The parameters of a request, from its query and its form fields."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from starlette.datastructures import QueryParams

from colocalization.results import Mode
from service.http.problems import Problem
from service.http.schemas import HeatmapKind

__all__ = ["PARAMETER_NAMES", "Parameters", "read_parameters"]


class Parameters(BaseModel):
    """What a request asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Annotated[
        Mode,
        Field(description="`common`: by what the images have in common; `attention`: each image by itself."),
    ] = "common"
    max_boxes: Annotated[int, Field(ge=1, description="Most boxes in each image.")] = 1
    heatmap: Annotated[
        HeatmapKind,
        Field(description="`png`: coloured; `overlay`: over the image, with boxes; `array`: a float16 `.npy` file."),
    ] = "none"


PARAMETER_NAMES = frozenset(Parameters.model_fields)

_MAX_QUERY_ITEMS = 16
_MAX_TOLD = 80


def read_parameters(query: QueryParams, fields: Mapping[str, str], max_boxes: int) -> Parameters:
    """Read and check the parameters; where one is in both places, the form field counts.

    Args:
        query: The URL's query.
        fields: The form fields besides the images.
        max_boxes: Largest `max_boxes` allowed.

    Raises:
        Problem: A parameter is unknown, repeated or out of range, or there are too many (`invalid_parameter`, 422).
    """
    _check_query(query)
    try:
        parameters = Parameters.model_validate({**query, **fields})
    except ValidationError as error:
        errors = [_told(entry) for entry in error.errors(include_url=False, include_context=False)]
        told = "; ".join(f"{entry['parameter']}: {entry['message']}" for entry in errors)
        raise Problem("invalid_parameter", f"{told}.", {"errors": errors}) from error
    if parameters.max_boxes > max_boxes:
        raise Problem(
            "invalid_parameter",
            f"max_boxes is {parameters.max_boxes}; at most {max_boxes} is allowed.",
            {"limit": {"name": "max_boxes", "value": max_boxes}},
        )
    return parameters


def _told(entry: ErrorDetails) -> dict[str, str]:
    """A mistake with the value given and what is allowed."""
    name = ".".join(map(str, entry["loc"]))[:_MAX_TOLD]
    if entry["type"] == "extra_forbidden":
        message = f"there is no such parameter; the parameters are {', '.join(sorted(PARAMETER_NAMES))}"
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
