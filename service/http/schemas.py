"""The JSON that the service speaks, as pydantic models."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from colocalization.advice import Verdict
from colocalization.errors import ImageErrorCode, ImageWarningCode
from colocalization.metadata import Pooling, Precision
from colocalization.results import Effort, Mode
from service.http.problems import ProblemCode

__all__ = [
    "AdviceBody",
    "BoxBody",
    "ColocalizeResponse",
    "ExportBody",
    "FittedObjectBody",
    "HealthBody",
    "HeatmapBody",
    "HeatmapKind",
    "ImageBody",
    "ImageErrorBody",
    "ModelBody",
    "ModelDetails",
    "NamedImageErrorBody",
    "ObjectBody",
    "ObjectListBody",
    "ObjectModelBody",
    "PreviewBody",
    "PreviewKind",
    "ProblemBody",
    "ReviewedBoxBody",
    "ReviewedImageBody",
    "Timing",
]

HeatmapKind = Literal["none", "png", "overlay", "array"]
"""`png`: the heat map coloured; `overlay`: over the image, with the boxes; `array`: its float values."""

PreviewKind = Literal["none", "tiff", "all"]
"""Of which images a JPEG comes along: none, those that are TIFF, which browsers cannot show, or all."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# Written as an array of two, since many generators of clients do not know tuples.
_Size = Annotated[
    tuple[int, ...],
    Field(min_length=2, max_length=2, description="Width and height of the network's input, in pixels."),
]


class BoxBody(_Body):
    """A box in pixels of the original image as displayed: half-open, x to the right, y down."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: Annotated[
        float,
        Field(
            description="Estimated probability, in [0, 1], that the box's IoU with an instance is at least 0.5; 1 for "
            "a hint's own box."
        ),
    ]


class ImageErrorBody(_Body):
    """Why one image could not be read."""

    code: ImageErrorCode
    message: str


class ImageWarningBody(_Body):
    """What is wrong with an image that was read all the same."""

    code: ImageWarningCode
    message: str


class HeatmapBody(_Body):
    """A heat map: a PNG, or an array in NumPy's `.npy` form."""

    media_type: Literal["image/png", "application/x-npy"]
    width: Annotated[int, Field(description="Width in pixels of the map: the image's working size, not its original.")]
    height: int
    data: Annotated[str, Field(description="Base64. `.npy`: (height, width) float16 in [0, 1], rows from the top.")]


class PreviewBody(_Body):
    """An image as it was decoded, upright and at its working size, for who cannot show the original."""

    media_type: Literal["image/jpeg"]
    width: int
    height: int
    data: Annotated[str, Field(description="Base64.")]


class ImageBody(_Body):
    """What was found in one image."""

    name: Annotated[str, Field(description="File name as the client gave it.")]
    width: Annotated[int, Field(description="Width of the original as displayed, in pixels; 0 with an error.")]
    height: Annotated[int, Field(description="Height of the original as displayed, in pixels; 0 with an error.")]
    boxes: Annotated[tuple[BoxBody, ...], Field(description="Best first; empty where nothing was found.")]
    confidence: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="How sure it is that the common object is shown; in mode `attention`, which knows of no set, "
            "how clearly the heat map tells its object from the rest.",
        ),
    ]
    contains_common_object: Annotated[
        bool | None,
        Field(description="Whether the common object is shown; null in mode `attention`, which cannot tell."),
    ]
    heatmap: HeatmapBody | None
    error: ImageErrorBody | None
    warning: Annotated[
        ImageWarningBody | None, Field(description="What is wrong with an image that was read all the same, or null.")
    ] = None
    preview: Annotated[
        PreviewBody | None, Field(description="The image as a JPEG, where it was asked for; else null.")
    ] = None


class ModelBody(_Body):
    """The model that answered."""

    name: str
    sha256: str
    backbone: str
    input_size: _Size
    prior: Annotated[
        str | None,
        Field(description="The prior from outside that took part, a network trained with masks; null: none did."),
    ] = None


class AdviceBody(_Body):
    """What to make of the boxes of a set."""

    verdict: Annotated[
        Verdict,
        Field(
            description="`sure`: at least three of four boxes are likely right; `check`: at least half; `hint`: fewer, "
            "and a box drawn by hand in one image will help."
        ),
    ]
    right: Annotated[float, Field(description="Share of the images' best boxes that are likely right, in [0, 1].")]
    text: Annotated[str, Field(description="The same in one sentence.")]


class Timing(_Body):
    """Milliseconds spent on a request.

    Images of a request are worked on side by side, so the stages may add up to more than `total`.
    """

    queue: Annotated[float, Field(description="While none of the request's images was being worked on.")]
    decode: Annotated[float, Field(description="Decoding and resizing, summed over its images.")]
    inference: Annotated[float, Field(description="Runs of the network that its images took part in.")]
    postprocess: Annotated[float, Field(description="Step over the set, boxes and heat maps, summed over its images.")]
    total: Annotated[float, Field(description="From the end of the upload to the answer.")]


class ScaleBody(_Body):
    """At which scale the images were looked at."""

    tiles: Annotated[int, Field(ge=1, description="Tiles in a row and in a column; 1 is one look at the whole image.")]
    side: Annotated[
        float | None,
        Field(description="Typical side of the things as a share of their image's; null where tiles were not needed."),
    ]
    text: str


