"""What a model file says about itself: read from the ONNX file's own metadata, so that it cannot get lost."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from colocalization.errors import ModelError
from colocalization.transform import InputTransform

__all__ = ["METADATA_KEY", "ModelMetadata", "Pooling", "Precision"]

METADATA_KEY = "colocalize"
"""Key of the JSON object in the ONNX file's `metadata_props`."""

Pooling = Literal["ptap", "channel", "max", "avg"]

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """Description of an exported network.

    Attributes:
        name: Name of the model.
        version: Version of the distribution that exported it.
        backbone: timm's name of the backbone.
        feature_map: Which feature map is pooled and given out as `features`.
        pooling: Attention pooling in the graph: pixel-wise top-k (`ptap`), channel-wise top-k, max or mean.
        k: Share of channels that the top-k poolings average, in (0, 1].
        gate: Whether a channel gate weighs the features before pooling.
        input_size: Side of the square input, in pixels.
        mean: Mean of the input's channels (R, G, B), in units of [0, 1].
        std: Standard deviation of the input's channels, in units of [0, 1].
        resize: How an image becomes square, see `InputTransform`.
        channels: Number of channels of `features`.
        map_size: Side of the square `attention` and `features`, in cells.
        precision: Type of the backbone's weights: `fp32`, `fp16` or `int8`.
        licence: Licence of the weights.
        training_data: What the weights were trained on.
        foreground: Whether the model gives `foreground` too, a prior's map on the same grid.
        foreground_data: What that prior was learnt on; empty where there is none.
    """

    name: str
    version: str
    backbone: str
    feature_map: str
    pooling: Pooling
    k: float
    gate: bool
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["squash"]
    channels: int
    map_size: int
    precision: Precision
    licence: str
    training_data: str
    foreground: bool = False
    foreground_data: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.k <= 1:
            raise ValueError(f"k must be in (0, 1], got {self.k}")
        for name in ("channels", "map_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def to_json(self) -> str:
        """The metadata as the JSON text stored in the model file."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> "ModelMetadata":
        """Read the metadata out of an ONNX file's properties.

        Raises:
            ModelError: The metadata is missing, is not JSON, or lacks an entry, or an entry is of another type
                or out of range.
        """
        if METADATA_KEY not in properties:
            raise ModelError(
                f"the model has no {METADATA_KEY!r} metadata; expected a file written by `colocalize export`"
            )
        try:
            values = json.loads(properties[METADATA_KEY])
            kinds = get_type_hints(cls)
            if not isinstance(values, dict):
                raise ModelError(f"the model's metadata is not a JSON object but {values!r}")
            # Files of before there was a foreground output say nothing of it.
            needed = {entry.name for entry in fields(cls) if entry.default is MISSING}
            if missing := sorted(needed - values.keys()):
                raise ModelError(f"the model's metadata lacks {', '.join(missing)}")
            metadata = cls(
                **{name: _checked(name, values[name], kind) for name, kind in kinds.items() if name in values}
            )
            metadata.transform()  # checks the ranges of size, mean and std
        except (ValueError, RecursionError) as error:
            raise ModelError(f"the model's metadata is damaged: {error}") from error
        return metadata

    def transform(self) -> InputTransform:
        """The transform from an image to this network's input."""
        return InputTransform(self.input_size, self.mean, self.std, self.resize)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)  # half a pair


def _is_number(value: Any) -> bool:
    """Whether it is a finite number; `bool` is an `int` only to Python."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


_KINDS: Mapping[Any, tuple[str, Callable[[Any], bool], Callable[[Any], Any]]] = {
    str: ("text", _is_text, str),
    bool: ("true or false", lambda value: isinstance(value, bool), bool),
    int: ("a whole number", lambda value: _is_number(value) and isinstance(value, int), int),
    float: ("a number", _is_number, float),
    tuple[float, float, float]: (
        "a list of three numbers",
        lambda value: isinstance(value, list) and len(value) == 3 and all(map(_is_number, value)),
        lambda value: tuple(map(float, value)),
    ),
}
"""What an entry of each type is called, how it is told in JSON, and how it is made."""


def _checked(name: str, value: object, kind: Any) -> Any:
    """One entry of the file as its type: what is let in here goes into every answer.

    Raises:
        ValueError: The entry is of another type, or none of the words allowed.
    """
    if get_origin(kind) is Literal:
        words = get_args(kind)
        if value not in words:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, got {value!r:.80}")
        return value
    allowed, fits, made = _KINDS[kind]
    if not fits(value):
        raise ValueError(f"{name} must be {allowed}, got {value!r:.80}")
    return made(value)
