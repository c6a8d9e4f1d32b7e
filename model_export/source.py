"""Where the exported network comes from: a checkpoint, or a backbone as pretrained."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from colocalization.metadata import Pooling
from model_export.errors import ExportError
from training.backbones import create_backbone
from training.build import load_network
from training.config import FeatureMap, PoolingConfig
from training.foreground_prior import ForegroundPrior
from training.network import ColocalizationNet

__all__ = ["PRETRAINED_PREFIX", "NetworkSource", "from_checkpoint", "pretrained"]

PRETRAINED_PREFIX = "imagenet:"
"""`imagenet:NAME` in place of a checkpoint stands for timm's network NAME with its ImageNet weights, untrained here."""


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """A network to export and what is known of it.

    Attributes:
        network: The network, in evaluation mode.
        name: Name for the model's metadata.
        licence: Licence of the weights.
        training_data: What the weights were trained on.
        prior: Its foreground prior, if it has one.
    """

    network: ColocalizationNet
    name: str
    licence: str
    training_data: str
    prior: ForegroundPrior | None = None


def pretrained(name: str, *, feature_map: FeatureMap, pooling: Pooling, k: float) -> NetworkSource:
    """A backbone with its ImageNet weights, and an attention pooling, which has none of its own without a gate.

    Args:
        name: timm's name of the backbone.
        feature_map: Which feature map is pooled.
        pooling: The attention pooling.
        k: Share of the channels that top-k poolings average, in (0, 1].

    Raises:
        TrainingError: There is no such backbone, or its weights cannot be had.
    """
    try:
        config = PoolingConfig(kind=pooling, k=k, gate=False)
    except ValidationError as error:
        raise ExportError(f"k must be a share of the channels in (0, 1], got {k}") from error
    network = ColocalizationNet(create_backbone(name, feature_map), {}, config).eval()
    if name == "tf_efficientnet_lite0":
        licence, trained_on = "Apache-2.0", "ImageNet-1k (labels of the classes, no boxes)"
    else:
        licence, trained_on = "see the weights' own page at timm", f"pretrained as timm's {name}"
    return NetworkSource(network, f"{name}_{pooling}", licence, trained_on)


def from_checkpoint(path: Path, licence: str) -> NetworkSource:
    """The network of a checkpoint written by `colocalize train`.

    Args:
        path: The checkpoint.
        licence: Licence of the weights, as the user states it.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
    """
    network, checkpoint = load_network(path)
    trained_on = f"{len(checkpoint.images)} images without labels, from {checkpoint.config.backbone.weights} weights"
    # The loop names its files alike in every run; the folder tells them apart.
    name = path.resolve().parent.name if path.stem in ("best", "last") else path.stem
    prior = None if checkpoint.foreground is None else ForegroundPrior.from_state(checkpoint.foreground)
    return NetworkSource(network, name or path.stem, licence, trained_on, prior)