class ColocalizeResponse(_Body):
    """The answer of `POST /colocalize`."""

    model: ModelBody
    mode: Annotated[
        Mode, Field(description="`attention` where `common` was asked for and nothing in common was found.")
    ]
    images: Annotated[tuple[ImageBody, ...], Field(description="One for each image, in the order sent.")]
    advice: Annotated[
        AdviceBody | None, Field(description="What to make of the boxes; null where there is none to judge.")
    ] = None
    scale: Annotated[
        ScaleBody | None,
        Field(description="The scale that hints or effort `thorough` have chosen for the set; else null."),
    ] = None
    timing_ms: Timing


_Pixels = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class ReviewedBoxBody(_Body):
    """A box that is to be written, as found or as somebody has drawn it."""

    x0: _Pixels
    y0: _Pixels
    x1: _Pixels
    y1: _Pixels
    score: Annotated[float, Field(ge=0, le=1, description="1 for what was drawn by hand.")] = 1.0


class ReviewedImageBody(_Body):
    """One image that is to be written: as `POST /colocalize` answered it, or with what somebody has changed."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="A relative path with forward slashes; folders in it are kept. Each image has its own.",
        ),
    ]
    width: Annotated[int, Field(ge=0, le=10**6, description="In pixels; 0 with an error.")]
    height: Annotated[int, Field(ge=0, le=10**6)]
    boxes: tuple[ReviewedBoxBody, ...] = ()
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    contains_common_object: bool | None = None
    error: ImageErrorBody | None = None
    warning: ImageWarningBody | None = None
    heatmap: Annotated[HeatmapBody | None, Field(description="Is not written; better left out.")] = None
    preview: Annotated[PreviewBody | None, Field(description="Is not written; better left out.")] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = self.name.replace("\\", "/").split("/")
        if not {"", ".", ".."}.isdisjoint(parts) or not self.name.isprintable():
            raise ValueError(f"name must be a relative path that leads nowhere else, got {self.name[:80]!r}")
        if self.error is None and not (self.width and self.height):
            raise ValueError(f"width and height must be above 0, got {self.width} x {self.height}")
        for box in self.boxes:
            if not (box.x0 < box.x1 <= self.width and box.y0 < box.y1 <= self.height):
                corners = f"{box.x0:g},{box.y0:g},{box.x1:g},{box.y1:g}"
                raise ValueError(f"a box must lie within the {self.width} x {self.height} pixels, got {corners}")
        return self


class ExportBody(_Body):
    """The body of `POST /export`; what `POST /colocalize` has answered is one, as it came."""

    images: Annotated[
        tuple[ReviewedImageBody, ...],
        Field(description="In the order to be written; at least one.", json_schema_extra={"minItems": 1}),
    ]
    model: Annotated[ModelBody | None, Field(description="The model, for the formats that name it.")] = None
    mode: Mode | None = None
    advice: AdviceBody | None = None
    scale: ScaleBody | None = None
    timing_ms: Timing | None = None

    @field_validator("images")
    @classmethod
    def _check(cls, images: tuple[ReviewedImageBody, ...]) -> tuple[ReviewedImageBody, ...]:
        # As a minimal length pydantic would tell it of every list in which an image is wrong, too.
        if not images:
            raise ValueError("there must be at least one image")
        return images


class ModelDetails(_Body):
    """The answer of `GET /model`."""

    name: str
    version: str
    sha256: str
    backbone: str
    feature_map: str
    pooling: Pooling
    k: float
    gate: bool
    input_size: _Size
    precision: Precision
    licence: str
    training_data: str
    foreground_data: Annotated[
        str, Field(description="What the model's foreground prior was learnt on; empty where it has none.")
    ]
    prior: Annotated[
        str | None, Field(description="The prior from outside beside it, a network trained with masks; or null.")
    ]
    provider: Annotated[str, Field(description="ONNX Runtime's execution provider in use.")]
    provider_warning: Annotated[str | None, Field(description="Why it is not the one hoped for, or null.")]
    keeps_objects: Annotated[bool, Field(description="Whether common objects can be kept, at `/objects`.")]
    limits: Annotated[dict[str, int | float], Field(description="What a request may cost.")]


class ObjectModelBody(_Body):
    """The model that an object was fitted with."""

    name: str
    sha256: str
    in_use: Annotated[bool, Field(description="Whether the service runs it, so that the object can be looked for.")]


class ObjectBody(_Body):
    """The answer of `GET /objects/{name}`."""

    name: str
    model: ObjectModelBody
    version: Annotated[str, Field(description="Version of Colocalize that fitted it.")]
    effort: Effort
    images: Annotated[int, Field(description="Images that it was fitted on.")]
    hinted: Annotated[int, Field(description="How many of them had hints.")]
    agreement: Annotated[
        float, Field(ge=0, le=1, description="How alike different images show it: mean cosine of their descriptors.")
    ]
    sha256: Annotated[str, Field(description="Of all that it holds: objects of the same one give the same boxes.")]
    bytes: Annotated[int, Field(description="Size of its file.")]
    kept_at: Annotated[datetime, Field(description="When it was kept, in UTC.")]


class NamedImageErrorBody(ImageErrorBody):
    """Why one image of a set could not be used."""

    name: str


class FittedObjectBody(ObjectBody):
    """The answer of `PUT /objects/{name}`."""

    errors: Annotated[
        tuple[NamedImageErrorBody, ...],
        Field(description="Images that could not be read or used, on which it was therefore not fitted."),
    ]


class ObjectListBody(_Body):
    """The answer of `GET /objects`."""

    objects: Annotated[tuple[str, ...], Field(description="Names of all objects, sorted.")]


class HealthBody(_Body):
    """The answer of `GET /livez` and `GET /readyz`."""

    status: Literal["ok"]


class ProblemBody(BaseModel):
    """An error (RFC 9457). `code` is stable; some codes come with more members, such as `limit`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: ProblemCode
    request_id: str | None = None
