"""What a model file says about itself: read from the ONNX file's own metadata, so that it cannot get lost."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal

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
        resize: How a picture becomes square, see `InputTransform`.
        channels: Number of channels of `features`.
        map_size: Side of the square `attention` and `features`, in cells.
        precision: Type of the backbone's weights: `fp32`, `fp16` or `int8`.
        licence: Licence of the weights.
        training_data: What the weights were trained on.
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

    def to_json(self) -> str:
        """The metadata as the JSON text stored in the model file."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> "ModelMetadata":
        """Read the metadata out of an ONNX file's properties.

        Raises:
            ModelError: The metadata is missing, is not JSON, or lacks or misstates an entry.
        """
        if METADATA_KEY not in properties:
            raise ModelError(
                f"the model has no {METADATA_KEY!r} metadata; expected a file written by `colocalize export`"
            )
        try:
            values = json.loads(properties[METADATA_KEY])
            names = {field.name for field in fields(cls)}
            if not isinstance(values, dict):
                raise ModelError(f"the model's metadata is not a JSON object but {values!r}")
            if missing := sorted(names - values.keys()):
                raise ModelError(f"the model's metadata lacks {', '.join(missing)}")
            values = {name: values[name] for name in names}
            values["mean"], values["std"] = tuple(values["mean"]), tuple(values["std"])
            metadata = cls(**values)
            metadata.transform()  # checks size, mean, std and resize
        except (TypeError, ValueError) as error:
            raise ModelError(f"the model's metadata is damaged: {error}") from error
        return metadata

    def transform(self) -> InputTransform:
        """The transform from a picture to this network's input."""
        return InputTransform(self.input_size, self.mean, self.std, self.resize)
