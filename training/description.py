"""What a network is, in the words of a model file."""

from colocalization._version import __version__
from colocalization.metadata import ModelMetadata
from training.network import ColocalizationNet

__all__ = ["describe_network"]


def describe_network(
    network: ColocalizationNet, input_size: int, *, name: str, licence: str = "not stated", training_data: str = ""
) -> ModelMetadata:
    """The metadata of a network at an input size, in 32-bit floats and without a prior.

    Args:
        network: The network.
        input_size: Side of the square input, in pixels; a multiple of the backbone's stride.
        name: What it calls itself.
        licence: Licence of the weights.
        training_data: What the weights were trained on.
    """
    pools = network.config.at_test
    return ModelMetadata(
        name=name,
        version=__version__,
        backbone=network.backbone.name,
        feature_map=network.backbone.feature_map,
        pooling=network.pooling.kind if pools else "avg",
        k=network.pooling.share if pools else 1.0,
        gate=pools and network.pooling.gate is not None,
        input_size=input_size,
        mean=network.backbone.mean,
        std=network.backbone.std,
        resize="squash",
        channels=network.backbone.channels,
        map_size=input_size // network.backbone.stride,
        precision="fp32",
        licence=licence,
        training_data=training_data,
    )
